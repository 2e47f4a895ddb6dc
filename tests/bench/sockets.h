#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace gw::bench {

/// Ends the program: the bench cannot go on, and what reads our output has to see why.
[[noreturn]] inline void fail(const std::string& what)
{
    std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

inline sockaddr_in address_of(const std::string& address, int port)
{
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, address.c_str(), &made.sin_addr) != 1) fail("not an IPv4 address: " + address);
    return made;
}

/// "10.0.2.10:80".
inline sockaddr_in endpoint_of(const std::string& text)
{
    const auto colon = text.find(':');
    if (colon == std::string::npos) fail("not an address and port: " + text);
    return address_of(text.substr(0, colon), std::atoi(text.c_str() + colon + 1));
}

inline std::string text_of(const sockaddr_in& address)
{
    char text[INET_ADDRSTRLEN] = "";
    ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    return text;
}

inline const sockaddr* plain(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

inline void switch_on(int socket, int level, int option)
{
    const int on = 1;
    ::setsockopt(socket, level, option, &on, sizeof on);
}

} // namespace gw::bench
