// HTTP/1.1 through the gateway, as clients and servers really speak it.

#include "tests/end_to_end/scene.h"

namespace gw::lab {
namespace {

constexpr auto origin_address = "10.0.2.11:80";

class Http : public Appliance {
protected:
    Client client() const { return network.client("10.0.1.2"); }
    Socket dial() const { return client().dials(origin_address); }
};

TEST_F(Http, KeepsConnectionsAliveOnBothSides)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());

    auto socket = dial();
    for (int number = 0; number < 5; ++number) {
        const auto target = "/" + std::to_string(number);
        socket.sends(request("GET", target, "site.example"));
        EXPECT_THAT(receive_message(socket).body, StartsWith("GET " + target + " HTTP/1.1\r\n"));
    }
    EXPECT_EQ(origin.connections(), 1u);
    EXPECT_TRUE(gateway.request_record("/4").value("reused", false));
}

TEST_F(Http, SharesAnUpstreamConnectionAmongClientsOnlyWhereTheServerCannotTell)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting("workers: 1", "client_address: gateway"));
    for (const auto* address : {"10.0.1.2", "10.0.1.3", "10.0.1.2"})
        EXPECT_EQ(network.client(address).asks("http://10.0.2.11/").status, 200);
    EXPECT_EQ(origin.connections(), 1u);

    gateway.reloads(intercepting("workers: 1"));
    for (const auto* address : {"10.0.1.2", "10.0.1.3"})
        EXPECT_EQ(network.client(address).asks("http://10.0.2.11/").status, 200);
    ASSERT_EQ(origin.connections(), 3u);
    EXPECT_EQ(origin.client_of(1).address.text(), "10.0.1.2");
    EXPECT_EQ(origin.client_of(2).address.text(), "10.0.1.3");
}

TEST_F(Http, AnswersPipelinedRequestsInOrder)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());

    auto socket = dial();
    socket.sends(request("GET", "/1", "a.example") + request("POST", "/2", "a.example", "Content-Length: 3\r\n") +
                 "abc" + request("GET", "/3", "a.example"));

    for (const auto* expected : {"GET /1 ", "POST /2 ", "GET /3 "})
        EXPECT_THAT(receive_message(socket).body, StartsWith(expected));
}

TEST_F(Http, CarriesChunksAndTrailersBothWays)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        const auto asked = receive_message(connection);
        connection.sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n" + chunk(asked.body) +
                         chunk(asked.trailers) + "0\r\nSum: 42\r\n\r\n");
        connection.receives_all();
    });
    gateway.runs_with(intercepting());

    auto socket = dial();
    socket.sends(request("POST", "/", "a.example", "Transfer-Encoding: chunked\r\nTrailer: X-Check\r\n"));
    socket.sends_byte_by_byte(chunk("hello ") + chunk("world"));
    socket.sends("0\r\nX-Check: 7\r\n\r\n");

    const auto answer = receive_message(socket);
    EXPECT_EQ(answer.body, "hello worldX-Check: 7\r\n");
    EXPECT_EQ(answer.trailers, "Sum: 42\r\n");
}

TEST_F(Http, PassesOnContinueAndThenTheBody)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        const auto head = connection.receives_until("\r\n\r\n");
        if (head.find("100-continue") == std::string::npos) return;
        connection.sends("HTTP/1.1 100 Continue\r\n\r\n");
        connection.sends(answer(200, connection.receives(4)));
        connection.receives_all();
    });
    gateway.runs_with(intercepting());

    auto socket = dial();
    socket.sends(request("PUT", "/", "a.example", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
    EXPECT_THAT(socket.receives_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 "));
    socket.sends("body");
    EXPECT_EQ(receive_message(socket).body, "body");
}

TEST_F(Http, PassesOnARefusalInPlaceOfContinue)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        connection.receives_until("\r\n\r\n");
        connection.sends(answer(401, "no"));
        connection.receives_all();
    });
    gateway.runs_with(intercepting());

    auto socket = dial();
    socket.sends(request("PUT", "/", "a.example", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
    const auto refused = receive_message(socket);
    EXPECT_THAT(refused.head, StartsWith("HTTP/1.1 401 "));
    EXPECT_EQ(refused.body, "no");
}

TEST_F(Http, KnowsWhichAnswersHaveNoBody)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        for (;;) {
            const auto asked = receive_message(connection);
            if (!asked.whole) return;
            const auto line = asked.first_line();
            if (line.starts_with("HEAD"))
                connection.sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
            else if (line.find("/204") != std::string::npos)
                connection.sends("HTTP/1.1 204 No Content\r\n\r\n");
            else if (line.find("/304") != std::string::npos)
                connection.sends("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"x\"\r\n\r\n");
            else
                connection.sends(answer(200, "end"));
        }
    });
    gateway.runs_with(intercepting());

    auto socket = dial();
    socket.sends(request("HEAD", "/", "a.example"));
    EXPECT_EQ(receive_message(socket, true).header("content-length"), "5");
    socket.sends(request("GET", "/204", "a.example"));
    EXPECT_THAT(receive_message(socket, true).head, StartsWith("HTTP/1.1 204 "));
    socket.sends(request("GET", "/304", "a.example"));
    EXPECT_EQ(receive_message(socket, true).header("etag"), "\"x\"");
    socket.sends(request("GET", "/", "a.example"));
    EXPECT_EQ(receive_message(socket).body, "end");
}

