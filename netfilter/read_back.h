#pragma once

#include "netfilter/rules.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gw::netfilter {

/// What a table of ours must show when it is read back.
struct Expected {
    std::string table;            ///< name, family inet
    std::string hook;             ///< of the base chain packets come in by: "prerouting"
    std::set<std::string> chains; ///< these and no others
    std::set<std::string> sets;   ///< named ones; there may be more
    std::vector<Rule> rules;      ///< these and no others
};

/// What of it the text of `nft --stateless list table` does not show, or shows that is not expected, as one line for a
/// person; empty: they agree. Pure.
std::string difference(const Expected& expected, std::string_view listing);

/// Of our own table, with the plan's rules and the chain `captures`.
Expected expected_of(const Plan& plan, std::string_view captures);

} // namespace gw::netfilter
