#pragma once

#include "gateway/base/endpoint.h"
#include "netfilter/settings.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Everybody's nft rules as a value, and what becomes of one packet in them.

namespace gw::doctor {

struct NftRule {
    std::uint64_t handle = 0;
    nlohmann::json expressions; ///< as `nft -j` gives them
    std::string text;           ///< as nft prints it; empty when only JSON was read
};

struct NftChain {
    std::string family; ///< ip, ip6, inet, ...
    std::string table;
    std::string name;
    std::string type; ///< filter, nat, route; empty: no base chain
    std::string hook;
    std::int64_t priority = 0;
    bool policy_drop = false;
    std::vector<NftRule> rules{};

    bool is_base() const { return !hook.empty(); }
    /// "inet filter input"
    std::string path() const { return family + ' ' + table + ' ' + name; }
};

struct Ruleset {
    std::vector<NftChain> chains{};
    const NftChain* find(std::string_view family, std::string_view table, std::string_view name) const;
};

/// The answer of `nft -j list ruleset`, or of `list table` or `list chain`. What is not a chain or a rule is passed
/// over. Errors: `malformed`.
Result<Ruleset> parse_ruleset(std::string_view json);

/// A table as `nft list ruleset` shows it: enough to ask for its parts.
struct NftTable {
    std::string family;
    std::string name;
    bool flagged = false; ///< owner, dormant, persist
    std::vector<std::string> chains{};
};
std::vector<NftTable> tables_in(std::string_view listing);

/// Adds each rule's own words from `nft -a list ruleset`; what does not fit is passed over.
void add_texts(Ruleset& ruleset, std::string_view listing);

/// A packet as far as it is known where the question is asked.
struct Packet {
    bool v6 = false;
    netfilter::Transport transport = netfilter::Transport::tcp;
    std::string iif; ///< empty: sent from here
    std::string oif; ///< empty: none yet
    std::optional<Address> source{};
    std::optional<Address> destination{};
    std::optional<std::uint16_t> port{}; ///< destination's
    std::optional<bool> to_host{};       ///< whether the destination is an address of this host
    std::optional<bool> translated{};    ///< whether NAT gave it this destination
    std::uint32_t mark = 0;
};

enum class Sure { no, maybe, yes };

/// One end a packet can come to in a base chain, other than going on.
struct Fate {
    enum class Kind { dropped, rejected, redirected, translated, masqueraded, queued, marked };
    Kind kind = Kind::dropped;
    Sure sure = Sure::maybe; ///< yes: every such packet; maybe: it depends on what is not known
    const NftChain* chain = nullptr;
    const NftRule* rule = nullptr;          ///< null: the chain's policy
    std::optional<std::uint32_t> touches{}; ///< marked: the bits it may change; none: not to be told
    std::optional<std::uint32_t> becomes{}; ///< marked: their value where it is a constant
    const NftChain* base = nullptr;         ///< the base chain it began in
};

/// A chain of the table `own` (family inet), or of one whose name begins with that and an underscore.
bool is_own(const NftChain& chain, std::string_view own);

/// What may become of the first packet of a connection in all base chains of `hook` that are not `own` (`is_own`).
/// Pure; looks at no more than a bounded number of rules.
std::vector<Fate> fates_of(const Ruleset& ruleset, std::string_view hook, const Packet& packet, std::string_view own);

} // namespace gw::doctor
