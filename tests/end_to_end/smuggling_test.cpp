// No request is ever read in two ways: what is doubtful is refused, and nothing of it reaches the server. Each test
// sends a request for /smuggled where a careless reader would take it for one; the server's records must not know of
// it.

#include "tests/end_to_end/scene.h"

#include <array>

namespace gw::lab {
namespace {

constexpr auto origin_address = "10.0.2.11:80";
const std::string marker = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";

class Smuggling : public Appliance {
protected:
    /// Sends bytes on a connection of its own; true when the gateway refused them, whatever it did with what follows.
    bool refused(const std::string& bytes) const
    {
        const auto status = status_of(network.client("10.0.1.2"), origin_address, bytes);
        return status == 0 || (status >= 400 && status < 600);
    }
};

std::string printable(std::string_view bytes)
{
    std::string text;
    for (const char byte : bytes.substr(0, 300))
        if (byte >= ' ' && byte < '\x7f')
            text += byte;
        else
            text += "\\x" + chunk(std::string(static_cast<unsigned char>(byte), ' ')).substr(0, 2);
    return text;
}

// A1

TEST_F(Smuggling, RefusesEveryMixtureOfLengthAndCoding)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());
    const std::array lengths{"Content-Length: 6",
                             "Content-Length: 0",
                             "Content-Length: 44",
                             "content-length: 6",
                             "CONTENT-LENGTH:6",
                             "Content-Length:\t6",
                             "Content-Length: 6 ",
                             "Content-Length: 06",
                             "Content-Length : 6",
                             " Content-Length: 6",
                             "Content-Length: +6",
                             "Content-Length: -6",
                             "Content-Length: 6, 6",
                             "Content-Length: 6,7",
                             "Content-Length: 0x6",
                             "Content-Length: 6;",
                             "Content-Length: ",
                             "Content-Length: 6\r\nContent-Length: 6",
                             "Content-Length: 6\r\nContent-Length: 7",
                             "Content-Length: 6\r\n 7",
                             "Content-Length: 18446744073709551622",
                             "Content-Length: 99999999999999999999999"};
    const std::array codings{"Transfer-Encoding: chunked",
                             "transfer-encoding: chunked",
                             "Transfer-Encoding: Chunked",
                             "Transfer-Encoding:chunked",
                             "Transfer-Encoding:\tchunked",
                             "Transfer-Encoding: chunked ",
                             "Transfer-Encoding : chunked",
                             " Transfer-Encoding: chunked",
                             "Transfer-Encoding: xchunked",
                             "Transfer-Encoding: chunked, identity",
                             "Transfer-Encoding: identity",
                             "Transfer-Encoding: identity, chunked",
                             "Transfer-Encoding: chunked, chunked",
                             "Transfer-Encoding: gzip, chunked",
                             "Transfer-Encoding: \"chunked\"",
                             "Transfer-Encoding: chunked;q=1",
                             "Transfer-Encoding: \x0b"
                             "chunked",
                             "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
                             "Transfer-Encoding:\r\n chunked",
                             "Transfer-Encoding: "};
    for (const auto* length : lengths)
        for (const auto* coding : codings)
            for (const bool first : {true, false}) {
                const auto fields = std::string(first ? length : coding) + "\r\n" + (first ? coding : length) + "\r\n";
                const auto bytes = request("POST", "/ambiguous", "a.example", fields) + "0\r\n\r\n" + marker;
                EXPECT_TRUE(refused(bytes)) << printable(bytes);
            }
    EXPECT_THAT(origin.received(), Not(HasSubstr("smuggled")));
    EXPECT_THAT(origin.received(), Not(HasSubstr("ambiguous")));
}

