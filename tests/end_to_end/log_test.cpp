// The access log: one line each, and nothing a client sends can make another.

#include "tests/end_to_end/scene.h"

namespace gw::lab {
namespace {

TEST_F(Appliance, WritesOneRecordARequestWhateverBytesItHolds)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());
    gateway.runs_with(intercepting());
    const std::string forged = "\"}\n{\"kind\":\"request\",\"target\":\"/forged\"}\r\n";

    for (int byte = 0; byte < 256; ++byte)
        for (const auto& place : {0, 1, 2}) {
            const std::string odd = std::string("a") + static_cast<char>(byte) + "b";
            const auto bytes = place == 0   ? request("GET", "/t" + odd, "a.example", "Connection: close\r\n")
                               : place == 1 ? request("GET", "/h", odd, "Connection: close\r\n")
                                            : request("GE" + odd, "/m", "a.example", "Connection: close\r\n");
            status_of(network.client("10.0.1.2"), "10.0.2.11:80", bytes);
        }
    status_of(network.client("10.0.1.2"), "10.0.2.11:80", request("GET", "/x" + forged, forged, forged));
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/last").status, 200);

    gateway.request_record("/last");
    const auto all_connections_ended = [&] {
        std::size_t ended = 0;                     // of many that came to nothing, part is only counted
        for (const auto& each : gateway.records()) // each line is checked to be an object
            ended += each.value("kind", "") == "connection" ? 1 : each.value("connections", std::size_t{0});
        return ended >= 256 * 3;
    };
    EXPECT_TRUE(eventually(all_connections_ended));
    for (const auto& record : gateway.records()) EXPECT_NE(record.value("target", ""), "/forged");
    EXPECT_EQ(gateway.record([&](const Json& each) { return each.value("target", "") == "/taQb"; }).value("status", 0),
              200);
    const Folder folder;
    const auto checked = run({"jq", "-e", "-c", ".kind", folder.write("log", gateway.process().out())});
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
}

TEST_F(Appliance, WritesOneRecordAConnectionWhateverNameItHas)
{
    Origin origin(network.servers(), "10.0.2.11:443",
                  [](Origin::Connection& connection) { connection.receives_all(); });
    gateway.runs_with(intercepting());
    for (const std::string& start : {std::string("\x16\x03\x01\xff\xff"), std::string("\n{\"kind\":\"x\"}\n"),
                                     std::string(300, '\n'), std::string("\x1b[31m\x00\x07", 7)}) {
        SCOPED_TRACE(start.size());
        auto client = network.client("10.0.1.4").dials("10.0.2.11:443");
        client.sends(start);
        client.ends_writing();
        client.receives_all();
    }
    for (std::size_t number = 0; number < 4; ++number) {
        const auto record = gateway.connection_record("10.0.1.4", number);
        EXPECT_LT(record.value("duration_ms", 0.0), 5'000) << record;
    }
    for (const auto& record : gateway.records()) EXPECT_EQ(record.value("kind", ""), "connection") << record;
}

TEST_F(Appliance, WritesForPeopleToAFileWithoutControlCharacters)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());
    const Folder folder;
    gateway.runs_with(intercepting("logs: {access: {format: human, to: " + folder.path("access.log") + "}}"));
    status_of(network.client("10.0.1.2"), "10.0.2.11:80", request("GET", "/colour\xff", "a.example"));
    network.client("10.0.1.2").asks("http://10.0.2.11/plain");
    EXPECT_TRUE(eventually([&] { return read_file(folder.path("access.log")).find("/plain") != std::string::npos; }));
    for (const char byte : read_file(folder.path("access.log")))
        EXPECT_TRUE(byte == '\n' || (byte >= ' ' && byte < '\x7f'));
    EXPECT_EQ(gateway.process().out(), "");
}

TEST_F(Appliance, NeverWritesWhatIsSecret)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());
    gateway.runs_with(intercepting("logs: {level: debug}"));
    network.client("10.0.1.2")
        .asks("http://10.0.2.11/",
              {"-H", "Authorization: Bearer c4n4ry", "-H", "Cookie: s=c4n4ry", "--data", "password=c4n4ry"});
    gateway.request_record("/");
    EXPECT_THAT(gateway.process().out() + gateway.log(), Not(HasSubstr("c4n4ry")));
}

} // namespace
} // namespace gw::lab
