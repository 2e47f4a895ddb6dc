#include "gateway/ctl/client.h"

#include "gateway/ctl/interrupts.h"
#include "gateway/ctl/reply.h"
#include "tests/gateway/ctl/fake_daemon.h"
#include "tests/support/child.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace gw::ctl {
namespace {

using namespace std::chrono_literals;
using testing::FakeDaemon;
using ::testing::HasSubstr;
using testing::ok_json;
using testing::TemporaryFolder;

FakeDaemon::Reply always(std::string text)
{
    return [text = std::move(text)](const std::string&) { return text; };
}

Error error_of(const std::string& answer, std::chrono::milliseconds limit = 10s)
{
    const FakeDaemon daemon(always(answer));
    const auto got = Client(daemon.path()).ask("GET", "/v1/status", limit);
    EXPECT_FALSE(got) << answer;
    return got ? Error{} : got.error();
}

TEST(Client, AsksOneRequestAConnectionAndGivesTheAnswer)
{
    const FakeDaemon daemon(always(ok_json(R"({"a":1})")));

    const auto answer = Client(daemon.path()).ask("GET", "/v1/log?after=3");

    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, R"({"a":1})");
    EXPECT_EQ(daemon.requests().at(0),
              "GET /v1/log?after=3 HTTP/1.1\r\nHost: gatewayd\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

TEST(Client, SendsAnEmptyBodyWithPost)
{
    const FakeDaemon daemon(always(ok_json("{}")));
    ASSERT_TRUE(Client(daemon.path()).ask("POST", "/v1/reload"));
    EXPECT_THAT(daemon.requests().at(0), HasSubstr("\r\nContent-Length: 0\r\n"));
}

TEST(Client, ReadsChunkedAnswersInterimOnesAndThoseThatEndWithTheConnection)
{
    const FakeDaemon chunked(
        always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    EXPECT_EQ(Client(chunked.path()).ask("GET", "/").value().body, "abcde");
    const FakeDaemon interim(always("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    EXPECT_EQ(Client(interim.path()).ask("GET", "/").value().body, "ok");
    const FakeDaemon until_close(always("HTTP/1.0 200 OK\r\n\r\nall of it"));
    EXPECT_EQ(Client(until_close.path()).ask("GET", "/").value().body, "all of it");
}

TEST(Client, ReadsAnAnswerOfManyMegabytes)
{
    const std::string large(20 * 1024 * 1024, 'x');
    const FakeDaemon daemon(always(ok_json(large)));
    EXPECT_EQ(Client(daemon.path()).ask("GET", "/").value().body, large);
}

TEST(Client, RefusesAnAnswerWithoutEnd)
{
    const auto error = error_of("HTTP/1.1 200 OK\r\n\r\n" + std::string(max_answer_bytes + 1, 'x'));
    EXPECT_EQ(error.fault, Fault::too_large);
    EXPECT_EQ(exit_for(error), Exit::failed);
}

TEST(Client, SaysThatTheDaemonIsNotRunningWhenThereIsNoSocket)
{
    const TemporaryFolder folder;
    const auto path = folder.file("none.sock");
    const auto answer = Client(path).ask("GET", "/");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what,
              "gatewayd is not running (no socket " + path + "); start it with `systemctl start gateway`");
    EXPECT_EQ(exit_for(answer.error()), Exit::unreachable);
}

TEST(Client, SaysThatNobodyListensAtASocketThatWasLeftBehind)
{
    const TemporaryFolder folder;
    const auto path = folder.file("dead.sock");
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto name = testing::name_of_socket(path);
    ASSERT_EQ(::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);

    const auto answer = Client(path).ask("GET", "/");

    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().what, HasSubstr("nobody listens at " + path));
    EXPECT_EQ(exit_for(answer.error()), Exit::unreachable);
}

/// What is said when a socket of that mode, in a folder of that mode, is asked by somebody it is not for.
std::string said_of_a_socket(mode_t folder_mode, mode_t mode, gid_t group)
{
    const TemporaryFolder folder;
    const auto path = folder.file("control.sock");
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto name = testing::name_of_socket(path);
    EXPECT_EQ(::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(::listen(socket.number(), 1), 0);
    EXPECT_EQ(::chown(path.c_str(), static_cast<uid_t>(-1), group), 0);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(::chmod(folder.file("").c_str(), folder_mode), 0);
    const auto said = lab::said_by_an_ordinary_user([&]() -> std::string {
        const auto answer = Client(path).ask("GET", "/");
        if (answer) return "it was answered";
        return exit_for(answer.error()) == Exit::not_allowed ? answer.error().what : "another exit code";
    });
    ::chmod(folder.file("").c_str(), 0700);
    return said;
}

TEST(Client, SaysWhoMayWhenTheSocketIsNotForThisUser)
{
    // A group there is everywhere; who is not root can give files to its own only.
    const gid_t gid = ::geteuid() == 0 ? 1 : ::getegid();
    const auto* group = ::getgrgid(gid);
    ASSERT_NE(group, nullptr);
    const std::string name = group->gr_name;
    EXPECT_THAT(said_of_a_socket(0755, 0060, gid),
                HasSubstr("; run as root, or join group " + name + ": `usermod -aG " + name + " USER` as root"));
    EXPECT_THAT(said_of_a_socket(0755, 0, gid), HasSubstr("; run as root; no group may use it (admin.group)"));
    EXPECT_THAT(said_of_a_socket(0, 0660, gid),
                HasSubstr("; run as root, or as a member of the group that admin.group names"));
}

TEST(Client, RefusesASocketNameThatFitsNoSocket)
{
    EXPECT_FALSE(Client(std::string(108, 'x')).ask("GET", "/"));
    EXPECT_FALSE(Client("").ask("GET", "/"));
}

TEST(Client, TellsAnswersThatAreNotHttp)
{
    for (const std::string garbage : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "\x16\x03\x01\x02",
                                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        const auto error = error_of(garbage + std::string(64, '\n'));
        EXPECT_EQ(error.fault, Fault::malformed) << garbage;
        EXPECT_THAT(error.what, HasSubstr("is not gatewayd")) << garbage;
        EXPECT_EQ(exit_for(error), Exit::failed);
    }
}

TEST(Client, TellsAnswersThatEndTooEarlyAtEveryCut)
{
    const auto whole = ok_json(R"({"a":1})");
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        const auto error = error_of(whole.substr(0, cut));
        EXPECT_EQ(error.fault, Fault::closed) << "cut at " << cut;
        EXPECT_THAT(error.what, HasSubstr("closed the connection before it had answered")) << "cut at " << cut;
    }
}

TEST(Client, WaitsNoLongerThanItsLimitWhereverTheAnswerStops)
{
    const auto whole = ok_json(R"({"a":1})");
    for (const auto cut : {std::size_t{0}, std::size_t{10}, whole.size() - 1}) {
        const FakeDaemon daemon(always(whole.substr(0, cut)), true);
        const auto before = std::chrono::steady_clock::now();
        const auto answer = Client(daemon.path()).ask("GET", "/", 50ms);
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().fault, Fault::timed_out) << "cut at " << cut;
        EXPECT_GE(std::chrono::steady_clock::now() - before, 50ms);
    }
}

TEST(Client, IsInterruptedWhileItWaits)
{
    const Interrupts interrupts;
    const auto self = ::pthread_self();
    const FakeDaemon daemon(
        [self](const std::string&) {
            ::pthread_kill(self, SIGINT); // blocked but for the wait, so it cannot come too early
            return std::string();
        },
        true);
    Client client(daemon.path());
    client.interruptible(interrupts.wait_mask());

    const auto answer = client.ask("GET", "/");

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what, "interrupted");
    EXPECT_TRUE(interrupts.came());
    EXPECT_FALSE(interrupts.sleep(1h));
}

TEST(Reply, GivesTheJsonOfA200)
{
    const FakeDaemon daemon(always(ok_json(R"({"state":"ok"})")));
    EXPECT_EQ(text_at(ask_json(Client(daemon.path()), "/").value(), "state"), "ok");
}

TEST(Reply, TakesNothingButAnObject)
{
    for (const auto* body : {"", "[]", "3", "{", "{\"a\":\"\xff\"}", "nonsense"}) {
        const FakeDaemon daemon(always(ok_json(body)));
        const auto json = ask_json(Client(daemon.path()), "/");
        ASSERT_FALSE(json) << body;
        EXPECT_EQ(json.error().fault, Fault::malformed) << body;
    }
    const FakeDaemon deep(always(ok_json("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + '}')));
    EXPECT_FALSE(ask_json(Client(deep.path()), "/"));
}

TEST(Reply, HandsOnTheDaemonsOwnReason)
{
    const FakeDaemon daemon(always(ok_json(R"({"error":"no worker answers"})", "503 Service Unavailable")));
    const auto json = ask_json(Client(daemon.path()), "/");
    ASSERT_FALSE(json);
    EXPECT_EQ(json.error().what, "gatewayd answers 503: no worker answers");
    EXPECT_EQ(exit_for(json.error()), Exit::failed);
}

TEST(Reply, SaysWhoMayWhenTheDaemonForbids)
{
    const FakeDaemon daemon(always(ok_json(R"({"error":"uid 1000 may not"})", "403 Forbidden")));
    const auto json = ask_json(Client(daemon.path()), "/");
    ASSERT_FALSE(json);
    EXPECT_THAT(json.error().what, HasSubstr("uid 1000 may not; run as root or join group gateway"));
    EXPECT_EQ(exit_for(json.error()), Exit::not_allowed);
}

TEST(Query, EscapesValuesAndLeavesOutEmptyOnes)
{
    Query query("/v1/log");
    query.add("host", "").add("client", "2001:db8::/32").add("status", "5xx").add("route", "a&b=c d\n");
    EXPECT_EQ(query.text(), "/v1/log?client=2001:db8::/32&status=5xx&route=a%26b%3Dc%20d%0A");
}

} // namespace
} // namespace gw::ctl
