#pragma once

#include "tests/support/lab.h"

#include <gmock/gmock.h>

namespace gw::lab {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// A listener that takes over what most tests send: web ports of all servers, and some for scripted ones. `more`
/// follows.
inline std::string intercepting(std::string_view more = "", std::string_view of_listener = "")
{
    std::string yaml = "listeners:\n"
                       "  - name: web\n"
                       "    intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [25, 80, 443, 8000-8100]}\n";
    if (!of_listener.empty()) yaml.append("    ").append(of_listener).append("\n");
    return yaml.append(more);
}

/// Sends bytes on a connection of its own and gives the status of the answer, 0 when there was none.
inline int status_of(const Client& client, std::string_view endpoint, std::string_view bytes)
{
    auto socket = client.dials(endpoint);
    if (!socket.connected()) return 0;
    socket.sends(bytes);
    socket.ends_writing();
    const auto answer = socket.receives_all();
    return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.c_str() + 9) : 0;
}

/// Says every line again, for connections that are relayed for long.
inline Origin::Script repeats_lines()
{
    return [](Origin::Connection& connection) {
        for (;;) {
            const auto said = connection.receives_until("\n");
            if (said.empty() || !connection.sends(said)) return;
        }
    };
}

/// A relay from a client to such a server, while both ends still have it.
class LongRelay {
public:
    LongRelay(const Network& network, std::string_view endpoint, std::string address = "10.0.1.2")
        : socket_(network.client(std::move(address)).dials(endpoint))
    {}
    /// The first bytes are of no protocol that is looked into.
    bool works()
    {
        const auto said = "\x01 line " + std::to_string(++lines_) + "\n";
        return socket_.connected() && socket_.sends(said) && socket_.receives_until("\n") == said;
    }
    void closes() { socket_.closes(); }

private:
    Socket socket_;
    int lines_ = 0;
};

} // namespace gw::lab
