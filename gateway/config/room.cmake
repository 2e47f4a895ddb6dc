gw_library(config PRIVATE PkgConfig::YAML)
