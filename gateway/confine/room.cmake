pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
gw_library(confine PRIVATE PkgConfig::SECCOMP)
