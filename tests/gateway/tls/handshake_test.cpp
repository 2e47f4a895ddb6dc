#include "tests/gateway/tls/world.h"

#include <gmock/gmock.h>

namespace gw::testing {
namespace {

using ::testing::HasSubstr;

struct Outcome {
    bool opened = false;
    Error error{};
    std::string echo; ///< what came back of "ping"
    std::string server_name;
    std::string alpn;
    std::string upstream_failure;
    bool resumed = false;
};

Task<> dial_and_ping(std::unique_ptr<Stream> plain, std::string name, std::shared_ptr<const tls::DialContext> context,
                     Outcome& into)
{
    auto opened = co_await tls::dial(std::move(plain), std::move(name), std::move(context));
    if (!opened) {
        into.error = opened.error();
        co_return;
    }
    into.opened = true;
    auto& stream = **opened;
    const auto sent = co_await write_all(stream, asio::buffer("ping", 4));
    EXPECT_TRUE(sent);
    char bytes[16];
    const auto count = co_await stream.read_some(asio::buffer(bytes));
    if (count) into.echo.assign(bytes, *count);
    stream.end_writing();
    const auto end = co_await stream.read_some(asio::buffer(bytes));
    EXPECT_TRUE(end && *end == 0) << "close_notify is the end";
}

Task<> answer_ping(TlsUpstream& upstream, Outcome& into)
{
    const auto accepted = co_await upstream.accept();
    into.server_name = upstream.server_name();
    into.alpn = upstream.offered_alpn();
    if (accepted) {
        const auto bytes = co_await upstream.read();
        if (!bytes.empty()) {
            into.resumed = upstream.resumed();
            const auto sent = co_await upstream.write(bytes);
            EXPECT_TRUE(sent);
            const auto rest = co_await upstream.read();
            EXPECT_EQ(rest, "");
            EXPECT_TRUE(upstream.saw_close_notify());
        }
        co_await upstream.end();
    }
    into.upstream_failure = upstream.failure();
    upstream.close();
}

class Handshake : public TlsWorld {
protected:
    Outcome dial(const Identity& identity, std::string name, std::shared_ptr<const tls::DialContext> context,
                 TlsUpstream::Options options = {}, std::size_t max_read = SIZE_MAX)
    {
        Outcome outcome;
        auto [near, far] = pipe(max_read);
        TlsUpstream upstream{std::move(far), identity, std::move(options)};
        run(dial_and_ping(std::move(near), std::move(name), std::move(context), outcome),
            answer_ping(upstream, outcome));
        io.restart();
        return outcome;
    }
};

TEST_F(Handshake, OpensWhenTheCertificateIsForTheName)
{
    const auto outcome = dial(site, "site.example", trusting());
    EXPECT_EQ(outcome.echo, "ping");
    EXPECT_EQ(outcome.server_name, "site.example");
    EXPECT_EQ(outcome.alpn, "\x08http/1.1");
}

TEST_F(Handshake, OpensForEachNameOfTheCertificate)
{
    for (const auto* name : {"SITE.example", "site.example.", "a.wild.example", "192.0.2.1", "2001:db8::1"})
        EXPECT_EQ(dial(site, name, trusting()).echo, "ping") << name;
    EXPECT_FALSE(dial(site, "a.b.wild.example", trusting()).opened);
}

TEST_F(Handshake, PutsNoAddressIntoTheServerName)
{
    EXPECT_EQ(dial(site, "192.0.2.1", trusting()).server_name, "");
    EXPECT_EQ(dial(site, "2001:db8::1", trusting()).server_name, "");
}

TEST_F(Handshake, WorksByteByByte)
{
    EXPECT_EQ(dial(site, "site.example", trusting(), {}, 1).echo, "ping");
    EXPECT_EQ(dial(site, "site.example", trusting(), {TLS1_2_VERSION, "http/1.1", nullptr}, 1).echo, "ping");
}

TEST_F(Handshake, SpeaksBothVersions)
{
    EXPECT_EQ(dial(site, "site.example", trusting(), {TLS1_2_VERSION, "http/1.1", nullptr}).echo, "ping");
    EXPECT_EQ(dial(site, "site.example", trusting(), {TLS1_3_VERSION, "http/1.1", nullptr}).echo, "ping");
}

TEST_F(Handshake, SpeaksNothingOlder)
{
    auto old = TlsUpstream::make_context(site, TLS1_1_VERSION);
    SSL_CTX_set_security_level(old.get(), 0);
    SSL_CTX_set_cipher_list(old.get(), "ALL:@SECLEVEL=0");
    const auto outcome = dial(site, "site.example", trusting(), {0, "", old.get()});
    EXPECT_FALSE(outcome.opened);
    EXPECT_EQ(outcome.error.fault, Fault::refused);
    EXPECT_EQ(outcome.error.side, Side::upstream);
}

TEST_F(Handshake, TakesAnUpstreamWithoutAlpnButNoOtherProtocol)
{
    EXPECT_EQ(dial(site, "site.example", trusting(), {0, "", nullptr}).echo, "ping");
    EXPECT_FALSE(dial(site, "site.example", trusting(), {0, "h2", nullptr}).opened);
}

TEST_F(Handshake, SaysBothNamesWhenTheyDiffer)
{
    const auto outcome = dial(site, "other.example", trusting());
    EXPECT_FALSE(outcome.opened);
    EXPECT_EQ(outcome.error.fault, Fault::refused);
    EXPECT_EQ(outcome.error.side, Side::upstream);
    EXPECT_THAT(outcome.error.what, HasSubstr("\"site.example\""));
    EXPECT_THAT(outcome.error.what, HasSubstr("is not for \"other.example\""));
    EXPECT_THAT(outcome.upstream_failure, HasSubstr("alert")) << "the upstream is told";
    EXPECT_THAT(dial(site, "192.0.2.2", trusting()).error.what, HasSubstr("is not for \"192.0.2.2\""));
}

TEST_F(Handshake, SaysSinceWhenACertificateIsNotValid)
{
    const auto expired = make_identity(Wish{"x", "DNS:site.example", -20, -10}, &ca);
    const auto future = make_identity(Wish{"x", "DNS:site.example", 10, 20}, &ca);
    EXPECT_THAT(dial(expired, "site.example", trusting()).error.what, HasSubstr("\"site.example\" expired "));
    EXPECT_THAT(dial(future, "site.example", trusting()).error.what, HasSubstr("is not valid before "));
}

TEST_F(Handshake, SaysWhoIsNotTrusted)
{
    const auto self_signed = make_identity(Wish{"lonely", "DNS:site.example"});
    EXPECT_THAT(dial(self_signed, "site.example", trusting()).error.what, HasSubstr("is self-signed"));
    const auto stranger = make_identity(Wish{"Strange CA", "", -1, 30, true});
    const auto theirs = make_identity(Wish{"x", "DNS:site.example"}, &stranger);
    EXPECT_THAT(dial(theirs, "site.example", trusting()).error.what,
                HasSubstr("is from \"Strange CA\", which is not trusted"));
}

TEST_F(Handshake, ShowsNothingACertificateSaysAsItIs)
{
    const auto evil = make_identity(Wish{"evil\x1b[31m\n\"name", ""}, &ca);
    const auto what = dial(evil, "site.example", trusting()).error.what;
    EXPECT_THAT(what, HasSubstr("evil"));
    for (const char c : what) EXPECT_GE(c, 0x20);
}

TEST_F(Handshake, OpensAnywayWhenToldNotToVerify)
{
    const auto self_signed = make_identity(Wish{"lonely", "DNS:elsewhere.example", -20, -10});
    EXPECT_EQ(dial(self_signed, "site.example", trusting(false)).echo, "ping");
    EXPECT_EQ(dial(self_signed, "", trusting(false)).echo, "ping");
}

TEST_F(Handshake, ResumesASessionOfTheSameName)
{
    for (const auto version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto shared = TlsUpstream::make_context(site, version);
        const auto context = trusting();
        const TlsUpstream::Options options{version, "http/1.1", shared.get()};
        EXPECT_FALSE(dial(site, "site.example", context, options).resumed);
        const auto again = dial(site, "site.example", context, options);
        EXPECT_TRUE(again.resumed) << version;
        EXPECT_EQ(again.echo, "ping");
        EXPECT_FALSE(dial(site, "a.wild.example", context, options).resumed) << "another name is another session";
    }
}

TEST_F(Handshake, NeverStartsWithoutANameToCheck)
{
    Outcome outcome;
    auto [near, far] = pipe();
    asio::co_spawn(io, dial_and_ping(std::move(near), "", trusting(), outcome), [](std::exception_ptr) {});
    io.run_for(std::chrono::seconds{30});
    EXPECT_EQ(outcome.error.fault, Fault::refused);
    EXPECT_THAT(outcome.error.what, HasSubstr("no name"));
}

Task<> say(std::unique_ptr<Stream> stream, std::string text)
{
    char bytes[4096];
    const auto hello = co_await stream->read_some(asio::buffer(bytes));
    EXPECT_TRUE(hello);
    const auto sent = co_await write_all(*stream, asio::buffer(text));
    EXPECT_TRUE(sent);
    stream->end_writing();
}

TEST_F(Handshake, SaysWhenTheOtherSideDoesNotSpeakTls)
{
    for (const auto& [text, reason] : std::vector<std::pair<std::string, std::string>>{
             {"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"},
             {"", "ended the connection during the handshake"},
             {std::string("\x15\x03\x03\x00\x02\x02\x28", 7), "alert handshake failure"},
             {std::string("\x16\x03\x03\xff\xff", 5) + std::string(70'000, 'x'), "TLS: "}}) {
        Outcome outcome;
        auto [near, far] = pipe();
        run(dial_and_ping(std::move(near), "site.example", trusting(), outcome), say(std::move(far), text));
        io.restart();
        EXPECT_EQ(outcome.error.fault, Fault::refused) << describe(outcome.error);
        EXPECT_THAT(outcome.error.what, HasSubstr(reason));
    }
}

TEST_F(Handshake, EndsAtTheDeadline)
{
    Outcome outcome;
    auto [near, far] = pipe();
    near->expire_after(std::chrono::milliseconds{20});
    asio::co_spawn(io, dial_and_ping(std::move(near), "site.example", trusting(), outcome), [](std::exception_ptr) {});
    io.run_for(std::chrono::seconds{30});
    EXPECT_FALSE(outcome.opened);
    EXPECT_EQ(outcome.error.fault, Fault::timed_out);
}

TEST(DialContext, SaysWhichFileItCannotRead)
{
    const auto missing = tls::DialContext::make(tls::DialSettings{true, "/nowhere/ca.pem"});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().fault, Fault::system);
    EXPECT_THAT(missing.error().what, HasSubstr("/nowhere/ca.pem"));
    const PemFile empty{std::string{"no certificate\n"}};
    EXPECT_FALSE(tls::DialContext::make(tls::DialSettings{true, empty.path()}));
    EXPECT_EQ(ERR_peek_error(), 0U) << "nothing stays in OpenSSL's error queue";
}

TEST(DialContext, TakesTheSystemsCertificates) { EXPECT_TRUE(tls::DialContext::make(tls::DialSettings{})); }

} // namespace
} // namespace gw::testing
