#include "gateway/route/pattern.h"

#include "gateway/base/endpoint.h"

#include <algorithm>

namespace gw::route {

namespace {

constexpr std::size_t max_host_bytes = 253;
constexpr std::size_t max_path_bytes = 2'048;
constexpr std::size_t max_segments = 64;

Error wrong(std::string what) { return Error{Fault::malformed, Side::gateway, std::move(what), {}}; }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
std::string quoted(std::string_view text) { return '"' + std::string{text} + '"'; }

int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_unreserved(unsigned char c)
{
    return is_letter(static_cast<char>(c)) || is_digit(static_cast<char>(c)) || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/// RFC 3986 section 3.3: pchar without its escapes.
bool is_path_byte(unsigned char c)
{
    return is_unreserved(c) ||
           (c != 0 && std::string_view{"!$&'()*+,;=:@"}.find(static_cast<char>(c)) != std::string_view::npos);
}

void append_escape(std::string& into, unsigned char c)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    into += '%';
    into += digits[c >> 4];
    into += digits[c & 15];
}

Result<Part> parse_label(std::string_view label, Names& names)
{
    if (label.empty()) return wrong("has two dots with nothing between them");
    if (label.front() == ':') {
        const auto name = label.substr(1);
        if (!is_name(name)) return wrong(quoted(label) + " is no binding: " + std::string{rule_for_names});
        const auto index = learn_name(name, names);
        if (!index) return index.error();
        return Part{{}, *index};
    }
    if (label == "_" || label == "*")
        return wrong(quoted(label) + " cannot stand for one label: write a binding like \":name\"");
    if (label.find(':') != std::string_view::npos)
        return wrong("names a port, but a route looks at the host only: leave \"" +
                     std::string{label.substr(label.find(':'))} + "\" out");
    if (std::any_of(label.begin(), label.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return wrong("is not ASCII: write the name as the DNS has it (\"xn--...\")");
    if (!is_label(label)) return wrong(quoted(label) + " cannot be part of a host name");
    std::string text{label};
    std::transform(text.begin(), text.end(), text.begin(), lower);
    return Part{std::move(text), -1};
}

Result<std::vector<Part>> parse_labels(std::string_view text, Names& names)
{
    std::vector<Part> labels;
    for (;;) {
        const auto dot = text.find('.');
        auto label = parse_label(text.substr(0, dot), names);
        if (!label) return label.error();
        labels.push_back(std::move(*label));
        if (dot == std::string_view::npos) return labels;
        text.remove_prefix(dot + 1);
    }
}

Result<Part> parse_segment(std::string_view text, Names& names)
{
    if (text == "[...]" || text == "*" || text == "**")
        return wrong(quoted(text) + " is not needed: a path matches everything below it; leave it out");
    if (text.front() == ':') {
        if (!is_name(text.substr(1))) return wrong(quoted(text) + " is no binding: " + std::string{rule_for_names});
        const auto index = learn_name(text.substr(1), names);
        if (!index) return index.error();
        return Part{{}, *index};
    }
    auto literal = normal_segment(text);
    if (!literal) return literal.error();
    return Part{std::move(*literal), -1};
}

} // namespace

bool is_name(std::string_view text)
{
    if (text.empty() || text.size() > 64 || !(is_letter(text.front()) || text.front() == '_')) return false;
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; });
}

bool is_label(std::string_view text)
{
    if (text.empty() || text.size() > 63 || text.front() == '-' || text.back() == '-') return false;
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; });
}

bool is_dot_segment(std::string_view text)
{
    std::size_t dots = 0;
    while (!text.empty()) {
        const bool escaped = text.size() >= 3 && text[0] == '%' && text[1] == '2' && lower(text[2]) == 'e';
        if (text[0] != '.' && !escaped) return false;
        text.remove_prefix(escaped ? 3 : 1);
        ++dots;
    }
    return dots == 1 || dots == 2;
}

