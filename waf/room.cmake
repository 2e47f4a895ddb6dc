# The engine: everything that includes libmodsecurity, linked into gateway-inspector (and its tests) only, never into the
# process that holds connections. match_guard.cpp defines PCRE2's match functions, so it must come before libpcre2.
pkg_check_modules(MODSECURITY REQUIRED IMPORTED_TARGET modsecurity)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)

file(GLOB engine_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/engine/*.cpp)
if(engine_sources AND NOT GW_SANITIZE STREQUAL "fuzzer")
    add_library(gw_waf_engine STATIC ${engine_sources})
    target_precompile_headers(gw_waf_engine REUSE_FROM gw_base)
    target_link_libraries(gw_waf_engine PUBLIC gw_flags gw_waf gw_confine gw_http gw_base
        PRIVATE PkgConfig::MODSECURITY PkgConfig::PCRE2 ${CMAKE_DL_LIBS})
endif()
