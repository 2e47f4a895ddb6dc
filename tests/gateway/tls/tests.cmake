target_sources(tls_tests PRIVATE gateway/tls/certificates.cpp gateway/tls/upstream.cpp)
target_link_libraries(tls_tests PRIVATE OpenSSL::SSL)
