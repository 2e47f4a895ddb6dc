#include "netfilter/doctor/mark_effect.h"
#include "netfilter/doctor/ruleset.h"

#include <algorithm>
#include <charconv>

// Follows one packet through chains. What a rule asks that is not known of the packet (a client's address, a rate, the
// content of a set) is answered "maybe", and both ways are gone. So "yes" is said only of what holds for every such
// packet. The packet is the first of its connection: its state is "new".

namespace gw::doctor {
namespace {

constexpr int max_depth = 16;              // the kernel's own limit of jumps
constexpr std::size_t max_rules = 200'000; // looked at for one packet; more are not, and the answer is what is known

Sure both(Sure a, Sure b) { return std::min(a, b); }
Sure sure(bool known) { return known ? Sure::yes : Sure::no; }
Sure inverse(Sure a) { return a == Sure::yes ? Sure::no : a == Sure::no ? Sure::yes : Sure::maybe; }

/// What a rule may ask about a packet: known, or not.
struct Value {
    std::optional<std::uint64_t> number{};
    std::optional<std::string> text{};
    std::optional<Address> address{};
    bool never = false; ///< a packet like this has no such field: the match fails
};

Value number_value(std::optional<std::uint64_t> number)
{
    Value value;
    value.number = number;
    return value;
}
Value text_value(std::string text)
{
    Value value;
    value.text = std::move(text);
    return value;
}
Value never()
{
    Value value;
    value.never = true;
    return value;
}

std::string name_of(netfilter::Transport transport) { return transport == netfilter::Transport::udp ? "udp" : "tcp"; }

Value payload_value(const Json& payload, const Packet& packet)
{
    const auto protocol = text_of(member(payload, "protocol"));
    const auto field = text_of(member(payload, "field"));
    if (protocol == "ip" || protocol == "ip6") {
        if ((protocol == "ip6") != packet.v6) return never();
        Value value;
        if (field == "saddr") value.address = packet.source;
        if (field == "daddr") value.address = packet.destination;
        if (field == "protocol" || field == "nexthdr") value.text = name_of(packet.transport);
        return value;
    }
    if (protocol == "tcp" || protocol == "udp" || protocol == "th") {
        if (protocol != "th" && protocol != name_of(packet.transport)) return never();
        if (field == "dport" && packet.port) return number_value(*packet.port);
        return {};
    }
    const bool other = protocol == "icmp" || protocol == "icmpv6" || protocol == "sctp" || protocol == "dccp" ||
                       protocol == "udplite" || protocol == "arp" || protocol == "esp" || protocol == "ah";
    return other ? never() : Value{};
}

Value meta_value(const std::string& key, const Packet& packet)
{
    if (key == "iifname" || key == "iif") return packet.iif.empty() ? text_value("lo") : text_value(packet.iif);
    if (key == "oifname" || key == "oif") return packet.oif.empty() ? Value{} : text_value(packet.oif);
    if (key == "mark") return number_value(packet.mark);
    if (key == "l4proto") return text_value(name_of(packet.transport));
    if (key == "nfproto") return text_value(packet.v6 ? "ipv6" : "ipv4");
    if (key == "protocol") return text_value(packet.v6 ? "ip6" : "ip");
    return {};
}

/// The destination's type as routing knows it: "local", or "unicast" as what is taken over always is.
std::optional<std::string> type_of_destination(const Packet& packet)
{
    if (!packet.to_host) return std::nullopt;
    return *packet.to_host ? "local" : "unicast";
}

Value fib_value(const Json& fib, const Packet& packet)
{
    const auto* flags = member(fib, "flags");
    const bool of_destination = flags != nullptr && (*flags == "daddr" || *flags == Json::array({"daddr"}));
    Value value;
    if (of_destination && text_of(member(fib, "result")) == "type") value.text = type_of_destination(packet);
    return value;
}

/// Of what else a status can say nothing is true of a first packet.
Value ct_value(const std::string& key, const Packet& packet)
{
    if (key == "state") return text_value("new");
    if (key == "status" && packet.translated) return text_value(*packet.translated ? "dnat" : "none");
    return {};
}

Value value_of(const Json& left, const Packet& packet)
{
    if (const auto* payload = member(left, "payload")) return payload_value(*payload, packet);
    if (const auto* meta = member(left, "meta")) return meta_value(text_of(member(*meta, "key")), packet);
    if (const auto* fib = member(left, "fib")) return fib_value(*fib, packet);
    if (const auto* ct = member(left, "ct")) return ct_value(text_of(member(*ct, "key")), packet);
    if (const auto* both_sides = member(left, "&"); both_sides != nullptr && both_sides->is_array() &&
                                                    both_sides->size() == 2 && (*both_sides)[1].is_number_unsigned()) {
        const auto inner = value_of((*both_sides)[0], packet);
        if (inner.never) return inner;
        if (inner.number) return number_value(*inner.number & (*both_sides)[1].get<std::uint64_t>());
    }
    return {};
}

Sure fits_text(const std::string& known, const std::string& asked)
{
    if (!asked.empty() && asked.front() == '@') return Sure::maybe;
    if (!asked.empty() && asked.back() == '*') return sure(known.starts_with(asked.substr(0, asked.size() - 1)));
    if (asked == "6" || asked == "17") return sure(known == (asked == "6" ? "tcp" : "udp"));
    return sure(known == asked);
}

Sure fits_address(const Address& known, const Json& asked)
{
    if (asked.is_string()) {
        const auto address = Address::parse(asked.get<std::string>());
        return address ? sure(known == *address) : Sure::maybe;
    }
    if (const auto* prefix = member(asked, "prefix")) {
        const auto address = Address::parse(text_of(member(*prefix, "addr")));
        const auto* length = member(*prefix, "len");
        if (!address || length == nullptr || !length->is_number_unsigned()) return Sure::maybe;
        return sure(Network{*address, length->get<std::uint8_t>()}.contains(known));
    }
    if (const auto* range = member(asked, "range"); range != nullptr && range->is_array() && range->size() == 2) {
        const auto first = Address::parse(text_of(&(*range)[0]));
        const auto last = Address::parse(text_of(&(*range)[1]));
        if (first && last) return sure(*first <= known && known <= *last);
    }
    return Sure::maybe;
}

Sure fits_number(std::uint64_t known, const Json& asked)
{
    if (asked.is_number_unsigned()) return sure(known == asked.get<std::uint64_t>());
    if (const auto* range = member(asked, "range"); range != nullptr && range->is_array() && range->size() == 2 &&
                                                    (*range)[0].is_number_unsigned() &&
                                                    (*range)[1].is_number_unsigned())
        return sure((*range)[0].get<std::uint64_t>() <= known && known <= (*range)[1].get<std::uint64_t>());
    return Sure::maybe;
}

/// Whether what is known is what is asked: one thing, or one of several.
Sure fits(const Value& known, const Json& asked)
{
    if (known.never) return Sure::no;
    const auto* list = member(asked, "set");
    if (list == nullptr && asked.is_array()) list = &asked;
    if (list != nullptr && list->is_array()) {
        auto answer = Sure::no;
        for (const auto& one : *list) answer = std::max(answer, fits(known, one));
        return answer;
    }
    if (const auto* element = member(asked, "elem"))
        if (const auto* value = member(*element, "val")) return fits(known, *value);
    if (asked.is_string() && asked.get<std::string>().starts_with("@")) return Sure::maybe;
    if (known.address) return fits_address(*known.address, asked);
    if (known.number) return fits_number(*known.number, asked);
    if (known.text && asked.is_string()) return fits_text(*known.text, asked.get<std::string>());
    if (known.text && asked.is_number_unsigned()) return fits_text(*known.text, std::to_string(asked.get<unsigned>()));
    return Sure::maybe;
}

Sure fits_order(const std::string& op, std::uint64_t known, const Json& right)
{
    if (!right.is_number_unsigned()) return Sure::maybe;
    const auto asked = right.get<std::uint64_t>();
    if (op == "<") return sure(known < asked);
    if (op == ">") return sure(known > asked);
    if (op == "<=") return sure(known <= asked);
    return op == ">=" ? sure(known >= asked) : Sure::maybe;
}

Sure fits_match(const Json& match, const Packet& packet)
{
    const auto* left = member(match, "left");
    const auto* right = member(match, "right");
    if (left == nullptr || right == nullptr) return Sure::maybe;
    const auto op = text_of(member(match, "op"));
    const auto known = value_of(*left, packet);
    if (known.never) return Sure::no; // there is no field, so the rule ends, also for !=
    if (op == "in") return fits(known, *right);
    // Bits of a status that are not asked for are not known.
    if (const auto* ct = member(*left, "ct"); ct != nullptr && text_of(member(*ct, "key")) == "status")
        return Sure::maybe;
    if (op == "==") return fits(known, *right);
    if (op == "!=") return inverse(fits(known, *right));
    return known.number ? fits_order(op, *known.number, *right) : Sure::maybe;
}

// --- rules of iptables-nft: matches that JSON only names, read from the words nft prints

std::optional<std::string_view> words_after(std::string_view text, std::string_view lead)
{
    const auto at = text.find(lead);
    if (at == std::string_view::npos) return std::nullopt;
    text.remove_prefix(at + lead.size());
    if (text.starts_with("{ ")) return text.substr(2, text.find(" }") - 2);
    return text.substr(0, text.find(' '));
}

Sure fits_ports(std::string_view list, std::uint16_t port)
{
    for (std::size_t at = 0; at < list.size();) {
        const auto end = std::min(list.find_first_of(", ", at), list.size());
        const auto one = list.substr(at, end - at);
        at = end + 1;
        std::uint16_t first = 0, last = 0;
        auto read = std::from_chars(one.data(), one.data() + one.size(), first);
        if (read.ec != std::errc{}) continue;
        last = first;
        if (read.ptr != one.data() + one.size() && *read.ptr == '-')
            std::from_chars(read.ptr + 1, one.data() + one.size(), last);
        if (first <= port && port <= last) return Sure::yes;
    }
    return Sure::no;
}

/// "fib daddr type local", "fib daddr type != { local, broadcast }"
Sure fits_addrtype(std::string_view text, const Packet& packet)
{
    const auto known = type_of_destination(packet);
    const bool inverted = text.find("fib daddr type != ") != std::string_view::npos;
    const auto types = words_after(text, inverted ? "fib daddr type != " : "fib daddr type ");
    if (!known || !types) return Sure::maybe;
    const auto fit = sure((types->find(*known) != std::string_view::npos) != inverted);
    return text.find("fib saddr") == std::string_view::npos ? fit : both(fit, Sure::maybe);
}

Sure fits_extension(const std::string& name, const std::string& text, const Packet& packet)
{
    if (name == "comment") return Sure::yes;
    if (name == "conntrack" || name == "state") {
        const auto states = words_after(text, "ct state ");
        if (states && !states->starts_with("!")) return sure(states->find("new") != std::string_view::npos);
    }
    if (name == "addrtype") return fits_addrtype(text, packet);
    if (name == "multiport" && packet.port) {
        const auto ports = words_after(text, "dport ");
        if (ports && !ports->starts_with("!")) return fits_ports(*ports, *packet.port);
    }
    return Sure::maybe;
}

// --- statements

class Walk {
public:
    Walk(const Ruleset& ruleset, const Packet& packet, std::vector<Fate>& fates)
        : ruleset_(ruleset), packet_(packet), fates_(fates)
    {}

