#include "netfilter/watch.h"

#include "netfilter/guard_text.h"

#include <cerrno>
#include <cstddef>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace gw::netfilter {
namespace {

constexpr std::size_t notice_bytes = 32 * 1024;
constexpr int reads_at_once = 64;        // the rest stays readable: others want to be served too
constexpr int queue_bytes = 1024 * 1024; // a firewall that loads its rules, or a host that starts its containers

void add(Changes& into, const Changes& more)
{
    into.policy_rules |= more.policy_rules;
    into.routes |= more.routes;
    into.interfaces |= more.interfaces;
    into.addresses |= more.addresses;
    into.tables |= more.tables;
}

Result<Descriptor> listening(int protocol, std::initializer_list<int> groups)
{
    Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    if (!socket.is_open()) return system_error("opening netlink");
    // The first needs CAP_NET_ADMIN in the host's own user namespace; the second does as well as it may.
    if (::setsockopt(socket.number(), SOL_SOCKET, SO_RCVBUFFORCE, &queue_bytes, sizeof queue_bytes) != 0)
        ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVBUF, &queue_bytes, sizeof queue_bytes);
    sockaddr_nl name{};
    name.nl_family = AF_NETLINK;
    if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
        return system_error("binding netlink");
    for (const int group : groups)
        if (::setsockopt(socket.number(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
            return system_error("listening to netlink");
    return socket;
}

/// Routes of other tables than ours are left out in the kernel: a router that speaks BGP changes them all day. Tables
/// from 256 on all show as RT_TABLE_COMPAT here.
bool leave_out_other_routes(int socket, std::uint32_t table)
{
    const auto at_type = static_cast<std::uint32_t>(offsetof(nlmsghdr, nlmsg_type));
    const auto at_table = static_cast<std::uint32_t>(NLMSG_HDRLEN + offsetof(rtmsg, rtm_table));
    const std::uint32_t shown = table < 256 ? table : static_cast<std::uint32_t>(RT_TABLE_COMPAT);
    // The filter reads big-endian, the kernel wrote in the machine's order.
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at_type),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at_table),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, shown, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

using Judge = Changes (*)(const Settings&, const nlmsghdr*);

/// Errors: `system`, but for lost messages, which may have said anything.
Result<Changes> read_from(const Descriptor& socket, const Settings& settings, Judge judge)
{
    Changes changes;
    alignas(nlmsghdr) std::array<char, notice_bytes> buffer;
    for (int turn = 0; turn < reads_at_once; ++turn) {
        const auto size = ::recv(socket.number(), buffer.data(), buffer.size(), MSG_TRUNC);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) return changes;
        if (size < 0 && errno != ENOBUFS) return system_error("reading changes from netlink");
        if (size < 0 || static_cast<std::size_t>(size) > buffer.size()) {
            changes = all_changes;
            continue;
        }
        int left = static_cast<int>(size);
        for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(message, left);
             message = mnl_nlmsg_next(message, &left))
            add(changes, judge(settings, message));
    }
    return changes;
}

} // namespace

Changes change_of_route(const Settings& settings, const nlmsghdr* message)
{
    Changes changes;
    switch (message->nlmsg_type) {
    case RTM_NEWRULE:
    case RTM_DELRULE: changes.policy_rules = true; break;
    case RTM_NEWLINK:
    case RTM_DELLINK: changes.interfaces = true; break;
    case RTM_NEWADDR:
    case RTM_DELADDR: changes.addresses = true; break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) break;
        changes.routes =
            number_in(attributes_of<RTA_TABLE + 1>(message, sizeof(rtmsg))[RTA_TABLE]) == settings.route_table;
        break;
    default: break;
    }
    return changes;
}

/// Every message but that of a new generation names its table in attribute 1.
Changes change_of_table(const Settings& settings, const nlmsghdr* message)
{
    static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1 &&
                  NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1 && NFTA_FLOWTABLE_TABLE == 1);
    Changes changes;
    const bool ours = message->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES;
    if (!ours || (message->nlmsg_type & 0xff) == NFT_MSG_NEWGEN) return changes;
    if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg)) return changes;
    const auto* family = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(message));
    const auto* name = attributes_of<2>(message, sizeof(nfgenmsg))[1];
    if (family->nfgen_family != NFPROTO_INET || name == nullptr || mnl_attr_validate(name, MNL_TYPE_NUL_STRING) < 0)
        return changes;
    const std::string_view table = mnl_attr_get_str(name);
    changes.tables = table == settings.table || table == guard_table(settings);
    return changes;
}

Result<Watch> Watch::open(const Settings& settings)
{
    auto routes =
        listening(NETLINK_ROUTE, {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                  RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR});
    if (!routes) return routes.error();
    if (!leave_out_other_routes(routes->number(), settings.route_table))
        return system_error("a filter for changes of routes");
    auto tables = listening(NETLINK_NETFILTER, {NFNLGRP_NFTABLES});
    // A kernel that has only iptables need not have it; what it would tell of is not there.
    const bool is_told = tables.has_value() || tables.error().cause.value() != EPROTONOSUPPORT;
    if (!tables && is_told) return tables.error();
    Descriptor either(::epoll_create1(EPOLL_CLOEXEC));
    if (!either.is_open()) return system_error("epoll");
    for (const int each : {routes->number(), tables ? tables->number() : -1}) {
        if (each < 0) continue;
        epoll_event event{};
        event.events = EPOLLIN;
        if (::epoll_ctl(either.number(), EPOLL_CTL_ADD, each, &event) != 0) return system_error("epoll");
    }
    return Watch(settings, std::move(*routes), tables ? std::move(*tables) : Descriptor(), std::move(either));
}

Result<Changes> Watch::read()
{
    auto changes = read_from(routes_, settings_, change_of_route);
    if (!changes || !tables_.is_open()) return changes;
    const auto of_tables = read_from(tables_, settings_, change_of_table);
    if (!of_tables) return of_tables;
    add(*changes, *of_tables);
    return changes;
}

} // namespace gw::netfilter
