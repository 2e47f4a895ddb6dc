#pragma once

#include "gateway/base/result.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw::route {

/// Names one route may bind.
inline constexpr std::size_t max_bindings = 16;
using Names = std::vector<std::string>;

/// For messages about a name that is none.
inline constexpr std::string_view rule_for_names =
    "a name begins with a letter or '_', and has letters, digits, '_' and '-'";

/// A piece of a pattern or of a destination: fixed text, or whatever one of the route's names holds.
struct Part {
    std::string text{}; ///< fixed text; empty when bound
    int binding = -1;   ///< index into the route's names; -1: fixed
};

/// What the names of a route hold for one request. Views into the request.
class Bindings {
public:
    /// Forgets what the first `count` names hold.
    void clear(std::size_t count) { std::fill_n(held_.begin(), count, std::string_view{}); }
    /// False when the name already holds something else.
    bool bind(int name, std::string_view text)
    {
        auto& held = held_[static_cast<std::size_t>(name)];
        if (held.empty()) held = text;
        return held == text;
    }
    std::string_view operator[](int name) const { return held_[static_cast<std::size_t>(name)]; }

private:
    std::array<std::string_view, max_bindings> held_{};
};

struct HostPattern {
    enum class Kind {
        any,    ///< "_"
        exact,  ///< "www.example.org", "192.0.2.1", "2001:db8::1": `text`
        labels, ///< ":name.example.org": each name binds one label: `labels`
    };
    Kind kind = Kind::any;
    std::string text{};
    std::vector<Part> labels{};
};

/// The path's first segments; none: every path. What follows them is the remainder.
struct PathPattern {
    std::vector<Part> segments{};
};

/// New names are added to `names`, known ones found there. Errors: `malformed`, `what` says what to write instead.
Result<HostPattern> parse_host_pattern(std::string_view text, Names& names);
Result<PathPattern> parse_path_pattern(std::string_view text, Names& names);

/// ":name" or the text of a binding without its colon is a name: a letter or '_', then letters, digits, '_' and '-'.
bool is_name(std::string_view text);
/// Can stand between the dots of a host name: letters, digits, '_' and inner '-'; 63 at most.
bool is_label(std::string_view text);
/// "." or "..", escaped or not: would move about when put into a path.
bool is_dot_segment(std::string_view text);
/// One segment in the form http::normalise_path gives; what a path may not hold as it is becomes an escape.
/// Errors: `malformed`: a broken escape, a dot segment, '?', '#' or a control character.
Result<std::string> normal_segment(std::string_view text);
/// The index of `name` in `names`, which grows when it is new. Errors: `malformed`: one name too many.
Result<int> learn_name(std::string_view name, Names& names);

/// Whether `host` fits, binding as it goes. A name binds only what `is_label` allows.
bool fits(const HostPattern& pattern, std::string_view host, Bindings& bindings);
/// How many bytes of `path` the pattern took; none: it does not fit. Several slashes count as one, so that "//admin"
/// cannot slip past "/admin".
std::optional<std::size_t> fits(const PathPattern& pattern, std::string_view path, Bindings& bindings);

/// The next segment at or after `offset`, which moves behind it. Empty: there is none.
inline std::string_view next_segment(std::string_view path, std::size_t& offset)
{
    auto begin = offset;
    while (begin < path.size() && path[begin] == '/') ++begin;
    if (begin == path.size()) return {};
    auto end = begin;
    while (end < path.size() && path[end] != '/') ++end;
    offset = end;
    return path.substr(begin, end - begin);
}

} // namespace gw::route
