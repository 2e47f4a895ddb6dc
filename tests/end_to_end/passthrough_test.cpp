// Connections that are passed on as they are: by TLS name, and whatever is not HTTP.

#include "tests/end_to_end/scene.h"

namespace gw::lab {
namespace {

void append_number(std::string& into, std::size_t value, int bytes)
{
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) into += static_cast<char>(value >> shift & 0xff);
}

/// RFC 8446 section 4.1.2: a ClientHello for `name` with a key share of that many bytes, in records of `record_bytes`.
std::string client_hello(const std::string& name, std::size_t key_share_bytes, std::size_t record_bytes = 16'384)
{
    std::string extensions;
    const auto extension = [&](std::size_t type, const std::string& content) {
        append_number(extensions, type, 2);
        append_number(extensions, content.size(), 2);
        extensions += content;
    };
    std::string names;
    append_number(names, name.size() + 3, 2);
    names += '\0';
    append_number(names, name.size(), 2);
    extension(0, names + name);
    extension(43, std::string("\x02\x03\x04", 3));
    std::string share;
    append_number(share, key_share_bytes + 4, 2);
    append_number(share, 0x11ec, 2); // X25519MLKEM768
    append_number(share, key_share_bytes, 2);
    extension(51, share + std::string(key_share_bytes, 'k'));

    std::string body("\x03\x03", 2);
    body += std::string(32, 'r') + std::string(1, '\0') + std::string("\x00\x02\x13\x01\x01\x00", 6);
    append_number(body, extensions.size(), 2);
    body += extensions;
    std::string message("\x01", 1);
    append_number(message, body.size(), 3);
    message += body;

    std::string records;
    for (std::size_t at = 0; at < message.size(); at += record_bytes) {
        const auto part = message.substr(at, record_bytes);
        records += std::string("\x16\x03\x01", 3);
        append_number(records, part.size(), 2);
        records += part;
    }
    return records;
}

/// Reads as many bytes, answers one word, and ends when the client does.
Origin::Script takes(std::size_t count)
{
    return [count](Origin::Connection& connection) {
        connection.receives(count);
        connection.sends("taken");
        connection.receives_all();
    };
}

TEST_F(Appliance, PassesTlsOnByItsNameWithTheServersOwnCertificate)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting());

    const auto v4 = network.client("10.0.1.3").asks("https://site.example/secret");
    const auto v6 = network.client("fd00:1::3").asks("https://site.example/secret");

    EXPECT_EQ(v4.status, 200) << v4.said;
    EXPECT_THAT(v4.certificate, HasSubstr(site.certificate()));
    EXPECT_EQ(v6.status, 200) << v6.said;
    EXPECT_EQ(site.log(2)[0].value("client", ""), "10.0.1.3");
    EXPECT_EQ(site.log(2)[1].value("client", ""), "fd00:1::3");
    const auto record = gateway.connection_record("10.0.1.3");
    EXPECT_EQ(record.value("protocol", ""), "tls");
    EXPECT_EQ(record.value("server_name", ""), "site.example");
    EXPECT_EQ(record.value("end", ""), "ok");
    EXPECT_GT(record.value("to_client_bytes", 0), 100);
}

TEST_F(Appliance, SendsTlsWhereARouteSaysByItsName)
{
    WebServer site(network, "site.example", 10), other(network, "other.example", 11);
    gateway.runs_with(intercepting("routes: [{host: site.example, to: \"https://10.0.2.11/\"}]"));

    const auto moved = network.client("10.0.1.2").asks("https://site.example/");
    EXPECT_EQ(moved.status, 200) << moved.said;
    EXPECT_THAT(moved.certificate, HasSubstr(other.certificate()));
}

