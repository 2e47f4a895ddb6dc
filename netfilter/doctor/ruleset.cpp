#include "netfilter/doctor/ruleset.h"

#include <algorithm>
#include <charconv>

namespace gw::doctor {
namespace {

using Json = nlohmann::json;

std::string text_at(const Json& object, const char* key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Priorities are numbers in what is installed; names ("filter") appear in none that is listed as JSON.
std::int64_t number_at(const Json& object, const char* key)
{
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

void add_chain(const Json& object, Ruleset& into)
{
    NftChain chain;
    chain.family = text_at(object, "family");
    chain.table = text_at(object, "table");
    chain.name = text_at(object, "name");
    chain.type = text_at(object, "type");
    chain.hook = text_at(object, "hook");
    chain.priority = number_at(object, "prio");
    chain.policy_drop = text_at(object, "policy") == "drop";
    into.chains.push_back(std::move(chain));
}

struct Handle {
    std::string_view line;
    std::uint64_t number;
};

/// "tcp dport 80 drop # handle 5" -> its words and 5.
std::optional<Handle> handle_in(std::string_view line)
{
    constexpr std::string_view mark = " # handle ";
    const auto at = line.rfind(mark);
    if (at == std::string_view::npos) return std::nullopt;
    Handle found{line.substr(0, at), 0};
    const auto digits = line.substr(at + mark.size());
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), found.number);
    if (read.ec != std::errc{}) return std::nullopt;
    while (!found.line.empty() && (found.line.front() == '\t' || found.line.front() == ' '))
        found.line.remove_prefix(1);
    return found;
}

std::vector<std::string> words_of(std::string_view line)
{
    std::vector<std::string> words;
    for (std::size_t at = 0; at < line.size();) {
        const auto end = std::min(line.find_first_of(" \t", at), line.size());
        if (end > at) words.emplace_back(line.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

} // namespace

const NftChain* Ruleset::find(std::string_view family, std::string_view table, std::string_view name) const
{
    const auto found = std::find_if(chains.begin(), chains.end(), [&](const NftChain& chain) {
        return chain.family == family && chain.table == table && chain.name == name;
    });
    return found == chains.end() ? nullptr : &*found;
}

Result<Ruleset> parse_ruleset(std::string_view json)
{
    const auto malformed = [] {
        return Error{Fault::malformed, Side::gateway, "nft printed a ruleset that is not understood", {}};
    };
    const auto read = Json::parse(json, nullptr, false);
    if (!read.is_object()) return malformed();
    const auto list = read.find("nftables");
    if (list == read.end() || !list->is_array()) return malformed();
    Ruleset ruleset;
    for (const auto& entry : *list)
        if (const auto chain = entry.find("chain"); chain != entry.end() && chain->is_object())
            add_chain(*chain, ruleset);
    for (const auto& entry : *list) {
        const auto rule = entry.find("rule");
        if (rule == entry.end() || !rule->is_object()) continue;
        auto* chain = const_cast<NftChain*>(
            ruleset.find(text_at(*rule, "family"), text_at(*rule, "table"), text_at(*rule, "chain")));
        const auto expressions = rule->find("expr");
        if (chain == nullptr || expressions == rule->end() || !expressions->is_array()) continue;
        chain->rules.push_back({static_cast<std::uint64_t>(number_at(*rule, "handle")), *expressions, {}});
    }
    return ruleset;
}

std::vector<NftTable> tables_in(std::string_view listing)
{
    std::vector<NftTable> tables;
    for (std::size_t at = 0; at < listing.size();) {
        const auto end = std::min(listing.find('\n', at), listing.size());
        const auto line = listing.substr(at, end - at);
        const auto words = words_of(line);
        at = end + 1;
        if (words.size() >= 3 && words[0] == "table") tables.push_back({words[1], words[2]});
        if (tables.empty() || words.size() < 2) continue;
        // Sets have flags, too, one step further in.
        if (words[0] == "flags" && !line.starts_with("\t\t")) tables.back().flagged = true;
        if (words[0] == "chain") tables.back().chains.push_back(words[1]);
    }
    return tables;
}

void add_texts(Ruleset& ruleset, std::string_view listing)
{
    std::string family, table;
    NftChain* chain = nullptr;
    for (std::size_t at = 0; at < listing.size();) {
        const auto end = std::min(listing.find('\n', at), listing.size());
        const auto line = listing.substr(at, end - at);
        at = end + 1;
        const auto words = words_of(line);
        if (words.size() >= 3 && words[0] == "table") {
            family = words[1];
            table = words[2];
            chain = nullptr;
        } else if (words.size() >= 3 && words[0] == "chain") {
            chain = const_cast<NftChain*>(ruleset.find(family, table, words[1]));
        } else if (const auto handle = handle_in(line); handle && chain != nullptr) {
            for (auto& rule : chain->rules)
                if (rule.handle == handle->number) rule.text = handle->line;
        }
    }
}

} // namespace gw::doctor
