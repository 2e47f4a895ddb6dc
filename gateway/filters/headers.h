#pragma once

#include "gateway/base/position.h"
#include "gateway/base/result.h"
#include "gateway/filters/settings.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw::filters {

/// What the values of a HeaderEditor may refer to, of one request. Views; a part that is not known is empty.
struct Variables {
    std::string_view client_address;
    std::string_view client_port;
    std::string_view host;
    std::string_view path;
    std::string_view listener;
    std::string_view request_id;
};

/// HeaderEdits made ready: checked once, applied to each message without allocating more than the output needs. Use:
/// copy the fields of a message that it does not drop, then append.
class HeaderEditor {
public:
    HeaderEditor() = default; ///< changes nothing

    /// Errors: `malformed`, side gateway, naming the field: no token as a name, a name that frames the message or ends
    /// at this hop (Content-Length, Transfer-Encoding, Connection and so on), Host removed or added (it may be set), a
    /// control character in a value, an unknown {variable}, a brace without its end.
    static Result<HeaderEditor> make(const HeaderEdits& edits);

    bool empty() const { return lines_.empty() && dropped_.empty(); }

    /// The field does not go on: it is removed or set.
    bool drops(std::string_view name) const
    {
        // One test for nearly every field: no name of that length is dropped.
        return ((lengths_ >> (name.size() < 63 ? name.size() : 63)) & 1U) != 0 && is_dropped(name);
    }

    /// Appends what is set and added, "Name: value\r\n" each, in the order of the configuration. A control character in
    /// a variable becomes a space: no request can write a line.
    void append(std::string& out, const Variables& variables) const;

private:
    using Member = std::string_view Variables::*;
    struct Part {
        std::string text;          ///< before the variable
        Member variable = nullptr; ///< null: none, the text is the last
    };
    struct Line {
        std::string name;
        std::vector<Part> value;
    };

    bool is_dropped(std::string_view name) const;
    static Result<std::vector<Part>> parse_value(const std::string& name, std::string_view value);
    void drop(const std::string& name);
    Result<> add_line(const std::pair<std::string, std::string>& edit);

    std::vector<std::string> dropped_;
    std::uint64_t lengths_ = 0; // bit n: a dropped name has n bytes; bit 63: 63 or more
    std::vector<Line> lines_;
};

/// What `make` has against the edits, for a configuration: none or one.
Problems problems_of(const HeaderEdits& edits, const Position& where, const std::string& path);

} // namespace gw::filters