TEST_F(Appliance, PassesOnALargeHelloHoweverItIsCut)
{
    const auto hello = client_hello("big.example", 1'216);
    const auto shredded = client_hello("shredded.example", 1'216, 7);
    ASSERT_GT(hello.size(), 1'300u);
    Origin whole(network.servers(), "10.0.2.11:443", takes(hello.size()));
    Origin pieces(network.servers(), "10.0.2.12:443", takes(shredded.size()));
    gateway.runs_with(intercepting());

    auto slow = network.client("10.0.1.2").dials("10.0.2.11:443");
    slow.sends_byte_by_byte(hello);
    EXPECT_EQ(slow.receives(5), "taken");
    auto fragmented = network.client("10.0.1.3").dials("10.0.2.12:443");
    fragmented.sends(shredded);
    EXPECT_EQ(fragmented.receives(5), "taken");
    slow.closes();
    fragmented.closes();

    EXPECT_EQ(whole.received(), hello);
    EXPECT_EQ(pieces.received(), shredded);
    EXPECT_EQ(gateway.connection_record("10.0.1.2").value("server_name", ""), "big.example");
    EXPECT_EQ(gateway.connection_record("10.0.1.3").value("server_name", ""), "shredded.example");
}

TEST_F(Appliance, RefusesAHelloThatNeverEnds)
{
    Origin origin(network.servers(), "10.0.2.11:443", takes(1));
    gateway.runs_with(intercepting());

    auto client = network.client("10.0.1.2").dials("10.0.2.11:443");
    client.sends(client_hello("huge.example", 20'000));
    EXPECT_EQ(client.receives_all(), "");

    EXPECT_EQ(gateway.connection_record("10.0.1.2").value("end", ""), "too_large");
    EXPECT_THAT(origin.received(), Not(HasSubstr("huge")));
}

TEST_F(Appliance, DoesNotStallAServerThatSpeaksFirst)
{
    Origin mail(network.servers(), "10.0.2.11:25", [](Origin::Connection& connection) {
        connection.sends("220 mail.example\r\n");
        while (!connection.receives_until("\r\n").empty()) connection.sends("250 fine\r\n");
    });
    gateway.runs_with(intercepting());

    const auto began = std::chrono::steady_clock::now();
    auto client = network.client("10.0.1.2").dials("10.0.2.11:25");
    EXPECT_EQ(client.receives_until("\r\n"), "220 mail.example\r\n");
    EXPECT_LT(std::chrono::steady_clock::now() - began, Milliseconds{2'000});
    client.sends("EHLO client\r\n");
    EXPECT_EQ(client.receives_until("\r\n"), "250 fine\r\n");
    client.closes();

    EXPECT_EQ(gateway.connection_record("10.0.1.2").value("protocol", ""), "server_first");
    EXPECT_EQ(mail.client_of(0).address.text(), "10.0.1.2");
}

TEST_F(Appliance, LetsAHesitatingHttpClientSpeak)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());
    gateway.runs_with(intercepting());

    auto client = network.client("10.0.1.2").dials("10.0.2.11:80");
    ASSERT_TRUE(origin.waits_for_connections(1)) << "the server was not dialled early";
    client.sends(request("GET", "/late", "site.example"));

    EXPECT_THAT(receive_message(client).body, StartsWith("GET /late HTTP/1.1\r\n"));
    EXPECT_EQ(origin.connections(), 1u);
}

TEST_F(Appliance, PassesOnTheEndOfOneDirection)
{
    Origin origin(network.servers(), "10.0.2.11:8001", [](Origin::Connection& connection) {
        const auto asked = connection.receives_all();
        connection.sends("you said " + asked);
        connection.ends_writing();
    });
    gateway.runs_with(intercepting());

    auto client = network.client("10.0.1.2").dials("10.0.2.11:8001");
    client.sends("\x01\x02 ping");
    client.ends_writing();

    EXPECT_EQ(client.receives_all(), "you said \x01\x02 ping");
    EXPECT_FALSE(client.was_reset());
    EXPECT_EQ(gateway.connection_record("10.0.1.2").value("end", ""), "ok");
}

std::string pattern(std::size_t size)
{
    std::string bytes(size, '\0');
    std::uint32_t state = 7;
    for (auto& byte : bytes) byte = static_cast<char>((state = state * 1'664'525 + 1'013'904'223) >> 24);
    return bytes;
}

TEST_F(Appliance, CarriesMuchBothWaysUnchanged)
{
    const auto bytes = '\x01' + pattern(24 * 1024 * 1024);
    Origin origin(network.servers(), "10.0.2.11:8001", [](Origin::Connection& connection) {
        const auto all = connection.receives_all();
        connection.sends(all);
    });
    gateway.runs_with(intercepting());

    auto client = network.client("10.0.1.2").dials("10.0.2.11:8001");
    client.sends(bytes);
    client.ends_writing();
    const auto back = client.receives_all();

    EXPECT_TRUE(back == bytes) << back.size() << " of " << bytes.size() << " bytes came back";
    const auto record = gateway.connection_record("10.0.1.2");
    EXPECT_EQ(record.value("from_client_bytes", std::size_t{0}), bytes.size());
    EXPECT_EQ(record.value("to_client_bytes", std::size_t{0}), bytes.size());
}

TEST_F(Appliance, HoldsTheSenderBackWhenNobodyReads)
{
    constexpr std::size_t much = 100 * 1024 * 1024;
    std::atomic<std::size_t> sent{0};
    Origin origin(network.servers(), "10.0.2.11:8001", [&](Origin::Connection& connection) {
        connection.receives(1);
        sent = connection.sends_until_stuck(much);
        connection.receives_all();
    });
    gateway.runs_with(intercepting());
    const auto before = gateway.memory_kib();

    auto client = network.client("10.0.1.2").dials("10.0.2.11:8001");
    client.sends("\x01");

    EXPECT_TRUE(eventually([&] { return sent > 0; }));
    EXPECT_LT(sent, much) << "nothing held the sender back";
    EXPECT_LT(gateway.memory_kib(), before + 8 * 1024);
    client.resets();
}

TEST_F(Appliance, PassesAResetOnInBothDirections)
{
    std::atomic<bool> origin_saw_reset{false};
    Origin resetting(network.servers(), "10.0.2.11:8001", [](Origin::Connection& connection) {
        connection.receives(2);
        connection.resets();
    });
    Origin waiting(network.servers(), "10.0.2.11:8002", [&](Origin::Connection& connection) {
        connection.receives(2);
        connection.sends("ok");
        connection.receives_all();
        origin_saw_reset = connection.was_reset();
    });
    gateway.runs_with(intercepting());

    auto first = network.client("10.0.1.2").dials("10.0.2.11:8001");
    first.sends("\x01\x02");
    first.receives_all();
    EXPECT_TRUE(first.was_reset());

    auto second = network.client("10.0.1.2").dials("10.0.2.11:8002");
    second.sends("\x01\x02");
    EXPECT_EQ(second.receives(2), "ok");
    second.resets();
    EXPECT_TRUE(eventually([&] { return origin_saw_reset.load(); }));
}

TEST_F(Appliance, EndsTheConnectionWhenTheServerRefusesIt)
{
    gateway.runs_with(intercepting());

    auto client = network.client("10.0.1.2").dials("10.0.2.11:8001");
    client.sends("\x01\x02");
    EXPECT_EQ(client.receives_all(), "");

    const auto record = gateway.connection_record("10.0.1.2");
    EXPECT_EQ(record.value("end", ""), "refused") << record;
    EXPECT_EQ(record.value("side", ""), "upstream") << record;
}

// The server is dialled for a client that says nothing, as it may be the one to speak first.
TEST_F(Appliance, LeavesASlowClientToItsRouteWhenItsServerRefuses)
{
    gateway.runs_with(intercepting("routes: [{to: \"respond:201 x\"}]"));
    auto slow = network.client("10.0.1.2").dials("10.0.2.11:80");
    EXPECT_EQ(slow.receives_within(Milliseconds{200}), "") << "the server has refused by now";
    slow.sends(request("GET", "/", "a.example"));
    EXPECT_THAT(receive_message(slow).head, StartsWith("HTTP/1.1 201"));
}

TEST_F(Appliance, EndsASilentClientAtOnceWhenItsServerRefusesAndNoRouteCouldTakeIt)
{
    gateway.runs_with(intercepting());
    auto silent = network.client("10.0.1.2").dials("10.0.2.11:8001");
    EXPECT_EQ(silent.receives_all(), "");
    EXPECT_EQ(gateway.connection_record("10.0.1.2").value("end", ""), "refused");
}

} // namespace
} // namespace gw::lab