    void through(const NftChain& base)
    {
        base_ = &base;
        const auto left = follow(base, Sure::yes, 0);
        if (base.policy_drop && left != Sure::no)
            fates_.push_back({Fate::Kind::dropped, left, &base, nullptr, {}, {}, base_});
    }

private:
    /// How surely the packet comes out at the end of the chain.
    Sure follow(const NftChain& chain, Sure here, int depth)
    {
        for (const auto& rule : chain.rules) {
            if (here == Sure::no) return here;
            if (++looked_at_ > max_rules) return Sure::maybe;
            bool leaves = false;
            const auto left = apply(chain, rule, here, depth, leaves);
            if (leaves) return left;
            here = left;
        }
        return here;
    }

    void note(Fate::Kind kind, const NftChain& chain, const NftRule& rule, Sure how, Effect effect = {})
    {
        fates_.push_back({kind, how, &chain, &rule, effect.touches, effect.becomes, base_});
    }

    /// What reaches the next rule; `leaves`: this is what leaves the chain instead.
    Sure apply(const NftChain& chain, const NftRule& rule, Sure here, int depth, bool& leaves)
    {
        auto match = Sure::yes;
        for (const auto& expression : rule.expressions) {
            if (!expression.is_object() || expression.empty()) continue;
            const auto& name = expression.begin().key();
            const auto& content = expression.begin().value();
            match = both(match, condition(name, content, rule));
            if (match == Sure::no) return here;
            const auto how = both(here, match);
            const auto passed_by = match == Sure::yes ? Sure::no : Sure::maybe;
            if (name == "mangle" && content.is_object() && is_mark(content.value("key", Json())))
                note(Fate::Kind::marked, chain, rule, how, effect_of(content.value("value", Json())));
            if (name == "accept") return passed_by;
            if (const auto kind = ending(name, content)) {
                if (*kind == Fate::Kind::marked) {
                    note(*kind, chain, rule, how, effect_in(rule.text));
                    continue;
                }
                note(*kind, chain, rule, how);
                return passed_by;
            }
            if (name == "return") {
                leaves = match == Sure::yes;
                return leaves ? here : Sure::maybe;
            }
            if (name == "jump" || name == "goto") {
                const auto back = enter(chain, text_of(member(content, "target")), how, depth);
                if (match == Sure::yes && name == "goto") leaves = true;
                if (match == Sure::yes) return back;
                return back == Sure::yes || (back == how && how == Sure::maybe) ? here : Sure::maybe;
            }
            if (name == "vmap") return branch(chain, rule, content, here, match, depth);
        }
        return here;
    }