TEST_F(Http, TurnsIntoATunnelWhenTheServerUpgrades)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        connection.receives_until("\r\n\r\n");
        connection.sends(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nwelcome");
        for (;;) {
            const auto said = connection.receives_until("\n");
            if (said.empty()) return;
            connection.sends("echo " + said);
        }
    });
    gateway.runs_with(intercepting());

    auto socket = dial();
    socket.sends(request("GET", "/chat", "a.example", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    EXPECT_THAT(socket.receives_until("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
    EXPECT_EQ(socket.receives(7), "welcome");
    socket.sends("one\n");
    EXPECT_EQ(socket.receives_until("\n"), "echo one\n");
    socket.sends(std::string(100'000, 'x') + "\n");
    EXPECT_EQ(socket.receives_until("\n").size(), 100'006u);
}

TEST_F(Http, SpeaksHttp10WithThoseWhoDo)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        receive_message(connection);
        connection.sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("old ") + chunk("times") +
                         "0\r\n\r\n");
        connection.receives_all();
    });
    gateway.runs_with(intercepting());

    auto socket = dial();
    socket.sends("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
    const auto all = socket.receives_all();

    EXPECT_THAT(all, EndsWith("\r\n\r\nold times"));
    EXPECT_THAT(all, Not(HasSubstr("ransfer-")));
}

TEST_F(Http, CarriesABodyThatEndsWithTheConnection)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        receive_message(connection);
        connection.sends("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    });
    gateway.runs_with(intercepting());
    const auto answer = client().asks("http://10.0.2.11/");
    EXPECT_EQ(answer.exit_code, 0) << answer.said;
    EXPECT_EQ(answer.body, "until the end");
}

TEST_F(Http, SaysWhenAnAnswerIsCutShort)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        const auto asked = receive_message(connection);
        if (asked.first_line().find("chunked") != std::string::npos)
            connection.sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("half"));
        else
            connection.sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    });
    gateway.runs_with(intercepting());
    EXPECT_NE(client().asks("http://10.0.2.11/length").exit_code, 0);
    EXPECT_NE(client().asks("http://10.0.2.11/chunked").exit_code, 0);
    EXPECT_EQ(gateway.request_record("/chunked").value("side", ""), "upstream");
}

TEST_F(Http, HoldsALargeAnswerBackForASlowReader)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting());
    const auto before = gateway.memory_kib();

    auto socket = client().dials("10.0.2.10:80");
    socket.sends(request("GET", "/file/64", "site.example"));
    EXPECT_THAT(socket.receives_until("\r\n\r\n"), HasSubstr("Content-Length: 67108864"));
    EXPECT_EQ(socket.receives(1024 * 1024).size(), 1024u * 1024);
    // Whatever can be under way is under way when nothing moves any more.
    EXPECT_LT(gateway.memory_kib(), before + 8 * 1024);
    EXPECT_EQ(socket.receives(63 * 1024 * 1024).size(), 63u * 1024 * 1024);
    EXPECT_LT(gateway.memory_kib(), before + 8 * 1024);
    socket.closes();
    EXPECT_EQ(gateway.request_record("/file/64").value("response_bytes", std::size_t{0}), 64u * 1024 * 1024);
}

