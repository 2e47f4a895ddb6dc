#include "gateway/intake/client_hello.h"

#include <cstdint>
#include <utility>

namespace gw::intake {

namespace {

constexpr std::uint32_t server_name_type = 0;
constexpr std::uint32_t alpn_type = 16;
constexpr std::uint32_t encrypted_client_hello_type = 0xfe0d;

constexpr std::size_t version_and_random_bytes = 2 + 32;
constexpr std::size_t max_session_id_bytes = 32;
constexpr std::size_t max_server_name_bytes = 255;

/// Takes fields off the front. Once one did not fit, nothing does and `broken` stays true.
class Fields {
public:
    explicit Fields(std::string_view rest) : rest_(rest) {}

    std::string_view bytes(std::size_t count)
    {
        if (rest_.size() < count) {
            broken_ = true;
            rest_ = {};
            return {};
        }
        const auto taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    std::uint32_t number(std::size_t size_bytes)
    {
        std::uint32_t value = 0;
        for (const char c : bytes(size_bytes)) value = value << 8 | static_cast<std::uint8_t>(c);
        return value;
    }
    /// A field behind its own length of `size_bytes` bytes.
    std::string_view vector(std::size_t size_bytes) { return bytes(number(size_bytes)); }

    bool at_end() const { return rest_.empty(); }
    bool broken() const { return broken_; }

private:
    std::string_view rest_;
    bool broken_ = false;
};

bool is_host_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/// A host name in lower case without the dot at its end; empty when it is none.
std::string host_name(std::string_view name)
{
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty() || name.size() > max_server_name_bytes) return {};
    std::string lower{name};
    char before = '.';
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (!is_host_name_byte(c) || (c == '.' && before == '.')) return {}; // an empty label
        before = c;
    }
    if (before == '.') return {};
    return lower;
}

/// Exactly one entry, a host_name. RFC 6066 3: no two of one type, and no other type was ever defined.
bool read_server_name(std::string_view extension, Hello& into)
{
    Fields outer{extension};
    Fields list{outer.vector(2)};
    const auto type = list.number(1);
    const auto name = list.vector(2);
    if (outer.broken() || !outer.at_end() || list.broken() || !list.at_end() || type != 0) return false;
    into.server_name = host_name(name);
    return !into.server_name.empty();
}

bool read_alpn(std::string_view extension, Hello& into)
{
    Fields outer{extension};
    Fields list{outer.vector(2)};
    if (outer.broken() || !outer.at_end() || list.at_end()) return false;
    while (!list.at_end()) {
        const auto name = list.vector(1);
        if (list.broken() || name.empty()) return false;
        if (into.alpn.size() < max_alpn_kept) into.alpn.emplace_back(name);
    }
    return true;
}

bool read_extensions(Fields extensions, Hello& into)
{
    bool named = false;
    bool protocols = false;
    while (!extensions.at_end()) {
        const auto type = extensions.number(2);
        const auto content = extensions.vector(2);
        if (extensions.broken()) return false;
        // Twice the same would let us read the one and the server the other.
        if (type == server_name_type && (std::exchange(named, true) || !read_server_name(content, into))) return false;
        if (type == alpn_type && (std::exchange(protocols, true) || !read_alpn(content, into))) return false;
        if (type == encrypted_client_hello_type && std::exchange(into.encrypted_client_hello, true)) return false;
    }
    return true;
}

} // namespace

std::optional<Hello> parse_client_hello(std::string_view body)
{
    Fields fields{body};
    fields.bytes(version_and_random_bytes);
    const auto session_id = fields.vector(1);
    const auto ciphers = fields.vector(2);
    const auto compressions = fields.vector(1);
    if (fields.broken() || session_id.size() > max_session_id_bytes) return std::nullopt;
    if (ciphers.empty() || ciphers.size() % 2 != 0 || compressions.empty()) return std::nullopt;

    Hello hello;
    hello.kind = Hello::Kind::tls;
    if (fields.at_end()) return hello; // before TLS 1.3 the extensions may be absent
    const Fields extensions{fields.vector(2)};
    if (fields.broken() || !fields.at_end() || !read_extensions(extensions, hello)) return std::nullopt;
    return hello;
}

} // namespace gw::intake
