gw_library(netfilter PRIVATE PkgConfig::NFTABLES PkgConfig::MNL)
