#include "gateway/config/encoding.h"
#include "gateway/config/judge.h"
#include "gateway/config/suggest.h"
#include "gateway/config/values.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace gw::config {

namespace {

constexpr std::size_t longest_name_bytes = 64;
constexpr std::size_t longest_text_bytes = 8'192;
constexpr std::size_t longest_socket_bytes = 107; // sun_path without its NUL
constexpr std::size_t longest_table_bytes = 64;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <class Allowed> bool all_of(std::string_view text, Allowed allowed)
{
    return std::all_of(text.begin(), text.end(), allowed);
}

bool one_of(char c, std::string_view letters) { return letters.find(c) != std::string_view::npos; }

bool is_visible_ascii(std::string_view text)
{
    return all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

bool has_control(std::string_view text)
{
    return !all_of(text, [](char c) { return (static_cast<unsigned char>(c) >= ' ' && c != '\x7f') || c == '\t'; });
}

std::string judge_length(std::string_view text)
{
    if (text.empty()) return "must not be empty";
    if (text.size() > longest_text_bytes) return "is longer than " + std::to_string(longest_text_bytes) + " bytes";
    return {};
}

/// Fields that say how a message is framed or what becomes of a connection: the gateway writes them anew on each side.
constexpr std::array<std::string_view, 9> framing_fields{"connection", "content-length",    "expect",
                                                         "keep-alive", "proxy-connection",  "te",
                                                         "trailer",    "transfer-encoding", "upgrade"};

constexpr std::array<std::string_view, 6> value_names{"client.address", "client.port", "host",
                                                      "path",           "listener",    "request.id"};

std::string lower(std::string_view text)
{
    std::string out{text};
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

/// "{cleint.address}" in a field value; braces around anything that is no such word are just text.
std::string judge_placeholders(std::string_view text)
{
    for (auto open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
        const auto close = text.find('}', open);
        if (close == std::string_view::npos) break;
        const auto name = text.substr(open + 1, close - open - 1);
        const bool word = !name.empty() && all_of(name, [](char c) { return is_letter(c) || c == '.' || c == '_'; });
        if (!word || std::find(value_names.begin(), value_names.end(), name) != value_names.end()) continue;
        std::string known;
        for (const auto each : value_names) known += (known.empty() ? "{" : ", {") + std::string{each} + "}";
        const auto hint = did_you_mean(name, value_names);
        return in_quotes(text.substr(open, close - open + 1)) + " stands for nothing" +
               (hint.empty() ? "; known: " + known : hint);
    }
    return {};
}

/// "pool:NAME".
std::string judge_pool(std::string_view text)
{
    if (text.size() == 5) return "needs the name of a pool behind \"pool:\"";
    return judge_name(text.substr(5));
}

} // namespace

std::string judge_name(std::string_view text)
{
    const bool good = !text.empty() && text.size() <= longest_name_bytes && (is_letter(text[0]) || is_digit(text[0])) &&
                      all_of(text, [](char c) { return is_letter(c) || is_digit(c) || one_of(c, "_.-"); });
    return good ? "" : "must be a name of at most 64 letters, digits, \"_\", \".\" and \"-\", not " + in_quotes(text);
}

std::string judge_host(std::string_view text)
{
    if (auto wrong = judge_length(text); !wrong.empty()) return wrong;
    if (text.find("://") != std::string_view::npos || text.find('/') != std::string_view::npos)
        return "must be a host name only; paths stand in \"path\"";
    if (text.find('*') != std::string_view::npos)
        return "has no \"*\": \":name\" stands for any label, \"_\" for any host";
    if (!is_visible_ascii(text))
        return "must be a host name in ASCII (international names in their xn-- form), not " + in_quotes(text);
    return {};
}

std::string judge_path(std::string_view text)
{
    if (auto wrong = judge_length(text); !wrong.empty()) return wrong;
    if (text != "_" && text[0] != '/')
        return "must begin with \"/\", or be \"_\" for any" +
               (is_visible_ascii(text) ? "; did you mean \"/" + std::string{text.substr(0, 60)} + "\"?"
                                       : std::string{});
    if (!is_visible_ascii(text)) return "must be written as in a URL, percent-encoded, not " + in_quotes(text);
    return {};
}

std::string judge_method(std::string_view text)
{
    const bool token = !text.empty() && text.size() <= longest_name_bytes && all_of(text, [](char c) {
        return (is_letter(c) && c <= 'Z') || is_digit(c) || one_of(c, "-_");
    });
    if (token) return {};
    std::string upper{text.substr(0, longest_name_bytes)};
    for (auto& c : upper)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    const bool fits = !upper.empty() && all_of(upper, [](char c) { return is_letter(c); });
    return "must be a method in capital letters such as GET, or \"_\" for any" +
           (fits ? "; did you mean \"" + upper + "\"?" : ", not " + in_quotes(text));
}

std::string judge_default(std::string_view text)
{
    static constexpr std::array<std::string_view, 3> words{"original", "deny", "pool:"};
    if (text == "original" || text == "deny") return {};
    if (text.starts_with("pool:")) return judge_pool(text);
    if (text.starts_with("tunnel:"))
        return in_quotes(text) + " is not supported yet; supported: original, deny, pool:NAME";
    return "must be original, deny or pool:NAME, not " + in_quotes(text) +
           did_you_mean(text.substr(0, text.find(':')), words);
}

std::string judge_true(std::string_view text)
{
    if (text == "true") return {};
    if (text == "false")
        return "must be true: where a header may be left out, whoever leaves it out or writes one himself chooses who "
               "he is. "
               "Use another listener for clients that come without";
    return "must be true, not " + in_quotes(text);
}

std::string judge_target(std::string_view text)
{
    if (auto wrong = judge_length(text); !wrong.empty()) return wrong;
    if (has_control(text)) return "has a control character";
    if (text == "original") return {};
    static constexpr std::array<std::string_view, 4> forms{"http://", "https://", "redirect:", "respond:"};
    for (const auto form : forms)
        if (text.starts_with(form)) return text.size() > form.size() ? "" : "ends after " + in_quotes(text);
    if (text.starts_with("pool:")) return judge_pool(text);
    if (text.starts_with("tunnel:")) return in_quotes(text) + " is not supported yet";
    const std::string wanted =
        "must be http://..., https://..., pool:NAME, original, redirect:URL or respond:STATUS, not " + in_quotes(text);
    static constexpr std::array<std::string_view, 6> words{"http", "https", "redirect", "respond", "original", "pool"};
    const auto colon = text.find(':');
    const auto word = nearest(text.substr(0, colon), words);
    if (word.starts_with("http") && colon != std::string_view::npos)
        return wanted + "; did you mean \"" + std::string{word} + "://\"?";
    if (!word.empty()) return wanted + "; did you mean \"" + std::string{word} + (word == "original" ? "\"?" : ":\"?");
    const bool authority = is_visible_ascii(text) && text.find("://") == std::string_view::npos && text.size() <= 60;
    return wanted + (authority ? "; did you mean \"http://" + std::string{text} + "\"?" : "");
}

std::string judge_field_name(std::string_view text)
{
    const bool token = !text.empty() && text.size() <= 256 &&
                       all_of(text, [](char c) { return is_letter(c) || is_digit(c) || one_of(c, "!#$%&'*+-.^_`|~"); });
    if (!token) return "must be the name of a header field, not " + in_quotes(text);
    if (std::find(framing_fields.begin(), framing_fields.end(), lower(text)) != framing_fields.end())
        return in_quotes(text) + " cannot be changed: the gateway writes it anew on each side";
    return {};
}

std::string judge_field_value(std::string_view text)
{
    if (text.size() > longest_text_bytes) return judge_length(text);
    if (has_control(text)) return "has a control character, which a header field cannot hold";
    return judge_placeholders(text);
}

std::string judge_file(std::string_view text)
{
    if (auto wrong = judge_length(text); !wrong.empty()) return wrong;
    if (text[0] != '/') return "must be an absolute file name, not " + in_quotes(text);
    return has_control(text) ? "has a control character" : "";
}

std::string judge_socket(std::string_view text)
{
    if (auto wrong = judge_file(text); !wrong.empty()) return wrong;
    return text.size() > longest_socket_bytes ? "is longer than a socket's name can be (107 bytes)" : "";
}

std::string judge_group(std::string_view text)
{
    const bool good = !text.empty() && text.size() <= 32 && text[0] != '-' &&
                      all_of(text, [](char c) { return is_letter(c) || is_digit(c) || one_of(c, "_.-"); });
    return good ? "" : "must be the name of a group, not " + in_quotes(text);
}

/// What it is on this host can only be told of what is there already, and means the same for every program.
std::string judge_log_file(std::string_view text)
{
    if (auto wrong = judge_file(text); !wrong.empty() || text.starts_with("/dev/") || text.starts_with("/proc/"))
        return wrong;
    std::error_code absent;
    const auto found = std::filesystem::status(text, absent);
    if (!std::filesystem::is_fifo(found) && !std::filesystem::is_socket(found)) return {};
    return "is a pipe or a socket, whose reader could hold the gateway up: name a file, or stdout";
}

std::string judge_log_target(std::string_view text)
{
    if (text == "stdout" || text == "journal") return {};
    if (text.starts_with('/')) return judge_log_file(text);
    static constexpr std::array<std::string_view, 2> words{"stdout", "journal"};
    return "must be stdout, journal or an absolute file name, not " + in_quotes(text) + did_you_mean(text, words);
}

std::string judge_rule_id(std::string_view text)
{
    const auto id = parse_integer(text);
    return id && *id >= 1 && *id <= largest_rule_id
               ? ""
               : "must be the number of a rule such as 942100, not " + in_quotes(text);
}

std::string judge_rule_target(std::string_view text)
{
    // It ends inside a rule of the engine: quotes, commas, bars, semicolons and spaces would end it there.
    const auto colon = text.find(':');
    const auto variable = text.substr(0, colon);
    const bool good =
        text.size() <= 256 && !variable.empty() && is_letter(variable[0]) &&
        all_of(variable, [](char c) { return (is_letter(c) && c <= 'Z') || c == '_'; }) &&
        (colon == std::string_view::npos || (colon + 1 < text.size() && all_of(text.substr(colon + 1), [](char c) {
                                                 return is_letter(c) || is_digit(c) || one_of(c, "_.-[]/^$*+@:");
                                             })));
    return good ? "" : "must be what a rule looks at, such as ARGS:html or REQUEST_COOKIES, not " + in_quotes(text);
}

std::string judge_table(std::string_view text)
{
    const bool good = !text.empty() && text.size() <= longest_table_bytes && is_letter(text[0]) &&
                      all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
    return good ? "" : "must be a name of letters, digits and \"_\", not " + in_quotes(text);
}

std::string judge_include(std::string_view text)
{
    if (auto wrong = judge_length(text); !wrong.empty()) return wrong;
    return has_control(text) ? "has a control character" : "";
}

} // namespace gw::config
