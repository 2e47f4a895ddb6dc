#include "gateway/keeper/control_server.h"

#include "gateway/base/descriptor.h"
#include "tests/support/child.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>

namespace gw::keeper {
namespace {

namespace fs = std::filesystem;

class ControlServerTest : public ::testing::Test {
protected:
    ControlServerTest()
    {
        char name[] = "/tmp/gwcontrol.XXXXXX";
        folder = ::mkdtemp(name);
        path = folder + "/run/control.sock";
    }
    ~ControlServerTest() override
    {
        stop();
        fs::remove_all(folder);
    }
    void start()
    {
        thread = std::thread{[this] { io.run(); }};
    }
    void stop()
    {
        if (!thread.joinable()) return;
        asio::post(io, [this] {
            server.close();
            wheel.stop();
            io.stop();
        });
        thread.join();
    }
    Descriptor connect() const
    {
        Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::copy(path.begin(), path.end(), name.sun_path);
        if (::connect(socket.number(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) socket.reset();
        const timeval limit{5, 0};
        ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        return socket;
    }
    static std::string rest_of(const Descriptor& socket)
    {
        std::string answer;
        char part[4096];
        for (ssize_t count = 0; (count = ::recv(socket.number(), part, sizeof part, 0)) > 0;)
            answer.append(part, static_cast<std::size_t>(count));
        return answer;
    }
    std::string ask(const std::string& bytes) const
    {
        const auto socket = connect();
        if (::send(socket.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return "not sent";
        return rest_of(socket);
    }

    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
    DeadlineWheel wheel{io.get_executor()};
    Settings settings{.request_limit = std::chrono::milliseconds{300}};
    ControlServer server{io, wheel, settings,
                         [](std::string method, std::string target, std::string body) -> Task<link::Answer> {
                             link::Answer answer;
                             answer.body = method + " " + target + (body.empty() ? "" : " " + body);
                             co_return answer;
                         }};
    std::string folder;
    std::string path;
    std::thread thread;
};

TEST_F(ControlServerTest, AnswersAQuestionAndCloses)
{
    ASSERT_TRUE(server.open_unix(path, "no-such-group"));
    start();
    const auto answer = ask("GET /v1/log?after=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("GET /v1/log?after=1")) << answer;
}

TEST_F(ControlServerTest, TakesABodyUpToItsLimit)
{
    settings.most_body_bytes = 100;
    ControlServer small{io, wheel, settings, [](std::string, std::string, std::string body) -> Task<link::Answer> {
                            link::Answer answer;
                            answer.body = std::to_string(body.size());
                            co_return answer;
                        }};
    ASSERT_TRUE(small.open_unix(path, "no-such-group"));
    start();
    const auto with = [&](const std::string& fields, const std::string& body) {
        return ask("POST /v1/apply HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body);
    };
    EXPECT_TRUE(with("Content-Length: 100\r\n", std::string(100, 'x')).ends_with("\r\n\r\n100"));
    EXPECT_TRUE(with("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").ends_with("\r\n\r\n5"));
    EXPECT_TRUE(with("Content-Length: 0\r\n", "").ends_with("\r\n\r\n0"));
    EXPECT_TRUE(with("Content-Length: 101\r\n", std::string(101, 'x')).starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(with("Transfer-Encoding: chunked\r\n", "65\r\n" + std::string(101, 'x') + "\r\n0\r\n\r\n")
                    .starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(with("Transfer-Encoding: chunked\r\n", "nonsense\r\n").starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(
        with("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc").starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
    EXPECT_EQ(with("Content-Length: 50\r\n", "too little"), "") << "closed at its deadline";
    asio::post(io, [&] { small.close(); });
    stop();
}

TEST_F(ControlServerTest, ReadsOnlySoManyBodiesAtOnce)
{
    ASSERT_TRUE(server.open_unix(path, "no-such-group"));
    start();
    const std::string unfinished = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345";
    std::vector<Descriptor> waiting;
    for (std::size_t i = 0; i < settings.bodies; ++i) {
        waiting.push_back(connect());
        ASSERT_GT(::send(waiting.back().number(), unfinished.data(), unfinished.size(), MSG_NOSIGNAL), 0);
    }
    std::string answer;
    for (int turn = 0; turn < 100 && !answer.starts_with("HTTP/1.1 503 "); ++turn)
        answer = ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
    EXPECT_TRUE(ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("GET /")) << "others are served";
    for (const auto& socket : waiting) EXPECT_EQ(rest_of(socket), "");
    EXPECT_TRUE(ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx").ends_with("POST / x"));
}

TEST_F(ControlServerTest, KeepsTheSocketFromOthers)
{
    ASSERT_TRUE(server.open_unix(path, "no-such-group"));
    struct stat status {};
    ASSERT_EQ(::lstat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(ControlServerTest, EndsClientsThatTalkNonsenseTooMuchOrNothing)
{
    ASSERT_TRUE(server.open_unix(path, "no-such-group"));
    start();
    EXPECT_TRUE(ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    const auto endless = ask("GET /" + std::string(1'000'000, 'x'));
    EXPECT_TRUE(endless.empty() || endless == "not sent" || endless.starts_with("HTTP/1.1 414 ")) << endless;
    const auto idle = connect();
    EXPECT_EQ(rest_of(idle), "") << "closed at its deadline";
    EXPECT_TRUE(ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("GET /")) << "and it goes on serving";
}

TEST_F(ControlServerTest, ServesOnWhileMoreClientsIdleThanItTakesAtOnce)
{
    ASSERT_TRUE(server.open_unix(path, "no-such-group"));
    start();
    std::vector<Descriptor> idle;
    for (std::size_t i = 0; i < settings.control_clients + 20; ++i) idle.push_back(connect());
    EXPECT_TRUE(ask("GET /late HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("GET /late"));
}

TEST_F(ControlServerTest, ReplacesWhatADeadProcessLeftButNothingElse)
{
    fs::create_directories(fs::path{path}.parent_path());
    {
        const Descriptor dead{::socket(AF_UNIX, SOCK_STREAM, 0)};
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::copy(path.begin(), path.end(), name.sun_path);
        ASSERT_EQ(::bind(dead.number(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    }
    ASSERT_TRUE(server.open_unix(path, "no-such-group"));
    start();
    ControlServer second{io, wheel, settings, {}};
    const auto taken = second.open_unix(path, "no-such-group");
    ASSERT_FALSE(taken);
    EXPECT_NE(taken.error().what.find("another gatewayd"), std::string::npos);

    const auto file = folder + "/file";
    ASSERT_EQ(::close(::open(file.c_str(), O_CREAT | O_WRONLY, 0600)), 0);
    EXPECT_FALSE(second.open_unix(file, "no-such-group"));
    EXPECT_TRUE(fs::exists(file));
    EXPECT_FALSE(second.open_unix(std::string(200, 'x'), "no-such-group"));
}

TEST_F(ControlServerTest, StandsInNoFolderThatOthersMayWriteTo)
{
    fs::create_directories(fs::path{path}.parent_path());
    ASSERT_EQ(::chmod(fs::path{path}.parent_path().c_str(), 0777), 0);
    const auto opened = server.open_unix(path, "no-such-group");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().fault, Fault::refused);
    EXPECT_FALSE(fs::exists(path));
    ASSERT_EQ(::chmod(fs::path{path}.parent_path().c_str(), 01777), 0) << "as /tmp is: only the owner takes files away";
    EXPECT_TRUE(server.open_unix(path, "no-such-group"));
}

TEST_F(ControlServerTest, SaysWhatAnOrdinaryUserWantsWhoMayNotMakeIt)
{
    ASSERT_EQ(::chmod(folder.c_str(), 0555), 0); // and of root: an ordinary user is another one
    const auto in_it = folder + "/control.sock", in_a_new_one = folder + "/run/control.sock";
    for (const auto& name : {in_it, in_a_new_one}) {
        const auto said = lab::said_by_an_ordinary_user([&]() -> std::string {
            const auto opened = server.open_unix(name, "no-such-group");
            return opened ? "it was opened" : opened.error().what;
        });
        EXPECT_NE(said.find("admin.socket: no permission for " + folder), std::string::npos) << said;
        EXPECT_NE(said.find("start gatewayd as root or by its unit"), std::string::npos) << said;
    }
    ::chmod(folder.c_str(), 0700);
}

TEST_F(ControlServerTest, LetsTheOldestIdlerMakeRoomAndNobodyWait)
{
    settings.request_limit = std::chrono::minutes{10};
    ControlServer patient{io, wheel, settings, [](std::string, std::string, std::string) -> Task<link::Answer> {
                              link::Answer answer;
                              answer.body = "at once";
                              co_return answer;
                          }};
    ASSERT_TRUE(patient.open_unix(path, "no-such-group"));
    start();
    std::vector<Descriptor> idle;
    for (std::size_t i = 0; i < settings.control_clients * 2; ++i) {
        idle.push_back(connect());
        ASSERT_EQ(::send(idle.back().number(), "GET /", 5, MSG_NOSIGNAL), 5);
    }
    EXPECT_TRUE(ask("GET /now HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("at once"));
    EXPECT_EQ(rest_of(idle.front()), "") << "it was ended long before its time";
    stop();
}

TEST_F(ControlServerTest, LeavesAFileThatIsAnothers)
{
    ASSERT_TRUE(server.open_unix(path, "no-such-group"));
    EXPECT_FALSE(fs::exists(path + ".lock"));
    fs::remove(path); // as somebody would who takes it for a dead one
    ControlServer second{io, wheel, settings, {}};
    ASSERT_TRUE(second.open_unix(path, "no-such-group"));
    server.close();
    EXPECT_TRUE(fs::exists(path));
    second.close();
    EXPECT_FALSE(fs::exists(path));
}

TEST_F(ControlServerTest, RemovesItsFileWhenItCloses)
{
    ASSERT_TRUE(server.open_unix(path, "no-such-group"));
    server.close();
    EXPECT_FALSE(fs::exists(path));
}

} // namespace
} // namespace gw::keeper
