// Every byte a client puts where the log tells of it comes out again, whole and on its own line.

#include "tests/end_to_end/scene.h"
#include "tests/gateway/intake/client_hello_builder.h"

#include <map>

namespace gw::lab {
namespace {

unsigned hex_digit(char c) { return static_cast<unsigned>(c >= 'a' ? c - 'a' + 10 : c - '0'); }

/// The bytes behind a value of a line as it was written: what no UTF-8 is was escaped byte by byte.
std::string bytes_of(std::string_view line, std::string_view name)
{
    const auto key = "\"" + std::string(name) + "\":\"";
    auto at = line.find(key);
    if (at == std::string_view::npos) return "(none)";
    std::string bytes;
    for (at += key.size(); at < line.size() && line[at] != '"'; ++at) {
        if (line[at] != '\\') {
            bytes += line[at];
        } else if (line[at + 1] == 'u') {
            bytes += static_cast<char>(hex_digit(line[at + 4]) * 16 + hex_digit(line[at + 5]));
            at += 5;
        } else {
            bytes += line[++at];
        }
    }
    return bytes;
}

class LogRoundTrip : public Appliance {
protected:
    /// Lines of connections and of requests, by the client's port.
    std::map<int, std::string> lines_of(std::string_view kind) const
    {
        std::map<int, std::string> found;
        std::istringstream lines(gateway.process().out());
        for (std::string line; std::getline(lines, line);) {
            const auto json = Json::parse(line, nullptr, false);
            EXPECT_TRUE(json.is_object()) << line;
            if (!json.is_object() || json.value("kind", "") != kind) continue;
            if (const auto client = Endpoint::parse(json.value("client", ""))) found[client->port] = line;
        }
        return found;
    }
    /// Sends these bytes over a connection of its own, waits for its end, and gives the client's port: each has
    /// another.
    int sends(std::string_view endpoint, std::string_view bytes)
    {
        auto socket = network.client("10.0.1.2").dials(endpoint, next_port_++);
        socket.sends(bytes);
        socket.ends_writing();
        socket.receives_all();
        ++connections_;
        return socket.name().port;
    }
    /// Each has its line, or is one of those that were refused faster than the log takes lines of such.
    bool all_are_told() const
    {
        return eventually([&] { return lines_of("connection").size() + suppressed() == connections_; });
    }
    std::size_t suppressed() const
    {
        std::size_t sum = 0;
        std::istringstream lines(gateway.process().out());
        for (std::string line; std::getline(lines, line);)
            if (const auto json = Json::parse(line, nullptr, false); json.value("kind", "") == "suppressed")
                sum += json.value("connections", std::size_t{0});
        return sum;
    }
    /// What `gatewayctl log` prints for people holds nothing that drives a terminal.
    void expect_fit_for_a_terminal() const
    {
        for (const char byte : gateway.ctl({"log", "--limit", "2000"}).out)
            ASSERT_TRUE(byte == '\n' || static_cast<unsigned char>(byte) >= 0x20) << int{byte};
    }
    std::size_t connections_ = 0;
    std::uint16_t next_port_ = 20'000;
};

TEST_F(LogRoundTrip, GivesBackEveryByteOfANameInAClientHello)
{
    namespace hello = gw::intake::testing;
    Origin origin(network.servers(), "10.0.2.11:443",
                  [](Origin::Connection& connection) { connection.receives_all(); });
    gateway.runs_with(intercepting());
    std::map<int, std::string> sent;
    std::vector<std::string> names{"\xc3\xa9",           "\xe2\x80\xa8",
                                   "\xc2\x85",           "\xf0\x9f\x98\x80",
                                   "\xed\xa0\x80",       "\"}\n{\"kind\":\"connection\",\"client\":\"10.9.9.9:9\"}\n",
                                   "\x1b[2J\x1b]0;x\x07"};
    for (int byte = 0; byte < 256; ++byte) names.push_back(std::string(1, static_cast<char>(byte)));
    for (const auto& name : names) {
        const auto whole = "a" + name + "b.example";
        const auto body = hello::ClientHello{hello::server_name(whole)}.body();
        sent[sends("10.0.2.11:443", "\x16\x03\x01" + hello::vector(hello::message(body), 2))] = whole;
    }
    ASSERT_TRUE(all_are_told());
    std::size_t told = 0;
    for (const auto& [port, line] : lines_of("connection")) {
        ASSERT_TRUE(sent.contains(port)) << "a forged line: " << line;
        const auto name = bytes_of(line, "server_name");
        if (name == "(none)") continue; // no name at all for the gateway, and so none in its log
        ++told;
        auto expected = sent[port];
        for (auto& c : expected) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
        EXPECT_EQ(name, expected);
    }
    EXPECT_GT(told, 30u);
    expect_fit_for_a_terminal();
}

TEST_F(LogRoundTrip, GivesBackEveryByteOfATargetAHostAndAMethod)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());
    gateway.runs_with(intercepting("logs: {access: {query: full}}"));
    struct Sent {
        std::string method, target, host;
    };
    std::map<int, Sent> sent;
    for (int byte = 0; byte < 256; ++byte) {
        const std::string one(1, static_cast<char>(byte));
        for (const auto& each :
             {Sent{"GET", "/t" + one + "x", "a.example"}, Sent{"GET", "/t?q" + one + "x", "a.example"},
              Sent{"GET", "/h", "a" + one + "b"}, Sent{"G" + one + "T", "/m", "a.example"}})
            sent[sends("10.0.2.11:80", request(each.method, each.target, each.host, "Connection: close\r\n"))] = each;
    }
    ASSERT_TRUE(all_are_told());
    const auto requests = lines_of("request");
    std::size_t told = 0;
    for (const auto& [port, line] : requests) {
        ASSERT_TRUE(sent.contains(port)) << "a forged line: " << line;
        if (Json::parse(line).value("status", 0) == 400) continue; // not understood: nothing of it is told
        ++told;
        EXPECT_EQ(bytes_of(line, "method"), sent[port].method);
        EXPECT_EQ(bytes_of(line, "target"), sent[port].target);
        auto host = sent[port].host;
        for (auto& c : host) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
        EXPECT_EQ(bytes_of(line, "host"), host.substr(0, host.find(':')));
    }
    EXPECT_GT(told, 256u);
    expect_fit_for_a_terminal();
}

} // namespace
} // namespace gw::lab