TEST_F(Smuggling, RefusesLengthsAndCodingsThatAreNotPlain)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());
    const std::array fields{"Content-Length: +3",
                            "Content-Length: -3",
                            "Content-Length: 0x3",
                            "Content-Length: 3;",
                            "Content-Length: 3 3",
                            "Content-Length: ",
                            "Content-Length: three",
                            "Content-Length: 3, 4",
                            "Content-Length: 3\r\nContent-Length: 4",
                            "Content-Length : 3",
                            "Content-Length\t: 3",
                            "Content-Length\x0b: 3",
                            "Content-Length: 3\r\n 4",
                            "Content-Length: 18446744073709551619",
                            "Transfer-Encoding: xchunked",
                            "Transfer-Encoding: chunked, identity",
                            "Transfer-Encoding: chunked, chunked",
                            "Transfer-Encoding: identity",
                            "Transfer-Encoding: gzip",
                            "Transfer-Encoding: \"chunked\"",
                            "Transfer-Encoding : chunked",
                            "Transfer-Encoding:\r\n chunked",
                            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"};
    for (const auto* field : fields) {
        const auto bytes =
            request("POST", "/ambiguous", "a.example", std::string(field) + "\r\n") + "0\r\n\r\n" + marker;
        EXPECT_TRUE(refused(bytes)) << printable(bytes);
    }
    // HTTP/1.0 has no codings.
    EXPECT_TRUE(refused("POST /ambiguous HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + marker));
    EXPECT_THAT(origin.received(), Not(HasSubstr("smuggled")));
    EXPECT_THAT(origin.received(), Not(HasSubstr("ambiguous")));
}

// A2

TEST_F(Smuggling, RefusesChunksThatAreNotPlain)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());
    const std::string big(70'000, 'e');
    const std::vector<std::string> bodies{
        "3\nabc\r\n0\r\n\r\n", // bare LF
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",      // no line break behind the data
        "3\r\nabcd\r\n0\r\n\r\n", // more data than said
        "3\r\nabc\r\n0\n\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3_\r\nabc\r\n0\r\n\r\n",
        "g\r\nabc\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nabc",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "3;" + big + "\r\nabc\r\n0\r\n\r\n", // an endless extension
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        std::string("3\0\r\nabc\r\n0\r\n\r\n", 14),
        "0\r\nBad Trailer: 1\r\n\r\n",
        "0\r\nNo-Colon\r\n\r\n",
        "0\r\nA: 1\nB: 2\r\n\r\n",
        "0\r\nX: " + big + "\r\n\r\n",
    };
    for (const auto& body : bodies)
        for (const bool bytewise : {false, true}) {
            if (bytewise && body.size() > 1'000) continue;
            auto socket = network.client("10.0.1.2").dials(origin_address);
            socket.sends(request("POST", "/chunks", "a.example", "Transfer-Encoding: chunked\r\n"));
            if (bytewise)
                socket.sends_byte_by_byte(body);
            else
                socket.sends(body);
            socket.sends(marker);
            socket.ends_writing();
            const auto answer = socket.receives_all();
            EXPECT_THAT(answer, ::testing::AnyOf("", StartsWith("HTTP/1.1 4"))) << printable(body);
        }
    EXPECT_THAT(origin.received(), Not(HasSubstr("smuggled")));
}

TEST_F(Smuggling, NeverPassesForbiddenTrailersOn)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());
    auto socket = network.client("10.0.1.2").dials(origin_address);
    socket.sends(
        request("POST", "/", "a.example", "Transfer-Encoding: chunked\r\n") + chunk("abc") +
        "0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: evil\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
    socket.receives_until("\r\n\r\n");
    for (const auto* forbidden : {"Content-Length: 5", "evil", "6.6.6.6"})
        EXPECT_THAT(origin.received(), Not(HasSubstr(forbidden)));
}

// A3

TEST_F(Smuggling, NeverTakesABodyNobodyReadForTheNextRequest)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting(R"(
routes:
  - {path: /small, to: original, max_body: 16}
  - {path: /gone, to: "respond:404 nothing here"}
  - {path: /moved, to: "redirect:https://a.example/"}
)"));
    for (const auto* target : {"/small", "/gone", "/moved"})
        for (const std::size_t padding : {0u, 1u, 1'000u, 65'536u, 300'000u}) {
            const auto body = std::string(padding, 'p') + marker;
            auto socket = network.client("10.0.1.2").dials(origin_address);
            socket.sends(
                request("POST", target, "a.example", "Content-Length: " + std::to_string(body.size()) + "\r\n"));
            const auto answer = padding == 1'000 ? socket.receives_until("\r\n\r\n") : "";
            socket.sends(body);
            socket.ends_writing();
            socket.receives_all();
        }
    EXPECT_THAT(origin.received(), Not(HasSubstr("smuggled")));
    EXPECT_EQ(origin.connections(), 0u);
}

TEST_F(Smuggling, NeverReusesAServersConnectionWithABodyPending)
{
    // Answers as soon as it has a head, as careless servers do, then takes whatever comes for a head again.
    Origin hasty(network.servers(), origin_address, [](Origin::Connection& connection) {
        while (connection.receives_until("\r\n\r\n").ends_with("\r\n\r\n"))
            if (!connection.sends(answer(200, "hasty"))) return;
    });
    gateway.runs_with(intercepting("workers: 1", "client_address: gateway"));

    for (int turn = 0; turn < 20; ++turn) {
        auto socket = network.client("10.0.1.2").dials(origin_address);
        socket.sends(
            request("POST", "/early", "a.example", "Content-Length: " + std::to_string(marker.size()) + "\r\n"));
        EXPECT_EQ(receive_message(socket).body, "hasty");
        socket.sends(marker);
        socket.ends_writing();
        socket.receives_all();
        auto next = network.client("10.0.1.3").dials(origin_address);
        next.sends(request("GET", "/victim", "a.example"));
        EXPECT_EQ(receive_message(next).body, "hasty");
    }
    for (std::size_t number = 0; number < hasty.connections(); ++number) {
        const auto all = hasty.received_on(number);
        const auto victim = all.find("/victim");
        EXPECT_TRUE(victim == std::string::npos || all.find("/early") == std::string::npos ||
                    all.find("/early") > victim || all.find("smuggled") == std::string::npos)
            << "a body reached the server in front of somebody else's request:\n"
            << all;
    }
}

// A4

TEST_F(Smuggling, HoldsWhatFollowsAnUpgradeUntilTheServerAccepts)
{
    struct Case {
        const char* address;
        std::string answer;
        bool accepts;
    };
    const std::array cases{
        Case{"10.0.2.12:80", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", true},
        Case{"10.0.2.13:80", answer(200, "as usual"), false},
        Case{"10.0.2.14:80", answer(426, "no"), false},
        Case{"10.0.2.15:80", "", false},
    };
    gateway.runs_with(intercepting("routes: [{to: original, timeout: 1s}]"));
    for (const auto& row : cases) {
        std::atomic<bool> early{false};
        Origin origin(network.servers(), row.address, [&](Origin::Connection& connection) {
            connection.receives_until("\r\n\r\n");
            early = !connection.receives_within(Milliseconds{200}).empty();
            connection.sends(row.answer);
            connection.receives_all();
        });
        auto socket = network.client("10.0.1.2").dials(row.address);
        socket.sends(request("GET", "/up", "a.example", "Connection: upgrade\r\nUpgrade: x\r\n") +
                     "EARLY BYTES\r\n\r\n");
        socket.receives_until("\r\n\r\n");
        socket.ends_writing();
        socket.receives_all();

        EXPECT_FALSE(early) << row.answer;
        EXPECT_EQ(origin.received().find("EARLY") != std::string::npos, row.accepts) << row.answer;
    }
}

// A5

TEST_F(Smuggling, StaysInStepWhateverIsExpected)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());
    for (const auto* fields :
         {"Expect: 100-continue\r\n", "Expect: 100-continue\r\nContent-Length: 0\r\n",
          "Expect: 100-Continue\r\nContent-Length: 3\r\n", "Expect: 200-ok\r\nContent-Length: 3\r\n",
          "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "Expect: \r\nContent-Length: 3\r\n"}) {
        const std::string_view view(fields);
        const auto* body = view.find("3\r\n") != std::string::npos     ? "abc"
                           : view.find("chunked") != std::string::npos ? "0\r\n\r\n"
                                                                       : "";
        auto socket = network.client("10.0.1.2").dials(origin_address);
        socket.sends(request("POST", "/expect", "a.example", fields) + body +
                     request("GET", "/next", "a.example", "Connection: close\r\n"));
        const auto all = socket.receives_all();
        const auto next = all.find("GET /next");
        EXPECT_TRUE(next != std::string::npos || all.starts_with("HTTP/1.1 4")) << fields << all;
    }
    for (const auto& line : {"POST /expect", "GET /next"}) EXPECT_THAT(origin.received(), HasSubstr(line));
}

// A6

bool is_token_byte(int byte)
{
    return std::isalnum(byte) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(byte)) != std::string_view::npos;
}

