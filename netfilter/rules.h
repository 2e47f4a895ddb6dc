#pragma once

#include "gateway/base/result.h"
#include "netfilter/plan.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace gw::netfilter {

/// One rule of our table: what is written, and what reading it back must show.
struct Rule {
    std::string chain;
    std::string text;                  ///< without the comment
    std::string comment;               ///< unique in the table, safe inside quotes
    std::vector<std::string> elements; ///< every interface, network, port and captures chain in it, as nft prints them
};

inline constexpr std::string_view prerouting_chain = "prerouting";
inline constexpr std::string_view divert_chain = "divert";
/// What the installer's beats refresh (heartbeat.h), and the set that holds its one element while they come.
inline constexpr std::string_view heartbeat_chain = "heartbeat";
inline constexpr std::string_view alive_set = "alive";
/// So long after a beat new connections are captured: eight times the keeper's interval.
inline constexpr std::chrono::milliseconds heartbeat_lifetime{2'000};
/// One of these holds the capture rules in force; the other exists only while rules are exchanged.
inline constexpr std::string_view captures_a = "captures_a";
inline constexpr std::string_view captures_b = "captures_b";

/// All rules of the plan, in order, the capture rules in the chain `captures`. Pure.
std::vector<Rule> rules_of(const Plan& plan, std::string_view captures);

/// Ends `chain` for every packet unless the heartbeat is fresh. Stands before whatever takes new connections, in each
/// chain that does so: what comes after it is held open by the beats alone.
void add_gate(std::vector<Rule>& rules, const Plan& plan, std::string_view chain);

/// The match of a capture, no verdict: protocol, ports, destinations, exceptions. `interfaces` empty: any.
Rule match_of(const Capture& capture, const std::vector<std::string>& interfaces, bool v6);

/// A listener's name as it may stand in a comment.
std::string name_in_comment(std::string_view name);

/// Whether the kernel and nft both take it for the name of one interface. Others are refused before anything is
/// installed.
bool is_interface_name(std::string_view name);

/// Whether rules take over anything of this family: there is a port to go to, and there are destinations.
bool captures_family(const Capture& capture, bool v6);
/// Whether packets of this family are led to this host by a policy rule: what tproxy takes over, and what upstreams
/// answer to connections made as a client.
bool needs_route(const Capture& capture, bool v6);

/// Errors: `refused` when the plan asks for what no rules can do; `what` names it.
Result<> check(const Plan& plan);

/// Where the packets of a capture arrive.
const std::vector<std::string>& interfaces_of(const Plan& plan, const Capture& capture);
/// " { a, b } " after `before`, noted as elements of the rule; nothing when there are none.
void match(Rule& rule, std::string_view before, const std::vector<std::string>& elements);
std::vector<std::string> quoted(const std::vector<std::string>& interfaces);
/// The interfaces of the policy rules, each once.
std::vector<std::string> policy_interfaces(const Plan& plan);
/// As nft prints a mark.
std::string hex(std::uint32_t number);

/// What of `plan` with the chain `captures` the text of `nft --stateless list table` does not show, or shows that is
/// not in the plan, as one line for a person; empty: they agree. Pure.
std::string difference(const Plan& plan, std::string_view captures, std::string_view listing);

} // namespace gw::netfilter
