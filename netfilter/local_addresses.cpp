#include "netfilter/local_addresses.h"

#include "gateway/base/descriptor.h"
#include "netfilter/rtnetlink.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <mutex>
#include <net/if.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

// What is "own" is read from the kernel's table of local routes (255) rather than from the addresses alone: it has
// every address and broadcast address, 127.0.0.0/8, subnet anycast addresses, and whole networks somebody has made
// local
// (`ip route add local 192.0.2.0/24 dev lo`). The local route of our own policy table stands in another table.

namespace gw::netfilter {
namespace {

std::optional<Address> address_in(const nlattr* attribute, bool v6)
{
    if (mnl_attr_get_payload_len(attribute) != (v6 ? 16U : 4U)) return std::nullopt;
    const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
    if (!v6) return Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
    std::array<std::uint8_t, 16> sixteen;
    std::copy_n(bytes, sixteen.size(), sixteen.begin());
    return Address::v6(sixteen);
}

int note_local_route(const nlmsghdr* message, void* data)
{
    auto& found = *static_cast<std::vector<Network>*>(data);
    const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
    if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_table != RT_TABLE_LOCAL) return MNL_CB_OK;
    if (route->rtm_family != AF_INET && route->rtm_family != AF_INET6) return MNL_CB_OK;
    if (route->rtm_type != RTN_LOCAL && route->rtm_type != RTN_BROADCAST && route->rtm_type != RTN_ANYCAST)
        return MNL_CB_OK;
    const bool v6 = route->rtm_family == AF_INET6;
    const auto* destination = attributes_of<RTA_DST + 1>(message, sizeof(rtmsg))[RTA_DST];
    Network network{v6 ? Address::v6({}) : Address{}, route->rtm_dst_len};
    if (destination != nullptr)
        if (const auto address = address_in(destination, v6)) network.address = *address;
    found.push_back(network);
    return MNL_CB_OK;
}

Result<std::vector<Network>> read_local_routes()
{
    auto kernel = Rtnetlink::open();
    if (!kernel) return kernel.error();
    std::vector<Network> found;
    for (const bool v6 : {false, true}) {
        Request request;
        nlmsghdr* message = mnl_nlmsg_put_header(request.bytes.data());
        message->nlmsg_type = RTM_GETROUTE;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
        route->rtm_family = v6 ? AF_INET6 : AF_INET;
        route->rtm_table = RT_TABLE_LOCAL;
        const int failed = kernel->exchange(message, note_local_route, &found);
        if (failed == 0 || failed == ENOENT) continue; // ENOENT: the table is made with its first route
        errno = failed;
        return system_error("reading the table of local routes");
    }
    return found;
}

/// Wakes for addresses and for routes of the local table only: a router that speaks BGP changes others all day.
bool listen_for_changes(int socket)
{
    const auto at_type = static_cast<std::uint32_t>(offsetof(nlmsghdr, nlmsg_type));
    const auto at_table = static_cast<std::uint32_t>(NLMSG_HDRLEN + offsetof(rtmsg, rtm_table));
    // The filter reads big-endian, the kernel wrote in the machine's order.
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at_type),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at_table),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_LOCAL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) return false;
    sockaddr_nl name{};
    name.nl_family = AF_NETLINK;
    name.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    return ::bind(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

/// True for addresses no host on the other side of a network has.
bool is_never_elsewhere(const Address& address)
{
    if (address.is_loopback() || address.is_multicast() || address.is_unspecified()) return true;
    if (address.is_v6()) return false;
    static constexpr std::array<std::uint8_t, 4> broadcast{255, 255, 255, 255};
    return address.data()[0] == 0 || std::equal(broadcast.begin(), broadcast.end(), address.data());
}

/// The IPv4 address written inside an IPv6 one, where there is a rule for that: v4-mapped (RFC 4291, 2.5.5.2),
/// v4-compatible (2.5.5.1), 6to4 (RFC 3056), the well-known NAT64 prefix (RFC 6052), and v4-translated (RFC 2765).
std::optional<Address> address_inside(const Address& address)
{
    const std::uint8_t* bytes = address.data();
    const auto starts = [bytes](std::initializer_list<std::uint8_t> lead) {
        return std::equal(lead.begin(), lead.end(), bytes);
    };
    const auto v4_at = [bytes](std::size_t at) {
        return Address::v4({bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]});
    };
    if (starts({0x20, 0x02})) return v4_at(2);
    if (starts({0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return v4_at(12);
    if (starts({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return v4_at(12);
    if (starts({0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0})) return v4_at(12);
    if (starts({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) return v4_at(12);
    return std::nullopt;
}

/// A port of a bridge, bond or team hands its packets up; the rules see the interface above it.
bool is_port(const nlattr* link_info)
{
    const auto* kind = attributes_in<IFLA_INFO_SLAVE_KIND + 1>(link_info)[IFLA_INFO_SLAVE_KIND];
    if (kind == nullptr) return false;
    const std::string_view name = mnl_attr_get_str(kind);
    return name == "bridge" || name == "bond" || name == "team";
}

int note_link(const nlmsghdr* message, void* data)
{
    if (message->nlmsg_type != RTM_NEWLINK) return MNL_CB_OK;
    const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    const auto attributes = attributes_of<IFLA_LINKINFO + 1>(message, sizeof(ifinfomsg));
    if ((link->ifi_flags & IFF_LOOPBACK) != 0 || attributes[IFLA_IFNAME] == nullptr) return MNL_CB_OK;
    if (!is_port(attributes[IFLA_LINKINFO]))
        static_cast<std::vector<std::string>*>(data)->emplace_back(mnl_attr_get_str(attributes[IFLA_IFNAME]));
    return MNL_CB_OK;
}

} // namespace

Result<std::unique_ptr<LocalAddresses>> LocalAddresses::open()
{
    Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    if (!socket.is_open()) return system_error("opening rtnetlink");
    if (!listen_for_changes(socket.number())) return system_error("listening for changes of addresses");
    std::unique_ptr<LocalAddresses> opened(new LocalAddresses);
    opened->changes_ = socket.release();
    if (auto filled = opened->refresh(); !filled) return filled.error();
    return opened;
}

LocalAddresses::~LocalAddresses()
{
    if (changes_ >= 0) ::close(changes_);
}

bool LocalAddresses::contains(const Address& address) const
{
    if (is_never_elsewhere(address)) return true;
    if (address.is_v6())
        if (const auto inside = address_inside(address); inside && contains(*inside)) return true;
    const std::shared_lock reading(mutex_);
    return own_.contains(address) || std::any_of(own_networks_.begin(), own_networks_.end(),
                                                 [&](const Network& own) { return own.contains(address); });
}

bool LocalAddresses::contains_now(const Address& address) const
{
    pollfd changed{changes_, POLLIN, 0};
    // Somebody else who took the message first is reading the table now: `refresh` waits for that.
    if (::poll(&changed, 1, 0) != 0) {
        const auto refreshed = refresh();
        if (!refreshed) return true; // not knowing is no reason to go on
    } else {
        const std::lock_guard finished(refreshing_);
    }
    return contains(address);
}

Result<> LocalAddresses::refresh() const
{
    const std::lock_guard one_at_a_time(refreshing_);
    std::array<char, 16 * 1024> ignored;
    // What changed is not looked at, and neither is ENOBUFS (messages were lost): the whole table is read again.
    while (::recv(changes_, ignored.data(), ignored.size(), 0) >= 0 || errno == ENOBUFS || errno == EINTR) {
    }
    const auto routes = read_local_routes();
    if (!routes) return routes.error();
    std::unordered_set<Address> own;
    std::vector<Network> networks;
    for (const Network& network : *routes) {
        if (network.prefix == network.address.size() * 8)
            own.insert(network.address);
        else
            networks.push_back(network);
    }
    const std::unique_lock writing(mutex_);
    own_.swap(own);
    own_networks_.swap(networks);
    return {};
}

Result<std::vector<std::string>> present_interfaces()
{
    auto kernel = Rtnetlink::open();
    if (!kernel) return kernel.error();
    Request request;
    nlmsghdr* message = mnl_nlmsg_put_header(request.bytes.data());
    message->nlmsg_type = RTM_GETLINK;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
    std::vector<std::string> names;
    if (const int failed = kernel->exchange(message, note_link, &names); failed != 0) {
        errno = failed;
        return system_error("reading the interfaces");
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace gw::netfilter
