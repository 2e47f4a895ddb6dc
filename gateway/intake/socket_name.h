#pragma once

#include "gateway/base/endpoint.h"

#include <optional>

namespace gw::intake {

/// The address a socket is bound to, getsockname(2). None: not a socket, or one of another family than IP.
std::optional<Endpoint> name_of_socket(int socket);

} // namespace gw::intake