TEST_F(Http, CarriesALargeUploadInBoundedMemory)
{
    std::atomic<std::size_t> arrived{0};
    Origin origin(network.servers(), origin_address, [&](Origin::Connection& connection) {
        const auto head = connection.receives_until("\r\n\r\n");
        arrived = connection.receives(32 * 1024 * 1024).size();
        connection.sends(answer(201, "stored"));
        connection.receives_all();
    });
    gateway.runs_with(intercepting());
    const auto before = gateway.memory_kib();

    const Folder folder;
    folder.write("body", std::string(32 * 1024 * 1024, 'u'));
    const auto answer = client().asks("http://10.0.2.11/", {"-T", folder.path("body"), "-H", "Expect:"});

    EXPECT_EQ(answer.status, 201) << answer.said;
    EXPECT_EQ(arrived, 32u * 1024 * 1024);
    EXPECT_LT(gateway.memory_kib(), before + 8 * 1024);
}

TEST_F(Http, TriesAgainWhenAKeptConnectionHadEnded)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        if (receive_message(connection).whole) connection.sends(answer(200, "once"));
    });
    gateway.runs_with(intercepting());
    auto socket = dial();
    for (int turn = 0; turn < 5; ++turn) {
        socket.sends(request("GET", "/", "a.example"));
        EXPECT_EQ(receive_message(socket).body, "once");
    }
    EXPECT_EQ(origin.connections(), 5u);
}

// --- failures, each with its status

TEST_F(Http, Answers502WhenNobodyListens)
{
    gateway.runs_with(intercepting());
    EXPECT_EQ(client().asks("http://10.0.2.11/").status, 502);
    EXPECT_EQ(gateway.request_record("/").value("end", ""), "refused");
}

TEST_F(Http, Answers504WhenTheServerCannotBeReachedInTime)
{
    run_well({"sh", "-c",
              "nft add table inet hole && nft 'add chain inet hole c { type filter hook input priority 0; }' && "
              "nft add rule inet hole c tcp dport 8001 drop"},
             network.servers().place());
    gateway.runs_with(intercepting("timeouts: {connect: 300ms}"));
    EXPECT_EQ(client().asks("http://10.0.2.11:8001/").status, 504);
}

TEST_F(Http, Answers504WhenARoutesTimeHasPassed)
{
    Origin silent(network.servers(), origin_address, [](Origin::Connection& connection) { connection.receives_all(); });
    gateway.runs_with(intercepting("routes: [{path: /slow, to: original, timeout: 300ms}]"));
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(client().asks("http://10.0.2.11/slow").status, 504);
    EXPECT_LT(std::chrono::steady_clock::now() - began, Milliseconds{5'000});
}

TEST_F(Http, Answers502ToAnAnswerThatIsNotHttp)
{
    Origin origin(network.servers(), origin_address, answers("SSH-2.0-OpenSSH\r\n\r\n"));
    gateway.runs_with(intercepting());
    EXPECT_EQ(client().asks("http://10.0.2.11/").status, 502);
}

TEST_F(Http, Answers408ToARequestThatDoesNotEnd)
{
    gateway.runs_with(intercepting("timeouts: {request_head: 300ms}"));
    auto socket = dial();
    socket.sends("GET / HTTP/1.1\r\nHost: a.exa");
    EXPECT_THAT(socket.receives_all(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(Http, Answers413ToABodyLargerThanItsRouteTakes)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting("routes: [{to: original, max_body: 1KiB}]"));
    const auto post = [](const std::string& fields, const std::string& body) {
        return request("POST", "/", "a.example", fields) + body;
    };

    EXPECT_EQ(status_of(client(), origin_address, post("Content-Length: 1024\r\n", std::string(1024, 'x'))), 200);
    EXPECT_EQ(status_of(client(), origin_address, post("Content-Length: 1025\r\n", std::string(1025, 'x'))), 413);
    const auto chunks = chunk(std::string(1000, 'x')) + chunk(std::string(25, '#')) + "0\r\n\r\n";
    EXPECT_EQ(status_of(client(), origin_address, post("Transfer-Encoding: chunked\r\n", chunks)), 413);
    EXPECT_THAT(origin.received(), Not(HasSubstr("##")));
}

TEST_F(Http, KeepsTheLimitsOfARequestsHeadToTheByte)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting("limits: {header_bytes: 4KiB, headers: 10}"));
    const auto of_size = [](std::size_t size) {
        auto text = request("GET", "/", "a.example", "X: ");
        text.insert(text.size() - 2, std::string(size - text.size() - 2, 'x') + "\r\n");
        return text;
    };
    const auto fields = [](int count) {
        std::string lines;
        for (int number = 1; number < count; ++number) lines += "X-" + std::to_string(number) + ": 1\r\n";
        return request("GET", "/", "a.example", lines);
    };
    ASSERT_EQ(of_size(4096).size(), 4096u);

    EXPECT_EQ(status_of(client(), origin_address, of_size(4096)), 200);
    EXPECT_EQ(status_of(client(), origin_address, of_size(4097)), 431);
    EXPECT_EQ(status_of(client(), origin_address, fields(10)), 200);
    EXPECT_EQ(status_of(client(), origin_address, fields(11)), 431);
}

TEST_F(Http, Answers414ToATargetThatIsTooLong)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());
    EXPECT_EQ(status_of(client(), origin_address, request("GET", "/" + std::string(8191, 'a'), "a.example")), 200);
    EXPECT_EQ(status_of(client(), origin_address, request("GET", "/" + std::string(8192, 'a'), "a.example")), 414);
}

