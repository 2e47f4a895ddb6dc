#include "gateway/config/walk.h"

#include "gateway/config/encoding.h"
#include "gateway/config/suggest.h"
#include "gateway/config/values.h"

#include <algorithm>
#include <unordered_map>

namespace gw::config {

namespace {

/// Makes the path one step longer while it lives.
class Step {
public:
    Step(std::string& path, std::string_view key) : path_{path}, size_{path.size()}
    {
        if (!path.empty()) path += '.';
        path += key;
    }
    Step(std::string& path, std::size_t index) : path_{path}, size_{path.size()}
    {
        path += '[' + std::to_string(index) + ']';
    }
    ~Step() { path_.resize(size_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

private:
    std::string& path_;
    std::size_t size_;
};

std::string kind_of(const Node& node)
{
    switch (node.kind) {
    case Node::Kind::null: return "nothing";
    case Node::Kind::scalar: return in_quotes(node.text);
    case Node::Kind::sequence: return "a list";
    case Node::Kind::mapping: return "a mapping";
    }
    return {};
}

std::string joined(const std::vector<std::string_view>& words)
{
    std::string all;
    for (const auto word : words) all += (all.empty() ? "" : ", ") + std::string{word};
    return all;
}

std::vector<std::string_view> supported_words(const Type& type)
{
    std::vector<std::string_view> words;
    for (const auto& word : type.words)
        if (word.supported) words.push_back(word.text);
    return words;
}

std::vector<std::string_view> key_names(const Type& type, bool supported_only)
{
    std::vector<std::string_view> names;
    for (const auto& key : type.keys)
        if (key.supported || !supported_only) names.push_back(key.name);
    return names;
}

const Key* find_key(const Type& type, std::string_view name)
{
    const auto at = std::find_if(type.keys.begin(), type.keys.end(), [&](const Key& key) { return key.name == name; });
    return at == type.keys.end() ? nullptr : &*at;
}

const Word* find_word(const Type& type, std::string_view text)
{
    for (const auto& word : type.words)
        if (word.opens ? text.starts_with(word.text) : text == word.text) return &word;
    return nullptr;
}

/// "8MB" -> "8MiB", "5" -> "5s": the unit that was likely meant; empty: no idea.
std::string with_unit(const Type& type, std::string_view text)
{
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > 12) return {};
    const auto number = std::string{text.substr(0, digits)};
    auto unit = text.substr(digits);
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    const auto begins = [&](std::string_view letters) {
        return !unit.empty() && letters.find(unit[0]) != letters.npos;
    };
    if (type.kind == Type::Kind::size)
        return number + (begins("kK") ? "KiB" : begins("mM") ? "MiB" : begins("gG") ? "GiB" : "B");
    if (unit.starts_with("ms") || unit.starts_with("mil")) return number + "ms";
    return number + (begins("mM") ? "m" : begins("hH") ? "h" : "s");
}

std::string range_text(const Type& type)
{
    const auto text = [&](std::uint64_t value) {
        struct Unit {
            std::uint64_t size;
            std::string_view name;
        };
        static constexpr Unit sizes[] = {{1u << 30, "GiB"}, {1u << 20, "MiB"}, {1u << 10, "KiB"}, {1, "B"}};
        static constexpr Unit times[] = {{3'600'000, "h"}, {60'000, "m"}, {1'000, "s"}, {1, "ms"}};
        if (type.kind == Type::Kind::integer) return std::to_string(value);
        for (const auto& unit : type.kind == Type::Kind::size ? sizes : times)
            if (value >= unit.size && value % unit.size == 0)
                return std::to_string(value / unit.size) + std::string{unit.name};
        return std::to_string(value);
    };
    return text(type.least) + " to " + text(type.most);
}

std::optional<std::uint64_t> number_of(const Type& type, std::string_view text)
{
    if (type.kind == Type::Kind::integer) return parse_integer(text);
    if (type.kind == Type::Kind::size) return parse_size(text);
    const auto time = parse_duration(text);
    if (!time) return std::nullopt;
    return static_cast<std::uint64_t>(time->count());
}

/// Where in the mapping's parts an unknown key has its place.
std::string home_of(const Type& mapping, std::string_view name)
{
    for (const auto& key : mapping.keys)
        if (key.supported && key.type.kind == Type::Kind::mapping && find_key(key.type, name))
            return "; it belongs under \"" + std::string{key.name} + "\"";
    return {};
}

std::string list_hint(const Type& type, const Node& node)
{
    if (type.kind != Type::Kind::list || type.of.front().kind == Type::Kind::mapping || !node.is_scalar()) return {};
    return "; write [" + (node.plain ? printable(node.text.substr(0, 60)) : in_quotes(node.text)) + "]";
}

std::string quotes_hint(const Type& type, const Node& node)
{
    const bool wants_scalar = type.kind == Type::Kind::text || type.kind == Type::Kind::word;
    return wants_scalar && (node.is_mapping() || node.is_sequence())
               ? "; a text that begins with \"{\" or \"[\" or holds \": \" needs quotes"
               : "";
}

} // namespace

void Walker::read(const Node& document)
{
    if (document.kind != Node::Kind::null) check_mapping(vocabulary(), document);
}

bool Walker::refuse(const Node& node, std::string what, bool schema_says)
{
    report_.add(node.place, path_, std::move(what), schema_says);
    return false;
}

bool Walker::refuse_kind(const Type& type, const Node& node)
{
    const bool from_file = node.is_mapping() && node.items.size() == 2 && node.items[0].text == "file";
    if (from_file && type.kind != Type::Kind::mapping && type.kind != Type::Kind::dictionary)
        return refuse(node, "not supported yet: a value that is read from a file", true);
    return refuse(node,
                  "must be " + std::string{type.noun} + ", not " + kind_of(node) + list_hint(type, node) +
                      quotes_hint(type, node),
                  true);
}

bool Walker::check(const Type& type, const Node& node)
{
    if (report_.full()) return false;
    switch (type.kind) {
    case Type::Kind::word: return check_word(type, node);
    case Type::Kind::text: return check_text(type, node);
    case Type::Kind::integer:
    case Type::Kind::size:
    case Type::Kind::duration: return check_number(type, node);
    case Type::Kind::list: return check_list(type, node);
    case Type::Kind::dictionary: return check_dictionary(type, node);
    case Type::Kind::mapping: return check_mapping(type, node);
    }
    return false;
}

bool Walker::check_word(const Type& type, const Node& node)
{
    if (!node.is_scalar()) return refuse_kind(type, node);
    const auto* word = find_word(type, node.text);
    if (word && word->supported) return true;
    const auto words = supported_words(type);
    if (word) return refuse(node, in_quotes(node.text) + " is not supported yet; supported: " + joined(words), true);
    const auto hint = did_you_mean(node.text, words);
    return refuse(node, "must be one of " + joined(words) + ", not " + in_quotes(node.text) + hint, true);
}

bool Walker::check_number(const Type& type, const Node& node)
{
    if (!node.is_scalar()) return refuse_kind(type, node);
    if (find_word(type, node.text)) return true;
    const auto value = number_of(type, node.text);
    if (!value) {
        const auto unit = type.kind == Type::Kind::integer ? "" : with_unit(type, node.text);
        const auto hint = unit.empty() || unit == node.text ? did_you_mean(node.text, supported_words(type))
                                                            : "; did you mean \"" + unit + "\"?";
        // Numbers in forms we refuse (1.0, 1e3, 007) are numbers to a schema all the same.
        const bool odd = node.text.find_first_not_of("0123456789abcdefABCDEFxXo+-._") == std::string::npos;
        return refuse(node, "must be " + std::string{type.noun} + ", not " + in_quotes(node.text) + hint, !odd);
    }
    if (*value >= type.least && *value <= type.most) return true;
    const bool schema_says = node.plain && type.kind != Type::Kind::duration && parse_integer(node.text).has_value();
    return refuse(node, "must be " + range_text(type) + ", not " + printable(node.text.substr(0, 60)), schema_says);
}

bool Walker::check_text(const Type& type, const Node& node)
{
    if (!node.is_scalar()) return refuse_kind(type, node);
    auto wrong = type.judge(node.text);
    return wrong.empty() || refuse(node, std::move(wrong), false);
}

bool Walker::check_list(const Type& type, const Node& node)
{
    if (node.is_scalar() && find_word(type, node.text)) return true;
    if (!node.is_sequence()) return refuse_kind(type, node);
    if (node.items.size() < type.least) return refuse(node, "must not be empty", true);
    const auto first = type.appends ? entries_[path_] : 0;
    if (node.items.size() > type.most - std::min<std::uint64_t>(first, type.most))
        return refuse(node, "has more than " + std::to_string(type.most) + " entries", first == 0);
    bool fits = true;
    inside_entries_ += type.is_mapping_list();
    for (std::size_t at = 0; at < node.items.size() && !report_.full(); ++at) {
        const Step step{path_, first + at};
        fits = check(type.of.front(), node.items[at]) && fits;
    }
    inside_entries_ -= type.is_mapping_list();
    if (type.appends) entries_[path_] += node.items.size();
    return fits;
}

bool Walker::check_dictionary(const Type& type, const Node& node)
{
    if (!node.is_mapping()) return refuse_kind(type, node);
    if (node.items.size() / 2 > type.most)
        return refuse(node, "has more than " + std::to_string(type.most) + " entries", true);
    bool fits = true;
    std::unordered_map<std::string_view, Place> seen;
    for (std::size_t at = 0; at + 1 < node.items.size() && !report_.full(); at += 2) {
        const auto& name = node.items[at];
        const Step step{path_, printable(name.text.substr(0, 60))};
        const auto [earlier, fresh] = seen.emplace(name.text, name.place);
        if (!fresh)
            fits = refuse(name, "stands here twice; first in line " + std::to_string(earlier->second.line), false);
        fits = check(type.of[0], name) && fits;
        fits = check(type.of[1], node.items[at + 1]) && fits;
    }
    return fits;
}

void Walker::check_shorthand(const Type& type, const Node& node)
{
    if (const auto* key = find_key(type, type.short_for)) {
        const bool first = first_time(*key, node, path_ + "." + std::string{key->name});
        if (first && check(key->type, node)) key->apply(draft_, node);
    }
}

bool Walker::check_mapping(const Type& type, const Node& node)
{
    const bool shorthand = !type.short_for.empty() && node.is_scalar();
    if (!node.is_mapping() && !shorthand) return refuse_kind(type, node);
    if (type.begin) type.begin(draft_, node);
    if (shorthand) {
        check_shorthand(type, node);
        return true;
    }
    std::vector<bool> seen(type.keys.size());
    std::unordered_map<std::string_view, Place> names;
    for (std::size_t at = 0; at + 1 < node.items.size() && !report_.full(); at += 2) {
        const auto& name = node.items[at];
        const Step step{path_, printable(name.text.substr(0, 60))};
        const auto [earlier, fresh] = names.emplace(name.text, name.place);
        if (!fresh) {
            refuse(name, "stands here twice; first in line " + std::to_string(earlier->second.line), false);
            continue;
        }
        const auto* key = find_key(type, name.text);
        if (!key) {
            refuse_unknown(type, name);
            continue;
        }
        seen[static_cast<std::size_t>(key - type.keys.data())] = true;
        check_key(*key, name, node.items[at + 1]);
    }
    check_complete(type, node, seen);
    return true;
}

void Walker::check_key(const Key& key, const Node& name, const Node& value)
{
    if (!key.supported) {
        refuse(name, "not supported yet: " + std::string{key.doc}, true);
        return;
    }
    if (!first_time(key, name, path_)) return;
    if (check(key.type, value) && key.apply) key.apply(draft_, value);
}

bool Walker::first_time(const Key& key, const Node& node, const std::string& path)
{
    const bool grows = key.type.kind == Type::Kind::mapping || key.type.appends;
    if (inside_entries_ > 0 || grows) return true;
    const auto [earlier, fresh] = set_at_.emplace(path, node.place);
    if (fresh) return true;
    return refuse(node, "is set already, at " + draft_.position(earlier->second).text(), false);
}

void Walker::check_complete(const Type& type, const Node& node, const std::vector<bool>& seen)
{
    for (std::size_t at = 0; at < type.keys.size(); ++at)
        if (type.keys[at].required && !seen[at])
            refuse(node, "\"" + std::string{type.keys[at].name} + "\" is missing: " + std::string{type.keys[at].doc},
                   true);
    const bool given = std::any_of(type.any_of.begin(), type.any_of.end(), [&](auto name) { return node.find(name); });
    if (!given && !type.any_of.empty()) refuse(node, "needs one of: " + joined(type.any_of), true);
}

void Walker::refuse_unknown(const Type& mapping, const Node& name)
{
    auto hint = home_of(mapping, name.text);
    if (hint.empty()) hint = did_you_mean(name.text, key_names(mapping, true));
    if (hint.empty()) hint = did_you_mean(name.text, key_names(mapping, false));
    if (hint.empty()) hint = "; known here: " + joined(key_names(mapping, true));
    refuse(name, "unknown key" + hint, true);
}

} // namespace gw::config
