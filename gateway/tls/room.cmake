gw_library(tls PRIVATE OpenSSL::SSL)
