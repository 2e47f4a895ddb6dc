#include "gateway/filters/headers.h"

#include "gateway/http/bytes.h"
#include "gateway/http/encode.h"
#include "gateway/http/message.h"

#include <algorithm>

namespace gw::filters {

namespace {

struct Named {
    std::string_view name;
    std::string_view Variables::*member;
};
constexpr Named known_variables[]{
    {"client.address", &Variables::client_address},
    {"client.port", &Variables::client_port},
    {"host", &Variables::host},
    {"path", &Variables::path},
    {"listener", &Variables::listener},
    {"request.id", &Variables::request_id},
};

Error malformed(std::string what) { return {Fault::malformed, Side::gateway, std::move(what)}; }

/// Null, or why the field is not to be edited.
const char* refuse_name(std::string_view name)
{
    if (!http::bytes::all_token(name)) return "is not a field name";
    if (http::same_name(name, "content-length") || http::same_name(name, "transfer-encoding") ||
        http::same_name(name, "trailer"))
        return "frames the message and cannot be edited";
    if (http::ends_here(name, {})) return "ends at each hop and cannot be edited";
    return nullptr;
}

Result<> check_name(const std::string& name)
{
    if (const auto* why = refuse_name(name)) return malformed("\"" + name + "\" " + why);
    return {};
}

} // namespace

Result<std::vector<HeaderEditor::Part>> HeaderEditor::parse_value(const std::string& name, std::string_view value)
{
    std::vector<Part> parts(1);
    for (std::size_t at = 0; at < value.size(); ++at) {
        if (value[at] != '{') {
            parts.back().text += value[at];
            continue;
        }
        if (at + 1 < value.size() && value[at + 1] == '{') {
            parts.back().text += '{';
            ++at;
            continue;
        }
        const auto end = value.find('}', at);
        if (end == std::string_view::npos)
            return malformed(name + ": '{' without '}'; write \"{{\" for a brace that stays");
        const auto wanted = value.substr(at + 1, end - at - 1);
        const auto* found = std::find_if(std::begin(known_variables), std::end(known_variables),
                                         [wanted](const Named& one) { return one.name == wanted; });
        if (found == std::end(known_variables)) {
            std::string what = name + ": unknown variable {" + std::string{wanted} + "}; there are";
            for (const auto& one : known_variables) what += " {" + std::string{one.name} + "}";
            return malformed(what + "; write \"{{\" for a brace that stays");
        }
        parts.back().variable = found->member;
        parts.emplace_back();
        at = end;
    }
    return parts;
}

void HeaderEditor::drop(const std::string& name)
{
    dropped_.push_back(name);
    lengths_ |= std::uint64_t{1} << std::min<std::size_t>(name.size(), 63);
}

Result<> HeaderEditor::add_line(const std::pair<std::string, std::string>& edit)
{
    const auto& [name, value] = edit;
    if (const auto good = check_name(name); !good) return good.error();
    if (http::bytes::find_forbidden(value) != http::bytes::npos)
        return malformed(name + ": a control character in the value");
    auto parts = parse_value(name, value);
    if (!parts) return parts.error();
    lines_.push_back({name, std::move(*parts)});
    return {};
}

Result<HeaderEditor> HeaderEditor::make(const HeaderEdits& edits)
{
    HeaderEditor editor;
    for (const auto& name : edits.remove) {
        if (const auto good = check_name(name); !good) return good.error();
        if (http::same_name(name, "host")) return malformed("\"" + name + "\" is needed: it can be set, not removed");
        editor.drop(name);
    }
    for (const auto& edit : edits.set) {
        if (const auto good = editor.add_line(edit); !good) return good.error();
        editor.drop(edit.first);
    }
    for (const auto& edit : edits.add) {
        if (http::same_name(edit.first, "host"))
            return malformed("\"" + edit.first + "\" is there once: it can be set, not added");
        if (const auto good = editor.add_line(edit); !good) return good.error();
    }
    return editor;
}

Problems problems_of(const HeaderEdits& edits, const Position& where, const std::string& path)
{
    const auto made = HeaderEditor::make(edits);
    if (made) return {};
    return {{where, path, made.error().what}};
}

bool HeaderEditor::is_dropped(std::string_view name) const
{
    return std::any_of(dropped_.begin(), dropped_.end(),
                       [name](const auto& one) { return http::same_name(one, name); });
}

void HeaderEditor::append(std::string& out, const Variables& variables) const
{
    for (const auto& line : lines_) {
        out.append(line.name).append(": ");
        for (const auto& part : line.value) {
            out += part.text;
            if (part.variable) http::append_text(out, variables.*part.variable);
        }
        out += "\r\n";
    }
}

} // namespace gw::filters
