#include "netfilter/host_tables.h"

#include <algorithm>
#include <cerrno>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <map>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace gw::netfilter {
namespace {

std::uint8_t family_of(bool v6) { return v6 ? AF_INET6 : AF_INET; }

std::optional<Address> address_in(const nlattr* attribute)
{
    if (attribute == nullptr) return std::nullopt;
    const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
    if (mnl_attr_get_payload_len(attribute) == 4) return Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
    if (mnl_attr_get_payload_len(attribute) != 16) return std::nullopt;
    std::array<std::uint8_t, 16> sixteen;
    std::copy_n(bytes, sixteen.size(), sixteen.begin());
    return Address::v6(sixteen);
}

std::string text_in(const nlattr* attribute) { return attribute == nullptr ? "" : mnl_attr_get_str(attribute); }

std::string interface_name(std::uint32_t index)
{
    char name[IF_NAMESIZE]{};
    return if_indextoname(index, name) == nullptr ? "" : name;
}

using Interfaces = std::map<int, HostInterface>;

int note_link(const nlmsghdr* message, void* data)
{
    if (message->nlmsg_type != RTM_NEWLINK) return MNL_CB_OK;
    const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    const auto attributes = attributes_of<IFLA_LINKINFO + 1>(message, sizeof(ifinfomsg));
    const auto info = attributes_in<IFLA_INFO_SLAVE_KIND + 1>(attributes[IFLA_LINKINFO]);
    auto& found = (*static_cast<Interfaces*>(data))[link->ifi_index];
    found.name = text_in(attributes[IFLA_IFNAME]);
    found.up = (link->ifi_flags & IFF_UP) != 0;
    found.loopback = (link->ifi_flags & IFF_LOOPBACK) != 0;
    found.kind = text_in(info[IFLA_INFO_KIND]);
    found.port_kind = text_in(info[IFLA_INFO_SLAVE_KIND]);
    return MNL_CB_OK;
}

int note_address(const nlmsghdr* message, void* data)
{
    if (message->nlmsg_type != RTM_NEWADDR) return MNL_CB_OK;
    const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    const auto attributes = attributes_of<IFA_LOCAL + 1>(message, sizeof(ifaddrmsg));
    auto& all = *static_cast<Interfaces*>(data);
    const auto owner = all.find(static_cast<int>(header->ifa_index));
    const auto* chosen = attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    if (const auto address = address_in(chosen); address && owner != all.end())
        owner->second.addresses.push_back({*address, header->ifa_prefixlen});
    return MNL_CB_OK;
}

int note_rule(const nlmsghdr* message, void* data)
{
    if (message->nlmsg_type != RTM_NEWRULE) return MNL_CB_OK;
    const auto* header = static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(message));
    const auto attributes = attributes_of<FRA_MAX + 1>(message, sizeof(fib_rule_hdr));
    HostRule rule;
    rule.v6 = header->family == AF_INET6;
    rule.priority = number_in(attributes[FRA_PRIORITY]);
    if (header->action == FR_ACT_TO_TBL)
        rule.table = attributes[FRA_TABLE] != nullptr ? number_in(attributes[FRA_TABLE]) : header->table;
    if (attributes[FRA_FWMARK] != nullptr || attributes[FRA_FWMASK] != nullptr) {
        rule.mark = number_in(attributes[FRA_FWMARK]);
        rule.mask = attributes[FRA_FWMASK] != nullptr ? number_in(attributes[FRA_FWMASK]) : 0xffffffff;
        if (rule.mask == 0 && *rule.mark == 0) rule.mark.reset();
    }
    rule.iif = text_in(attributes[FRA_IIFNAME]);
    rule.oif = text_in(attributes[FRA_OIFNAME]);
    rule.inverted = (header->flags & FIB_RULE_INVERT) != 0;
    rule.narrowed = header->src_len != 0 || header->dst_len != 0 || header->tos != 0;
    // The kernel always sends the suppressor and the protocol; the others only where they narrow.
    for (const int narrowing : {FRA_UID_RANGE, FRA_SPORT_RANGE, FRA_DPORT_RANGE, FRA_IP_PROTO, FRA_TUN_ID, FRA_L3MDEV})
        rule.narrowed = rule.narrowed || attributes[static_cast<std::size_t>(narrowing)] != nullptr;
    // A suppressor passes over routes that are not specific enough.
    const auto* suppressor = attributes[FRA_SUPPRESS_PREFIXLEN];
    rule.narrowed = rule.narrowed || (suppressor != nullptr && mnl_attr_get_u32(suppressor) != 0xffffffff);
    if (attributes[FRA_PROTOCOL] != nullptr) rule.protocol = mnl_attr_get_u8(attributes[FRA_PROTOCOL]);
    static_cast<std::vector<HostRule>*>(data)->push_back(std::move(rule));
    return MNL_CB_OK;
}

struct RouteCount {
    std::uint32_t table;
    std::size_t foreign = 0;
};

int note_route(const nlmsghdr* message, void* data)
{
    if (message->nlmsg_type != RTM_NEWROUTE) return MNL_CB_OK;
    auto& count = *static_cast<RouteCount*>(data);
    const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
    const auto attributes = attributes_of<RTA_MAX + 1>(message, sizeof(rtmsg));
    if (number_in(attributes[RTA_TABLE]) != count.table) return MNL_CB_OK;
    if (route->rtm_type != RTN_LOCAL || route->rtm_dst_len != 0) ++count.foreign;
    return MNL_CB_OK;
}

