#include "gateway/intake/classify.h"

#include "gateway/intake/client_hello.h"
#include "tests/gateway/intake/client_hello_builder.h"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace gw::intake {
namespace {

using namespace testing;
using Kind = Hello::Kind;

constexpr std::size_t limit = 16 * 1024;

/// What `classify` said in one word: "http1", "tls" ..., "need more", or the fault.
std::string said(std::string_view received, std::size_t limit_bytes = limit)
{
    const auto answer = classify(received, limit_bytes);
    if (!answer) return std::string{name_of(answer.error().fault)};
    const auto* hello = std::get_if<Hello>(&*answer);
    return hello != nullptr ? std::string{name_of(hello->kind)} : "need more";
}

Hello hello_in(std::string_view received)
{
    const auto answer = classify(received, limit);
    const auto* hello = answer ? std::get_if<Hello>(&*answer) : nullptr;
    EXPECT_NE(hello, nullptr);
    return hello != nullptr ? *hello : Hello{};
}

/// At every cut the answer is "need more" or already the last one.
void expect_no_change_of_mind(std::string_view received, std::size_t limit_bytes = limit)
{
    const auto last = said(received, limit_bytes);
    bool decided = false;
    for (std::size_t cut = 0; cut <= received.size(); ++cut) {
        const auto now = said(received.substr(0, cut), limit_bytes);
        if (now == "need more" && !decided) continue;
        ASSERT_EQ(now, last) << "cut at " << cut;
        decided = true;
    }
}

struct Row {
    std::string_view bytes;
    std::string_view answer;
};

using namespace std::string_view_literals;
constexpr std::array text_rows{
    Row{"", "need more"},
    // A method that is known decides at once.
    Row{"GET ", "http1"},
    Row{"GET\t/", "http1"},
    Row{"GET\v/", "http1"},
    Row{"GET\r/", "http1"},
    Row{"PROPFIND /", "http1"},
    Row{"M-SEARCH * HTTP/1.1\r\n", "http1"},
    Row{"CONNECT example.org:443 HTTP/1.1\r\n", "http1"},
    Row{"GET", "need more"},
    Row{"GET\r", "need more"},
    Row{"GET\r\n", "other"},
    Row{"GET\n", "other"},
    // Blanks and line ends before it, as many servers accept.
    Row{"\r\n\r\n \tGET /", "http1"},
    Row{"\n", "need more"},
    Row{"\r\n\r\n", "need more"},
    // Small letters: with a path, or with a version.
    Row{"get /", "http1"},
    Row{"Get  \t/", "http1"},
    Row{"get key", "need more"},
    Row{"get key\r\n", "other"},
    Row{"get http://example.org/ HTTP/1.1", "http1"},
    // Any other token: the line must name the protocol.
    Row{"FROBNICATE / HTTP/1.1\r\n", "http1"},
    Row{"FROBNICATE / http/", "http1"},
    Row{"FROBNICATE / HTTX/1.1", "need more"},
    Row{"FROBNICATE / HTTX/1.1\r\n", "other"},
    Row{"FROBNICATE /\nHTTP/1.1", "other"},
    Row{"FROBNICATE", "need more"},
    Row{"x\xff HTTP/1.1", "other"},
    Row{"a \xff\0 HTTP/1.1"sv, "http1"},
    Row{"(GET / HTTP/1.1", "other"},
    Row{"HTTP/1.1 200 OK\r\n", "other"},
    Row{":method GET", "other"},
    // HTTP/2.
    Row{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"},
    Row{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4"sv, "http2"},
    Row{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "need more"},
    Row{"PRI * HTTP/2.0\r\n\r\nXM\r\n\r\n", "http1"},
    Row{"PRI * HTTP/3.0", "http1"},
    Row{"PRIMARY KEY\n", "other"},
    Row{"\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http1"},
    // Others.
    Row{"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "other"},
    Row{"EHLO client.example\r\n", "other"},
    Row{"EHLO client.example", "need more"},
    Row{"*2\r\n$3\r\nGET\r\n", "other"},
    Row{"\0"sv, "other"},
    Row{"\x80\x2e\x01\x03\x01", "other"}, // SSL 2
    Row{"\xef\xbb\xbfGET / HTTP/1.1\r\n", "other"},
};

TEST(Classify, KnowsTextByItsFirstLine)
{
    for (const auto& row : text_rows) EXPECT_EQ(said(row.bytes), row.answer) << ::testing::PrintToString(row.bytes);
}

TEST(Classify, NeverChangesItsMindAboutText)
{
    for (const auto& row : text_rows) expect_no_change_of_mind(row.bytes);
}

TEST(Classify, TakesEveryRegisteredMethodForHttp)
{
    for (const auto* method : {"ACL",
                               "BASELINE-CONTROL",
                               "BIND",
                               "CHECKIN",
                               "CHECKOUT",
                               "CONNECT",
                               "COPY",
                               "DELETE",
                               "GET",
                               "HEAD",
                               "LABEL",
                               "LINK",
                               "LOCK",
                               "MERGE",
                               "MKACTIVITY",
                               "MKCALENDAR",
                               "MKCOL",
                               "MKREDIRECTREF",
                               "MKWORKSPACE",
                               "MOVE",
                               "OPTIONS",
                               "ORDERPATCH",
                               "PATCH",
                               "POST",
                               "PROPFIND",
                               "PROPPATCH",
                               "PUT",
                               "QUERY",
                               "REBIND",
                               "REPORT",
                               "SEARCH",
                               "TRACE",
                               "UNBIND",
                               "UNCHECKOUT",
                               "UNLINK",
                               "UNLOCK",
                               "UPDATE",
                               "UPDATEREDIRECTREF",
                               "VERSION-CONTROL"})
        EXPECT_EQ(said(std::string{method} + " "), "http1") << method;
}

TEST(Classify, TakesAFirstLineBeyondTheLimitForHttpSoThatTheProxyRefusesIt)
{
    const std::string long_target = "FROB /" + std::string(100, 'a');
    EXPECT_EQ(said(long_target.substr(0, 49), 50), "need more");
    EXPECT_EQ(said(long_target.substr(0, 50), 50), "http1");
    EXPECT_EQ(said(std::string(50, 'A'), 50), "http1");
    EXPECT_EQ(said(std::string(50, '\n'), 50), "http1");
    // What comes behind the limit does not count, however much comes at once.
    EXPECT_EQ(said("FROB /" + std::string(44, 'a') + "\r\n", 50), "http1");
    for (const std::size_t limit_bytes : {1, 5, 20, 50, 51})
        expect_no_change_of_mind(long_target + "\r\n", limit_bytes);
    expect_no_change_of_mind("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 23);
    expect_no_change_of_mind("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 8);
}

TEST(Classify, ReadsNameProtocolsAndEncryptedHelloOfTls)
{
    const auto bytes = client_hello(server_name("Shop.Example") + alpn({"h2", "http/1.1"}) + extension(0xfe0d, "ech"));

    const auto hello = hello_in(bytes);

    EXPECT_EQ(hello.kind, Kind::tls);
    EXPECT_EQ(hello.server_name, "shop.example");
    EXPECT_EQ(hello.alpn, (std::vector<std::string>{"h2", "http/1.1"}));
    EXPECT_TRUE(hello.encrypted_client_hello);
    expect_no_change_of_mind(bytes);
}

TEST(Classify, NeedsNeitherNameNorExtensions)
{
    EXPECT_EQ(hello_in(client_hello("")).server_name, "");
    ClientHello old;
    auto body = old.body();
    body.resize(body.size() - 2); // no extensions at all, as before TLS 1.3
    EXPECT_EQ(said(record(message(body))), "tls");
}

TEST(Classify, AssemblesAClientHelloFromRecordsOfAnySize)
{
    const auto whole = message(client_hello(server_name("a.example") + alpn({"h2"})).substr(5 + 4));
    for (std::size_t each = 1; each <= whole.size(); ++each) {
        const auto bytes = records(whole, each);
        ASSERT_EQ(said(bytes), "tls") << each;
        ASSERT_EQ(hello_in(bytes).server_name, "a.example") << each;
        ASSERT_EQ(said(std::string_view{bytes}.substr(0, bytes.size() - 1)), "need more") << each;
    }
    for (const std::size_t each : {1, 3, 4, 5, 100}) expect_no_change_of_mind(records(whole, each));
}

TEST(Classify, ReadsAPostQuantumClientHelloByteByByte)
{
    const auto bytes = client_hello(post_quantum_key_share() + server_name("pq.example"));
    ASSERT_GT(bytes.size(), 1300u);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        ASSERT_EQ(said(std::string_view{bytes}.substr(0, cut)), "need more") << cut;
    EXPECT_EQ(hello_in(bytes).server_name, "pq.example");
    EXPECT_EQ(hello_in(records(std::string_view{bytes}.substr(5), 517)).server_name, "pq.example");
}

TEST(Classify, IgnoresWhatServersIgnore)
{
    const auto name = server_name("a.example");
    auto minor = client_hello(name);
    minor[2] = '\x09'; // the record's minor version
    EXPECT_EQ(hello_in(minor).server_name, "a.example");
    // An unknown extension twice, an empty record in between, another message in the same record.
    EXPECT_EQ(hello_in(client_hello(extension(0x7a7a, "x") + extension(0x7a7a, "y") + name)).server_name, "a.example");
    const auto whole = std::string{client_hello(name).substr(5)};
    EXPECT_EQ(hello_in(record("") + record(whole.substr(0, 9)) + record("") + record(whole.substr(9))).server_name,
              "a.example");
    EXPECT_EQ(hello_in(record(whole + message("more"))).server_name, "a.example");
}

TEST(Classify, RefusesAClientHelloBeyondTheLimitAsSoonAsItSaysItsSize)
{
    const auto bytes = client_hello(extension(21, std::string(1000, '\0')));
    EXPECT_EQ(said(bytes, bytes.size()), "tls");
    EXPECT_EQ(said(bytes, bytes.size() - 1), "too_large");
    EXPECT_EQ(said(std::string_view{bytes}.substr(0, 9), bytes.size() - 1), "too_large");
    EXPECT_EQ(said(std::string_view{bytes}.substr(0, 8), bytes.size() - 1), "need more");
    EXPECT_EQ(said("\x16\x03\x01\x40\x00\x01\xff\xff\xff"sv), "too_large");
    // Record headers count: a message that fits may not fit in small records.
    const auto small = records(std::string_view{bytes}.substr(5), 10);
    EXPECT_EQ(said(small, small.size()), "tls");
    EXPECT_EQ(said(small, small.size() - 1), "too_large");
    for (std::size_t limit_bytes = 1; limit_bytes < 60; ++limit_bytes) {
        expect_no_change_of_mind(small.substr(0, 60), limit_bytes);
        expect_no_change_of_mind(std::string(30, '\x16'), limit_bytes);
        expect_no_change_of_mind(record("") + record("") + record("\x02xx") + "rest", limit_bytes);
    }
    EXPECT_EQ(classify(bytes, 100).error().side, Side::client);
}

TEST(Classify, BelievesNothingOfTlsThatBreaksTheFormat)
{
    const auto good = server_name("a.example");
    const auto other_name = [](std::string_view content) { return client_hello(extension(0, content)); };
    const auto with = [&](auto change) {
        ClientHello hello;
        hello.extensions = good;
        change(hello);
        return record(message(hello.body()));
    };
    const std::vector<std::string> rows{
        std::string("\x15\x03\x01\x00\x02\x02\x28"sv),                               // an alert
        std::string("\x17\x03\x03\x00\x01x"sv),                                      // application data
        std::string("\x16\x02\x00\x00\x05"sv),                                       // not SSL 3 or TLS
        record("\x02xxxx"),                                                          // a ServerHello
        "\x16\x03\x01\x40\x01",                                                      // a record over 2^14
        record(std::string_view{client_hello(good)}.substr(5, 20)) + "\x14\x03\x01", // another record in between
        client_hello(good + good),                                                   // the name twice
        client_hello(alpn({"h2"}) + alpn({"h2"})),                                   // ALPN twice
        client_hello(extension(0xfe0d, "") + extension(0xfe0d, "")),                 // ECH twice
        client_hello(good + "\x01"),                                                 // half an extension
        client_hello(number(5, 2) + number(9, 2) + "x"),                             // an extension past the end
        other_name(""),
        other_name(std::string("\0\0", 2)),                                   // an empty list
        other_name(vector(std::string("\1", 1) + vector("a.example", 2), 2)), // not a host_name
        other_name(vector(std::string(1, '\0') + vector("", 2), 2)),          // an empty name
        other_name(vector(std::string(1, '\0') + vector("a", 2), 2) + "x"),   // something behind the list
        other_name(vector(std::string(1, '\0') + vector("a", 2) + std::string(1, '\0') + vector("b", 2), 2)),
        client_hello(alpn({})),
        client_hello(alpn({"h2", ""})),
        client_hello(extension(16, vector("\x09h2", 2))),
        with([](ClientHello& h) { h.session_id.assign(33, 's'); }),
        with([](ClientHello& h) { h.ciphers = ""; }),
        with([](ClientHello& h) { h.ciphers = "abc"; }),
        with([](ClientHello& h) { h.compressions = ""; }),
        record(message(ClientHello{}.body() + "x")), // something behind the extensions
        record(message("short")),
        record(message("")),
    };
    for (const auto& row : rows) {
        EXPECT_EQ(said(row), "other") << ::testing::PrintToString(row);
        expect_no_change_of_mind(row);
        const auto hello = hello_in(row);
        EXPECT_TRUE(hello.server_name.empty() && hello.alpn.empty() && !hello.encrypted_client_hello);
    }
}

TEST(Classify, BelievesOnlyServerNamesThatAreHostNames)
{
    const auto name_in = [](std::string_view name) {
        const auto hello = parse_client_hello(std::string_view{client_hello(server_name(name))}.substr(9));
        return hello ? hello->server_name : "none";
    };
    EXPECT_EQ(name_in("WWW.Example.ORG."), "www.example.org");
    EXPECT_EQ(name_in("_dmarc.a-b.example"), "_dmarc.a-b.example");
    EXPECT_EQ(name_in("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(name_in(std::string(255, 'a')), std::string(255, 'a'));
    const std::vector<std::string_view> bad_names{".",         "..",    "a..b",   ".a",     "a b",
                                                  "a/b",       "a:443", "[::1]",  "a\0b"sv, "b\xc3\xbc.example",
                                                  "*.example", "a%00",  "a\r\nb", "a.."};
    for (const auto bad : bad_names) EXPECT_EQ(name_in(bad), "none") << ::testing::PrintToString(bad);
    EXPECT_EQ(name_in(std::string(256, 'a')), "none");
}

TEST(Classify, KeepsABoundedNumberOfProtocols)
{
    const std::vector<std::string_view> many(5000, "x");
    EXPECT_EQ(hello_in(client_hello(alpn(many))).alpn.size(), max_alpn_kept);
}

} // namespace
} // namespace gw::intake