// --- never an open proxy, never believing a stranger

TEST_F(Http, NeverLeavesTheDestinationTheClientDialled)
{
    Origin dialled(network.servers(), origin_address, echoes()), named(network.servers(), "10.0.2.12:80", echoes());
    gateway.runs_with(intercepting());

    const auto forged = client().asks("http://10.0.2.11/", {"-H", "Host: 10.0.2.12"});
    EXPECT_THAT(forged.body, HasSubstr("Host: 10.0.2.12\r\n"));
    auto absolute = dial();
    absolute.sends("GET http://10.0.2.12/path?q HTTP/1.1\r\nHost: 10.0.2.12\r\n\r\n");
    EXPECT_THAT(receive_message(absolute).body, StartsWith("GET /path?q HTTP/1.1\r\n"));
    auto connect = dial();
    connect.sends(
        "CONNECT 10.0.2.12:80 HTTP/1.1\r\nHost: 10.0.2.12:80\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto refused = connect.receives_until("\r\n\r\n");

    EXPECT_THAT(refused, StartsWith("HTTP/1.1 4"));
    EXPECT_EQ(named.connections(), 0u);
}

TEST_F(Http, SaysWhoAskedAndBelievesNobodyElse)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());

    const auto answer = client().asks(
        "http://10.0.2.11/", {"-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Forwarded-Host: evil", "-H",
                              "Forwarded: for=6.6.6.6", "-H", "X-Forwarded-Proto: evil", "-H", "X-Real-IP: 6.6.6.6"});

    EXPECT_THAT(answer.body, HasSubstr("X-Forwarded-For: 10.0.1.2\r\n"));
    EXPECT_THAT(answer.body, HasSubstr("X-Forwarded-Proto: http\r\n"));
    EXPECT_THAT(answer.body, HasSubstr("for=10.0.1.2"));
    EXPECT_THAT(answer.body, Not(HasSubstr("evil")));
    EXPECT_THAT(answer.body, Not(HasSubstr("Forwarded-For: 6.6.6.6")));
    EXPECT_THAT(answer.body, Not(HasSubstr("for=6.6.6.6")));
}

TEST_F(Http, EndsHopByHopFieldsHere)
{
    Origin origin(network.servers(), origin_address, [](Origin::Connection& connection) {
        const auto asked = receive_message(connection);
        connection.sends(answer(200, asked.head,
                                "Connection: X-Secret, keep-alive\r\nX-Secret: 2\r\nKeep-Alive: timeout=5\r\n"
                                "X-Public: 3\r\n"));
        connection.receives_all();
    });
    gateway.runs_with(intercepting());

    const auto answer = client().asks("http://10.0.2.11/",
                                      {"-H", "Connection: X-Mine, close", "-H", "X-Mine: 1", "-H", "Keep-Alive: 300",
                                       "-H", "TE: trailers", "-H", "Proxy-Connection: keep-alive", "-H", "X-Yours: 2"});

    for (const auto* gone : {"X-Mine", "Keep-Alive", "Proxy-Connection"})
        EXPECT_THAT(answer.body, Not(HasSubstr(gone)));
    EXPECT_THAT(answer.body, HasSubstr("X-Yours: 2\r\n"));
    EXPECT_EQ(answer.header("X-Secret"), "");
    EXPECT_EQ(answer.header("X-Public"), "3");
}

} // namespace
} // namespace gw::lab
