#pragma once

#include "tests/support/lab_server.h"

#include <arpa/inet.h>
#include <string>

namespace gw::lab {

// PROXY headers as a server or a sender would write and read them by hand: nothing of the gateway's is used here.

enum class Header { none, v1, v2 };

inline std::string v2_header(char command, char kind, const std::string& block)
{
    const std::string size{static_cast<char>(block.size() >> 8), static_cast<char>(block.size())};
    return std::string{"\r\n\r\n\0\r\nQUIT\n", 12} + command + kind + size + block;
}

/// 192.0.2.7:40000 to 198.51.100.1:443.
inline std::string tcp4_block() { return std::string{"\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\x40\x01\xbb", 12}; }

inline std::string address_in(const std::string& block, std::size_t at, std::size_t port_at, bool v6)
{
    char text[INET6_ADDRSTRLEN]{};
    ::inet_ntop(v6 ? AF_INET6 : AF_INET, block.data() + at, text, sizeof text);
    const auto high = static_cast<unsigned char>(block[port_at]), low = static_cast<unsigned char>(block[port_at + 1]);
    const auto port = std::to_string(high * 256 + low);
    return v6 ? '[' + std::string{text} + "]:" + port : std::string{text} + ':' + port;
}

/// "10.0.1.2:4711 to 10.0.1.5:5222" out of the header that comes first; what is wrong with it, if anything is.
template <class From> std::string read_header(From& from, Header expected)
{
    if (expected == Header::v1) {
        const auto line = from.receives_until("\r\n");
        char family[8]{}, source[48]{}, destination[48]{};
        unsigned source_port = 0, destination_port = 0;
        const auto found = std::sscanf(line.c_str(), "PROXY %7s %47s %47s %u %u\r\n", family, source, destination,
                                       &source_port, &destination_port);
        if (found != 5) return "unreadable: " + line;
        const bool v6 = std::string{family} == "TCP6";
        const auto text = [v6](const std::string& address, unsigned port) {
            return (v6 ? '[' + address + ']' : address) + ':' + std::to_string(port);
        };
        return text(source, source_port) + " to " + text(destination, destination_port);
    }
    const auto head = from.receives(16);
    if (head.size() < 16 || head.substr(0, 13) != v2_header('\x21', 0, "").substr(0, 13)) return "unreadable";
    const auto size = static_cast<unsigned char>(head[14]) * 256U + static_cast<unsigned char>(head[15]);
    const auto block = from.receives(size);
    const bool v6 = head[13] == '\x21';
    if (block.size() < (v6 ? 36U : 12U)) return "too short";
    const std::size_t bytes = v6 ? 16 : 4;
    return address_in(block, 0, 2 * bytes, v6) + " to " + address_in(block, bytes, 2 * bytes + 2, v6);
}

/// Talks a little like XMPP: a stream's opening is answered with one that says who the client is, stanzas come back.
inline Origin::Script speaks_lines(Header expected)
{
    return [expected](Origin::Connection& connection) {
        const auto client = expected == Header::none ? connection.peer().text() : read_header(connection, expected);
        if (!connection.receives_until(">").ends_with(">")) return;
        connection.sends("<stream client='" + client + "'>");
        for (;;) {
            const auto stanza = connection.receives_until("/>");
            if (!stanza.ends_with("/>") || !connection.sends(stanza)) return;
        }
    };
}

} // namespace gw::lab