Result<std::string> normal_segment(std::string_view text)
{
    std::string normal;
    for (std::size_t at = 0; at < text.size(); ++at) {
        auto c = static_cast<unsigned char>(text[at]);
        const bool escaped = c == '%';
        if (escaped) {
            const auto high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
            const auto low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
            if (high < 0 || low < 0) return wrong("has a '%' that two hexadecimal digits do not follow");
            c = static_cast<unsigned char>(high * 16 + low);
            at += 2;
        }
        if (c < 0x20 || c == 0x7f) return wrong("has a control character");
        if (!escaped && (c == '?' || c == '#'))
            return wrong(std::string{"has a '"} + static_cast<char>(c) + "', but is a path only");
        // An escape of a reserved character is something else than the character, so it stays.
        if (escaped ? is_unreserved(c) : is_path_byte(c))
            normal += static_cast<char>(c);
        else
            append_escape(normal, c);
    }
    if (is_dot_segment(normal))
        return wrong("has a \".\" or \"..\" segment, which no request has left when it gets here");
    return normal;
}

Result<int> learn_name(std::string_view name, Names& names)
{
    const auto known = std::find(names.begin(), names.end(), name);
    if (known != names.end()) return static_cast<int>(known - names.begin());
    if (names.size() == max_bindings) return wrong("binds more than " + std::to_string(max_bindings) + " names");
    names.emplace_back(name);
    return static_cast<int>(names.size()) - 1;
}

Result<HostPattern> parse_host_pattern(std::string_view text, Names& names)
{
    if (text == "_") return HostPattern{};
    if (text.empty() || text == "*") return wrong("must be a host, or \"_\" for any");
    if (text.find('/') != std::string_view::npos) return wrong("must be a host only, without a scheme or a path");
    auto address = text;
    if (address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
    if (const auto literal = Address::parse(address)) return HostPattern{HostPattern::Kind::exact, literal->text(), {}};
    if (text.front() == '[') return wrong(quoted(text) + " is no IPv6 address");
    if (text.back() == '.') text.remove_suffix(1);
    if (text.size() > max_host_bytes) return wrong("is longer than a host name can be");

    auto labels = parse_labels(text, names);
    if (!labels) return labels.error();
    const bool bound = std::any_of(labels->begin(), labels->end(), [](const Part& part) { return part.binding >= 0; });
    if (bound) return HostPattern{HostPattern::Kind::labels, {}, std::move(*labels)};
    std::string literal;
    for (const auto& label : *labels) literal += (literal.empty() ? "" : ".") + label.text;
    return HostPattern{HostPattern::Kind::exact, std::move(literal), {}};
}

Result<PathPattern> parse_path_pattern(std::string_view text, Names& names)
{
    if (text == "_") return PathPattern{};
    if (text.empty() || text.front() != '/') return wrong("must begin with '/', or be \"_\" for any");
    if (text.size() > max_path_bytes) return wrong("is longer than " + std::to_string(max_path_bytes) + " bytes");
    PathPattern pattern;
    std::size_t offset = 0;
    for (auto segment = next_segment(text, offset); !segment.empty(); segment = next_segment(text, offset)) {
        auto part = parse_segment(segment, names);
        if (!part) return part.error();
        pattern.segments.push_back(std::move(*part));
    }
    if (pattern.segments.size() > max_segments)
        return wrong("has more than " + std::to_string(max_segments) + " segments");
    return pattern;
}

bool fits(const HostPattern& pattern, std::string_view host, Bindings& bindings)
{
    switch (pattern.kind) {
    case HostPattern::Kind::any: return true;
    case HostPattern::Kind::exact: return host == pattern.text;
    case HostPattern::Kind::labels: break;
    }
    for (std::size_t at = 0; at < pattern.labels.size(); ++at) {
        const auto dot = host.find('.');
        const bool last = at + 1 == pattern.labels.size();
        if (last != (dot == std::string_view::npos)) return false;
        const auto label = host.substr(0, dot);
        const auto& part = pattern.labels[at];
        if (part.binding < 0 ? label != part.text : !is_label(label) || !bindings.bind(part.binding, label))
            return false;
        if (!last) host.remove_prefix(dot + 1);
    }
    return true;
}

std::optional<std::size_t> fits(const PathPattern& pattern, std::string_view path, Bindings& bindings)
{
    std::size_t taken = 0;
    for (const auto& part : pattern.segments) {
        const auto segment = next_segment(path, taken);
        if (segment.empty()) return std::nullopt;
        if (part.binding < 0 ? segment != part.text : is_dot_segment(segment) || !bindings.bind(part.binding, segment))
            return std::nullopt;
    }
    return taken;
}

} // namespace gw::route
