gw_library(keeper PRIVATE PkgConfig::SYSTEMD)
