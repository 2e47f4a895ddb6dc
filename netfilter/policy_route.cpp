#include "netfilter/policy_route.h"

#include <arpa/inet.h>
#include <cerrno>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

namespace gw::netfilter {
namespace {

std::uint8_t family_of(bool v6) { return v6 ? AF_INET6 : AF_INET; }

Result<> result_of(int failed, const std::string& what)
{
    if (failed == 0) return {};
    const auto fault = failed == EPERM || failed == EACCES ? Fault::denied : Fault::system;
    return Error{fault, Side::gateway, what, {failed, boost::system::system_category()}};
}

std::string name_of_rule(const PolicyRule& rule)
{
    return std::string("policy rule for ") + (rule.v6 ? "IPv6" : "IPv4") + " from " + rule.interface;
}

std::string name_of_route(const Settings& settings, bool v6)
{
    return std::string("local route for ") + (v6 ? "IPv6" : "IPv4") + " in table " +
           std::to_string(settings.route_table);
}

nlmsghdr* rule_message(char* buffer, std::uint16_t type, const Settings& settings, const FoundRule& found)
{
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    auto* rule = static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(message, sizeof(fib_rule_hdr)));
    rule->family = family_of(found.rule.v6);
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(message, FRA_TABLE, settings.route_table);
    mnl_attr_put_u32(message, FRA_PRIORITY, settings.rule_priority);
    mnl_attr_put_u8(message, FRA_PROTOCOL, settings.route_protocol);
    mnl_attr_put_u32(message, FRA_FWMARK, found.mark);
    mnl_attr_put_u32(message, FRA_FWMASK, found.mask);
    mnl_attr_put_strz(message, FRA_IIFNAME, found.rule.interface.c_str());
    return message;
}

nlmsghdr* route_message(char* buffer, std::uint16_t type, const Settings& settings, bool v6)
{
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
    route->rtm_family = family_of(v6);
    route->rtm_table = RT_TABLE_UNSPEC;
    route->rtm_protocol = settings.route_protocol;
    route->rtm_scope = RT_SCOPE_HOST;
    route->rtm_type = RTN_LOCAL;
    mnl_attr_put_u32(message, RTA_TABLE, settings.route_table);
    mnl_attr_put_u32(message, RTA_OIF, if_nametoindex("lo"));
    return message;
}

struct RuleSearch {
    const Settings& settings;
    bool v6;
    std::vector<FoundRule> found;
};

int note_rule(const nlmsghdr* message, void* data)
{
    auto& search = *static_cast<RuleSearch*>(data);
    const auto* rule = static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(message));
    if (message->nlmsg_type != RTM_NEWRULE || rule->family != family_of(search.v6)) return MNL_CB_OK;
    const auto attributes = attributes_of<FRA_MAX + 1>(message, sizeof(fib_rule_hdr));
    const bool ours = number_in(attributes[FRA_TABLE]) == search.settings.route_table &&
                      number_in(attributes[FRA_PRIORITY]) == search.settings.rule_priority &&
                      attributes[FRA_PROTOCOL] != nullptr &&
                      mnl_attr_get_u8(attributes[FRA_PROTOCOL]) == search.settings.route_protocol &&
                      attributes[FRA_FWMARK] != nullptr && attributes[FRA_IIFNAME] != nullptr;
    if (ours)
        search.found.push_back({{mnl_attr_get_str(attributes[FRA_IIFNAME]), search.v6},
                                number_in(attributes[FRA_FWMARK]),
                                number_in(attributes[FRA_FWMASK])});
    return MNL_CB_OK;
}

struct RouteSearch {
    const Settings& settings;
    bool v6;
    bool found = false;
};

int note_route(const nlmsghdr* message, void* data)
{
    auto& search = *static_cast<RouteSearch*>(data);
    const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
    if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_family != family_of(search.v6)) return MNL_CB_OK;
    const auto attributes = attributes_of<RTA_MAX + 1>(message, sizeof(rtmsg));
    search.found = search.found || (route->rtm_type == RTN_LOCAL && route->rtm_dst_len == 0 &&
                                    number_in(attributes[RTA_TABLE]) == search.settings.route_table &&
                                    number_in(attributes[RTA_OIF]) == if_nametoindex("lo"));
    return MNL_CB_OK;
}

} // namespace

Result<PolicyRoutes> PolicyRoutes::open()
{
    auto kernel = Rtnetlink::open();
    if (!kernel) return kernel.error();
    return PolicyRoutes(std::move(*kernel));
}

Result<bool> PolicyRoutes::add_rule(const Settings& settings, const PolicyRule& rule)
{
    Request request;
    auto* message =
        rule_message(request.bytes.data(), RTM_NEWRULE, settings, {rule, settings.captured_mark, settings.mark_mask});
    message->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
    const int failed = kernel_.exchange(message);
    if (failed == EEXIST) return false;
    if (auto added = result_of(failed, "adding the " + name_of_rule(rule)); !added) return added.error();
    return true;
}

Result<bool> PolicyRoutes::add_route(const Settings& settings, bool v6)
{
    Request request;
    auto* message = route_message(request.bytes.data(), RTM_NEWROUTE, settings, v6);
    message->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
    const int failed = kernel_.exchange(message);
    if (failed == EEXIST) return false;
    std::string what = "adding the " + name_of_route(settings, v6);
    if (failed == ENETDOWN) what += " (is the interface lo up?)";
    if (auto added = result_of(failed, what); !added) return added.error();
    return true;
}

Result<> PolicyRoutes::delete_rule(const Settings& settings, const FoundRule& rule)
{
    Request request;
    const int failed = kernel_.exchange(rule_message(request.bytes.data(), RTM_DELRULE, settings, rule));
    return result_of(failed == ENOENT ? 0 : failed, "deleting the " + name_of_rule(rule.rule));
}

Result<> PolicyRoutes::delete_route(const Settings& settings, bool v6)
{
    Request request;
    const int failed = kernel_.exchange(route_message(request.bytes.data(), RTM_DELROUTE, settings, v6));
    const bool absent = failed == ESRCH || failed == ENOENT || failed == EAFNOSUPPORT || failed == EOPNOTSUPP;
    return result_of(absent ? 0 : failed, "deleting the " + name_of_route(settings, v6));
}

Result<std::vector<FoundRule>> PolicyRoutes::rules(const Settings& settings)
{
    std::vector<FoundRule> all;
    for (const bool v6 : {false, true}) {
        Request request;
        nlmsghdr* message = mnl_nlmsg_put_header(request.bytes.data());
        message->nlmsg_type = RTM_GETRULE;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        auto* rule = static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(message, sizeof(fib_rule_hdr)));
        rule->family = family_of(v6);
        RuleSearch search{settings, v6, {}};
        const int failed = kernel_.exchange(message, note_rule, &search);
        if (auto read = result_of(failed, "reading the policy rules"); !read) return read.error();
        all.insert(all.end(), search.found.begin(), search.found.end());
    }
    return all;
}

Result<bool> PolicyRoutes::has_route(const Settings& settings, bool v6)
{
    Request request;
    nlmsghdr* message = mnl_nlmsg_put_header(request.bytes.data());
    message->nlmsg_type = RTM_GETROUTE;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
    route->rtm_family = family_of(v6);
    mnl_attr_put_u32(message, RTA_TABLE, settings.route_table);
    RouteSearch search{settings, v6};
    const int failed = kernel_.exchange(message, note_route, &search);
    // ENOENT: no such table, so no such route.
    if (auto read = result_of(failed == ENOENT ? 0 : failed, "reading the routes"); !read) return read.error();
    return search.found;
}

} // namespace gw::netfilter
