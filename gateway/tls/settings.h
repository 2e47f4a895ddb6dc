#pragma once

#include <string>

namespace gw::tls {

/// How an upstream's certificate is checked.
struct DialSettings {
    bool verify = true;
    std::string ca_file; ///< PEM; empty: the system's
};

} // namespace gw::tls