bool is_among(std::string_view bytes, int byte)
{
    return bytes.find(static_cast<char>(byte)) != std::string_view::npos;
}

TEST_F(Smuggling, RefusesForbiddenBytesWhereverTheyStand)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting("", "protocol: http"));
    struct Place {
        const char* name;
        std::string before, after;
        bool (*forbidden)(int byte);
    };
    const std::string end = "\r\nConnection: close\r\n\r\n";
    const std::array places{
        Place{"method", "GE", "T /bad-method HTTP/1.1\r\nHost: a.example" + end,
              [](int byte) { return !is_token_byte(byte) && byte != ' '; }},
        Place{"target", "GET /bad-target", "x HTTP/1.1\r\nHost: a.example" + end,
              [](int byte) { return (byte < 0x20 || byte > 0x7e || byte == '#') && !is_among("\t\r\n", byte); }},
        Place{"name", "GET /bad-name HTTP/1.1\r\nHost: a\r\nX-", "Y: 1" + end,
              [](int byte) { return !is_token_byte(byte) && !is_among(":\r\n", byte); }},
        Place{"value", "GET /bad-value HTTP/1.1\r\nHost: a\r\nX: 1", "2" + end,
              [](int byte) { return (byte < 0x20 || byte == 0x7f) && !is_among("\t\n", byte); }},
        Place{"host", "GET /bad-host HTTP/1.1\r\nHost: a", "b" + end,
              [](int byte) {
                  return (byte < 0x20 || byte > 0x7e || is_among(" ,/@?#\\<>\"`{}|^", byte)) &&
                         !is_among("\t\r\n", byte);
              }},
    };
    for (const auto& place : places)
        for (int byte = 0; byte < 256; ++byte) {
            if (!place.forbidden(byte)) continue;
            EXPECT_TRUE(refused(place.before + static_cast<char>(byte) + place.after)) << place.name << ' ' << byte;
        }
    EXPECT_THAT(origin.received(), Not(HasSubstr("bad-")));
}

