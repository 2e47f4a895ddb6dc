#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace gw::intake::testing {

inline std::string number(std::size_t value, int size_bytes)
{
    std::string bytes;
    for (int shift = 8 * (size_bytes - 1); shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
    return bytes;
}

/// `content` behind its own length.
inline std::string vector(std::string_view content, int size_bytes)
{
    return number(content.size(), size_bytes) + std::string{content};
}

inline std::string extension(std::size_t type, std::string_view content)
{
    return number(type, 2) + vector(content, 2);
}

inline std::string server_name(std::string_view name)
{
    return extension(0, vector(std::string(1, '\0') + vector(name, 2), 2));
}

inline std::string alpn(const std::vector<std::string_view>& names)
{
    std::string list;
    for (const auto name : names) list += vector(name, 1);
    return extension(16, vector(list, 2));
}

/// A key share as large as X25519MLKEM768's.
inline std::string post_quantum_key_share()
{
    return extension(51, vector(number(0x11ec, 2) + vector(std::string(1216, 'k'), 2), 2));
}

/// The message without type and length; each part may be replaced.
struct ClientHello {
    std::string extensions;
    std::string session_id = std::string(32, 's');
    std::string ciphers = "\x13\x01\x13\x02";
    std::string compressions = std::string(1, '\0');

    std::string body() const
    {
        return "\x03\x03" + std::string(32, 'r') + vector(session_id, 1) + vector(ciphers, 2) +
               vector(compressions, 1) + vector(extensions, 2);
    }
};

inline std::string message(std::string_view body) { return '\x01' + vector(body, 3); }
inline std::string record(std::string_view content) { return "\x16\x03\x01" + vector(content, 2); }

/// `content` in records of at most `each_bytes`.
inline std::string records(std::string_view content, std::size_t each_bytes)
{
    std::string all;
    for (; !content.empty(); content.remove_prefix(std::min(each_bytes, content.size())))
        all += record(content.substr(0, each_bytes));
    return all;
}

inline std::string client_hello(std::string extensions)
{
    ClientHello hello;
    hello.extensions = std::move(extensions);
    return record(message(hello.body()));
}

} // namespace gw::intake::testing