    Sure condition(const std::string& name, const Json& content, const NftRule& rule) const
    {
        if (name == "match") return fits_match(content, packet_);
        if (name == "limit" || name == "quota" || name == "ct count") return Sure::maybe;
        if (name == "xt" && text_of(member(content, "type")) == "match")
            return fits_extension(text_of(member(content, "name")), rule.text, packet_);
        if (name == "xt" && text_of(member(content, "type")) != "target") return Sure::maybe;
        return Sure::yes;
    }

    static std::optional<Fate::Kind> ending(const std::string& name, const Json& content)
    {
        if (name == "drop") return Fate::Kind::dropped;
        if (name == "reject") return Fate::Kind::rejected;
        if (name == "redirect" || name == "dnat" || name == "tproxy") return Fate::Kind::redirected;
        if (name == "snat") return Fate::Kind::translated;
        if (name == "masquerade") return Fate::Kind::masqueraded;
        if (name == "queue") return Fate::Kind::queued;
        if (name != "xt" || text_of(member(content, "type")) != "target") return std::nullopt;
        const auto target = text_of(member(content, "name"));
        if (target == "REDIRECT" || target == "DNAT" || target == "TPROXY") return Fate::Kind::redirected;
        if (target == "SNAT" || target == "NETMAP") return Fate::Kind::translated;
        if (target == "MASQUERADE") return Fate::Kind::masqueraded;
        if (target == "REJECT") return Fate::Kind::rejected;
        if (target == "DROP") return Fate::Kind::dropped;
        if (target == "NFQUEUE") return Fate::Kind::queued;
        if (target == "MARK" || target == "CONNMARK") return Fate::Kind::marked;
        return std::nullopt;
    }

