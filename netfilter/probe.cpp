#include "netfilter/probe.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gw::netfilter {
namespace {

constexpr std::string_view probe_table = "gateway_probe";

struct Need {
    std::string_view text;
    std::string_view what;
};
constexpr Need needs[] = {
    {"", "nftables (module nf_tables)"},
    {"add table inet gateway_probe { flags owner; }\n", "nft tables with an owner (Linux 5.12 or later)"},
    {"add rule inet gateway_probe c tcp dport 1 tproxy ip to 127.0.0.1:1\n"
     "add rule inet gateway_probe c tcp dport 1 tproxy ip6 to [::1]:1\n",
     "nft tproxy (module nft_tproxy)"},
    {"add rule inet gateway_probe c socket transparent 1 socket wildcard 0\n",
     "nft socket (module nft_socket, Linux 5.11 or later)"},
    {"add rule inet gateway_probe c fib daddr type local\n", "nft fib (module nft_fib_inet)"},
    {"add set inet gateway_probe s { type mark; size 4; flags dynamic,timeout; }\n"
     "add chain inet gateway_probe i { type filter hook ingress device \"lo\" priority 0; }\n"
     "add rule inet gateway_probe i update @s { meta mark & 0x00000000 timeout 1s }\n",
     "nft ingress hook (CONFIG_NETFILTER_INGRESS, Linux 5.10 or later)"},
};

} // namespace

bool may_change_the_network()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    return ::syscall(SYS_capget, &header, data) == 0 && ((data[0].effective >> CAP_NET_ADMIN) & 1U) != 0;
}

Result<> probe(NftContext& context)
{
    const std::string base = "add table inet " + std::string(probe_table) + "\nadd chain inet " +
                             std::string(probe_table) + " c { type filter hook prerouting priority 0; }\n";
    for (const Need& need : needs) {
        // A table is made either with its owner or without, so that line replaces the first one.
        const bool is_table = need.text.starts_with("add table");
        auto tried = context.try_out(is_table ? std::string(need.text) : base + std::string(need.text));
        if (tried) continue;
        Error error = tried.error();
        error.what = "the kernel has no " + std::string(need.what) + ": " + error.what;
        return error;
    }
    return {};
}

} // namespace gw::netfilter