TEST_F(Smuggling, RefusesRequestsThatAreNotWellFormed)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting());
    const std::vector<std::string> requests{
        "GET /odd HTTP/1.1\r\n\r\n",                       // no Host
        "GET /odd HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", // two
        "GET /odd HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /odd HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET /odd HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /odd HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        "GET /odd HTTP/1.1\r\nHost: a\r\n: nameless\r\n\r\n",
        "GET /odd HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
        "GET /odd HTTP/1.1\nHost: a\n\n",
        "GET /odd HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n",
        "GET  /odd HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /odd  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t/odd HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /odd HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /odd HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /odd HTTP/1.10\r\nHost: a\r\n\r\n",
        "GET /odd HTTP/01.1\r\nHost: a\r\n\r\n",
        "GET /odd http/1.1\r\nHost: a\r\n\r\n",
        "GET /odd\r\nHost: a\r\n\r\n",
        "GET odd HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:///odd HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://u:p@a/odd HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://b/odd HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "GET /odd HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /odd HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET /odd HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "GET /odd HTTP/1.1\r\nHost: a:99999\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: odd\r\n\r\n",
    };
    for (const auto& bytes : requests) EXPECT_TRUE(refused(bytes + marker)) << printable(bytes);
    EXPECT_THAT(origin.received(), Not(HasSubstr("odd")));
    EXPECT_THAT(origin.received(), Not(HasSubstr("smuggled")));
}

