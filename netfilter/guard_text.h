#pragma once

#include "netfilter/plan.h"
#include "netfilter/read_back.h"

#include <string>
#include <string_view>

// The second table, `inet gateway_guard`. It belongs to nobody, so it stays whatever becomes of gatewayd, and refuses
// to forward what a listener with `when_down: reject` or `drop` would have captured and nobody did. All pure.

namespace gw::netfilter {

/// One of these chains holds the refusals in force; the other exists only while they are exchanged.
inline constexpr std::string_view refusals_a = "refusals_a";
inline constexpr std::string_view refusals_b = "refusals_b";
inline constexpr std::string_view forward_chain = "forward";
inline constexpr std::string_view early_chain = "early";
inline constexpr std::string_view reassembly_chain = "reassembly";

/// Whether any listener is to be closed when the gateway is down: without one there is no guard.
bool needs_guard(const Plan& plan);

/// Whether the capture is of this family, and of rules at all.
bool is_guarded(const Capture& capture, bool v6);
/// Whether it is refused when the gateway is down.
bool is_closed(const Capture& capture);
/// Whether packets meet the refusals right behind the captures, too, where their destination is still the client's.
bool sees_early(const Plan& plan);

std::string guard_table(const Settings& settings);

/// All rules of the guard, in order, the refusals in the chain `refusals`.
std::vector<Rule> guard_rules(const Plan& plan, std::string_view refusals);

/// One transaction that makes the whole guard where there was none.
std::string guard_text(const Plan& plan);
/// In place of one that is in force, as in nft_text.h: a chain no packet reaches yet, the exchange, and the end of the
/// chain that was.
std::string prepare_guard_text(const Plan& plan, std::string_view refusals);
std::string switch_guard_text(const Plan& plan, std::string_view refusals);
std::string drop_guard_text(const Settings& settings, std::string_view refusals);

/// What the guard must show when it is read back.
Expected expected_guard(const Plan& plan, std::string_view refusals);
/// The chain of the refusals in force, of a listing of the guard; `refusals_a` when it shows neither.
std::string_view refusals_in(std::string_view listing);

} // namespace gw::netfilter
