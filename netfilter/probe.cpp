#include "netfilter/probe.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gw::netfilter {
namespace {

struct Need {
    std::string_view text;
    std::string_view what;
};
constexpr std::string_view plain_table = "add table inet gateway_probe\n";
constexpr std::string_view owner_table = "add table inet gateway_probe { flags owner; }\n";
constexpr std::string_view some_chain = "add chain inet gateway_probe c { type filter hook prerouting priority 0; }\n";
constexpr Need needs[] = {
    {"", "nftables (module nf_tables)"},
    {owner_table, "nft tables with an owner (Linux 5.12 or later)"},
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

/// Each try costs the kernel a pause of 10 to 20 ms, in which all processors give up what they were reading of its
/// rules. So everything is tried at once, and one after the other only to find out what is missing.
Result<> probe(NftContext& context)
{
    std::string all = std::string(owner_table) + std::string(some_chain);
    for (const Need& need : needs)
        if (need.text != owner_table) all += need.text;
    if (context.try_out(all)) return {};
    for (const Need& need : needs) {
        // A table is made either with its owner or without.
        std::string text{need.text};
        if (need.text != owner_table) text = std::string(plain_table) + std::string(some_chain) + text;
        auto tried = context.try_out(text);
        if (tried) continue;
        Error error = tried.error();
        error.what = "the kernel has no " + std::string(need.what) + ": " + error.what;
        return error;
    }
    return {};
}

} // namespace gw::netfilter