// A8: one reading of the path

TEST_F(Smuggling, ShowsTheServerThePathThatTheRouteWasChosenBy)
{
    Origin origin(network.servers(), origin_address, echoes());
    gateway.runs_with(intercepting("routes:\n  - {path: /admin, to: \"respond:403 no\"}\n"));
    for (const auto* target : {"/admin", "/admin/x", "/./admin", "/a/../admin", "/%61dmin", "/x/%2e%2e/admin",
                               "/x/..%2fadmin", "//admin", "/admin/", "/x/.%2e/admin", "/a//../admin", "/admin?x",
                               "/x/../../admin", "/%2e/admin", "http://a.example/admin"}) {
        const auto status = status_of(network.client("10.0.1.2"), origin_address, request("GET", target, "a.example"));
        EXPECT_TRUE(status == 403 || status == 400 || status == 200) << target << " " << status;
    }
    // Whatever reached the server must not be /admin to a server that resolves dots and escapes.
    std::istringstream lines(origin.received());
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("GET ")) continue;
        const auto path = line.substr(4, line.find(' ', 4) - 4);
        EXPECT_THAT(path, Not(StartsWith("/admin"))) << line;
        EXPECT_THAT(path, Not(HasSubstr(".."))) << line;
        EXPECT_THAT(path, Not(HasSubstr("%2e"))) << line;
        EXPECT_THAT(path, Not(HasSubstr("%61"))) << line;
    }
}

// A9

TEST_F(Smuggling, BelievesNoHostileServer)
{
    const std::string evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL";
    const std::vector<std::string> replies{
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nok" + evil,
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 4\r\n\r\nok" + evil,
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + evil,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + evil,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + evil,
        "HTTP/1.1 200 OK\r\nX: a\nY: b\r\nContent-Length: 2\r\n\r\nok" + evil,
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok" + evil,
        "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok" + evil,
        "HTTP/1.1 099 No\r\nContent-Length: 2\r\n\r\nok" + evil,
        "HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil,
        "HTTP/1.1 204 No Content\r\nContent-Length: 43\r\n\r\n" + evil,
        "HTTP/1.1 304 Not Modified\r\n\r\n" + evil,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + evil,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + evil,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokX\r\n0\r\n\r\n" + evil,
        std::string("HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 2\r\n\r\nok", 51) + evil,
        "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\nContent-Length: 2\r\n\r\nok",
        [] {
            std::string flood;
            for (int count = 0; count < 1'000; ++count) flood += "HTTP/1.1 102 Processing\r\n\r\n";
            return flood + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        }(),
    };
    std::atomic<std::size_t> turn{0};
    Origin origin(network.servers(), origin_address, [&](Origin::Connection& connection) {
        if (connection.receives_until("\r\n\r\n").empty()) return;
        connection.sends(replies[turn]);
        // What comes second on such a connection gets an honest answer: the gateway may keep it where nothing was
        // wrong.
        while (!connection.receives_until("\r\n\r\n").empty()) connection.sends(answer(200, "honest"));
    });
    gateway.runs_with(intercepting("workers: 1", "client_address: gateway"));

    for (turn = 0; turn < replies.size(); ++turn) {
        auto socket = network.client("10.0.1.2").dials(origin_address);
        socket.sends(request("GET", "/first", "a.example"));
        const auto first =
            receive_message(socket, replies[turn].find(" 204 ") < 20 || replies[turn].find(" 304 ") < 20);
        EXPECT_THAT(first.head + first.body, Not(HasSubstr("EVIL"))) << printable(replies[turn]);
        EXPECT_THAT(first.head, Not(HasSubstr("Set-Cookie"))) << printable(replies[turn]);
        socket.sends(request("GET", "/second", "a.example", "Connection: close\r\n"));
        socket.ends_writing();
        EXPECT_THAT(socket.receives_all(), Not(HasSubstr("EVIL"))) << printable(replies[turn]);
    }
}

} // namespace
} // namespace gw::lab