int note_reply(const nlmsghdr* message, void* data)
{
    if (message->nlmsg_type != RTM_NEWROUTE) return MNL_CB_OK;
    auto& reply = *static_cast<RouteReply*>(data);
    const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
    const auto attributes = attributes_of<RTA_MAX + 1>(message, sizeof(rtmsg));
    reply.error = 0;
    switch (route->rtm_type) {
    case RTN_UNICAST: reply.kind = RouteReply::Kind::forwarded; break;
    case RTN_LOCAL:
    case RTN_ANYCAST: reply.kind = RouteReply::Kind::delivered; break;
    case RTN_BROADCAST:
    case RTN_MULTICAST: reply.kind = RouteReply::Kind::broadcast; break;
    default: reply.error = EHOSTUNREACH;
    }
    reply.interface = interface_name(number_in(attributes[RTA_OIF]));
    reply.gateway = address_in(attributes[RTA_GATEWAY]);
    reply.table = attributes[RTA_TABLE] != nullptr ? number_in(attributes[RTA_TABLE]) : route->rtm_table;
    return MNL_CB_OK;
}

nlmsghdr* dump_request(char* buffer, std::uint16_t type)
{
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    return message;
}

Result<> result_of(int failed, const char* what)
{
    if (failed == 0) return {};
    errno = failed;
    return system_error(what);
}

void put_address(nlmsghdr* message, std::uint16_t type, const Address& address)
{
    mnl_attr_put(message, type, address.size(), address.data());
}

} // namespace

Network HostAddress::network() const
{
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(address.data(), address.size(), bytes.begin());
    for (std::size_t bit = prefix; bit < address.size() * 8; ++bit)
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80U >> (bit % 8)));
    const auto masked = address.is_v6() ? Address::v6(bytes) : Address::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
    return {masked, prefix};
}

Result<HostTables> HostTables::open()
{
    auto kernel = Rtnetlink::open();
    if (!kernel) return kernel.error();
    return HostTables(std::move(*kernel));
}

Result<std::vector<HostInterface>> HostTables::interfaces()
{
    Interfaces found;
    Request links;
    auto* message = dump_request(links.bytes.data(), RTM_GETLINK);
    mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
    if (auto read = result_of(kernel_.exchange(message, note_link, &found), "reading the interfaces"); !read)
        return read.error();
    Request addresses;
    message = dump_request(addresses.bytes.data(), RTM_GETADDR);
    mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg));
    if (auto read = result_of(kernel_.exchange(message, note_address, &found), "reading the addresses"); !read)
        return read.error();
    std::vector<HostInterface> all;
    for (auto& [index, one] : found) all.push_back(std::move(one));
    return all;
}

Result<std::vector<HostRule>> HostTables::rules()
{
    std::vector<HostRule> all;
    for (const bool v6 : {false, true}) {
        Request request;
        auto* message = dump_request(request.bytes.data(), RTM_GETRULE);
        auto* header = static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(message, sizeof(fib_rule_hdr)));
        header->family = family_of(v6);
        const int failed = kernel_.exchange(message, note_rule, &all);
        if (v6 && (failed == EAFNOSUPPORT || failed == EOPNOTSUPP)) continue;
        if (auto read = result_of(failed, "reading the policy rules"); !read) return read.error();
    }
    return all;
}

Result<std::size_t> HostTables::foreign_routes(std::uint32_t table)
{
    RouteCount count{table};
    for (const bool v6 : {false, true}) {
        Request request;
        auto* message = dump_request(request.bytes.data(), RTM_GETROUTE);
        auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
        route->rtm_family = family_of(v6);
        mnl_attr_put_u32(message, RTA_TABLE, table);
        const int failed = kernel_.exchange(message, note_route, &count);
        if (failed == ENOENT || (v6 && (failed == EAFNOSUPPORT || failed == EOPNOTSUPP))) continue;
        if (auto read = result_of(failed, "reading the routes"); !read) return read.error();
    }
    return count.foreign;
}

RouteReply HostTables::route(const RouteQuestion& question)
{
    const auto bits = static_cast<std::uint8_t>(question.to.size() * 8);
    Request request;
    nlmsghdr* message = mnl_nlmsg_put_header(request.bytes.data());
    message->nlmsg_type = RTM_GETROUTE;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
    route->rtm_family = family_of(question.to.is_v6());
    route->rtm_dst_len = bits;
    if (question.to.is_v4()) route->rtm_flags = RTM_F_LOOKUP_TABLE; // IPv6 tells the table anyhow, and refuses this
    put_address(message, RTA_DST, question.to);
    if (question.from) {
        route->rtm_src_len = bits;
        put_address(message, RTA_SRC, *question.from);
    }
    RouteReply reply;
    if (!question.iif.empty()) {
        const auto index = if_nametoindex(question.iif.c_str());
        if (index == 0) return reply.error = ENODEV, reply;
        mnl_attr_put_u32(message, RTA_IIF, index);
    }
    if (question.mark != 0) mnl_attr_put_u32(message, RTA_MARK, question.mark);
    const int failed = kernel_.exchange(message, note_reply, &reply);
    if (failed != 0) reply = RouteReply{RouteReply::Kind::refused, failed, {}, {}, 0};
    return reply;
}

} // namespace gw::netfilter
