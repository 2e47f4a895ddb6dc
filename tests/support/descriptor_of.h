#pragma once

#include "gateway/base/descriptor.h"

namespace gw {

/// Asio's socket as one of ours: no longer Asio's, and non-blocking.
template <class Socket> Descriptor descriptor_of(Socket socket)
{
    socket.native_non_blocking(true);
    return Descriptor{socket.release()};
}

} // namespace gw