    Sure enter(const NftChain& from, const std::string& target, Sure how, int depth)
    {
        const auto* next = ruleset_.find(from.family, from.table, target);
        if (next == nullptr || depth >= max_depth) return how;
        return follow(*next, how, depth + 1);
    }

    /// `KEY vmap { a : drop, b : jump c }`
    Sure branch(const NftChain& chain, const NftRule& rule, const Json& vmap, Sure here, Sure match, int depth)
    {
        const auto* key = member(vmap, "key");
        const auto* data = member(vmap, "data");
        const auto* pairs = data == nullptr ? nullptr : member(*data, "set");
        if (key == nullptr || pairs == nullptr || !pairs->is_array()) return both(here, Sure::maybe);
        const auto known = value_of(*key, packet_);
        auto left = here;
        for (const auto& pair : *pairs) {
            if (!pair.is_array() || pair.size() != 2 || !pair[1].is_object() || pair[1].empty()) continue;
            const auto fit = both(match, fits(known, pair[0]));
            if (fit == Sure::no) continue;
            const auto& name = pair[1].begin().key();
            const auto how = both(here, fit);
            auto back = how;
            if (name == "drop") note(Fate::Kind::dropped, chain, rule, how);
            if (name == "drop" || name == "accept") back = Sure::no;
            if (name == "jump" || name == "goto")
                back = enter(chain, text_of(member(pair[1].begin().value(), "target")), how, depth);
            if (fit == Sure::yes) return back;
            if (back != how) left = Sure::maybe;
        }
        return left;
    }

    const Ruleset& ruleset_;
    const Packet& packet_;
    std::vector<Fate>& fates_;
    const NftChain* base_ = nullptr;
    std::size_t looked_at_ = 0;
};

} // namespace

bool is_own(const NftChain& chain, std::string_view table)
{
    const std::string_view name = chain.table;
    return chain.family == "inet" && name.starts_with(table) &&
           (name.size() == table.size() || name[table.size()] == '_');
}

std::vector<Fate> fates_of(const Ruleset& ruleset, std::string_view hook, const Packet& packet, std::string_view own)
{
    std::vector<Fate> fates;
    for (const auto& chain : ruleset.chains) {
        if (chain.hook != hook || is_own(chain, own)) continue;
        const bool family = chain.family == "inet" || chain.family == (packet.v6 ? "ip6" : "ip");
        if (!family) continue;
        Walk(ruleset, packet, fates).through(chain);
    }
    return fates;
}

} // namespace gw::doctor
