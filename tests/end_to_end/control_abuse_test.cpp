// The control socket obeys root and its group, whatever others do to it; and whatever is done, traffic goes on.

#include "tests/end_to_end/steady_load.h"

#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace gw::lab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t bounded_kib = 24 * 1024;

/// A client of a Unix socket that does not wait for room in its queue.
Descriptor dials_unix(const std::string& path)
{
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
    if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return {};
    ::fcntl(socket.number(), F_SETFL, 0);
    const timeval limit{20, 0};
    ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return socket;
}

bool sends(const Descriptor& socket, std::string_view bytes)
{
    return ::send(socket.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::string rest_of(const Descriptor& socket)
{
    std::string answer;
    std::array<char, 4096> part;
    for (ssize_t count = 0; (count = ::recv(socket.number(), part.data(), part.size(), 0)) > 0;)
        answer.append(part.data(), static_cast<std::size_t>(count));
    return answer;
}

class ControlAbuse : public Appliance {
protected:
    std::string status_of_state() const
    {
        const auto status = gateway.ctl({"status", "--json"});
        return Json::parse(status.out, nullptr, false).is_object() ? "answers" : status.out + status.err;
    }
    int generation() const { return Json::parse(gateway.ctl({"status", "--json"}).out).value("generation", 0); }
    /// gatewayctl as somebody who is not root. `words` of setpriv say who.
    Output ctl_as(Command who, Command words) const
    {
        Command command{"setpriv", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"};
        if (who.size() == 3) command = {"setpriv", "--inh-caps=-all", "--bounding-set=-all"};
        command.insert(command.end(), who.begin(), who.end());
        command.insert(command.end(), {Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file()});
        command.insert(command.end(), words.begin(), words.end());
        return run(command, network.gateway().place());
    }
    std::string with_group(std::string_view group) const
    {
        return intercepting("admin: {socket: " + gateway.socket_file() + ", group: " + std::string(group) + "}");
    }
    /// Anybody may look into the folder, as into /run/gateway.
    void opens_the_folder() const { fs::permissions(fs::path(gateway.socket_file()).parent_path(), fs::perms{0755}); }
};

TEST_F(ControlAbuse, ObeysRootAndItsGroupOnly)
{
    gateway.runs_with(with_group("nogroup"));
    opens_the_folder();
    const auto before = generation();
    const Command stranger{"--reuid=64321", "--regid=64321"};
    EXPECT_NE(ctl_as(stranger, {"reload"}).exit_code, 0);
    EXPECT_NE(ctl_as(stranger, {"status"}).exit_code, 0);
    EXPECT_EQ(ctl_as({"--reuid=64321", "--regid=65534"}, {"status"}).exit_code, 0) << "its group";
    EXPECT_EQ(ctl_as({"--reuid=64321", "--regid=64321", "--groups=65534"}, {"status"}).exit_code, 0) << "one of its";

    // Even with the file open to everybody the kernel's word for who it is counts.
    fs::permissions(gateway.socket_file(), fs::perms{0666});
    for (const auto* word : {"reload", "status", "connections", "log", "rules"}) {
        Command words{word};
        if (words[0] == "rules") words.emplace_back("show");
        const auto refused = ctl_as(stranger, words);
        EXPECT_NE(refused.exit_code, 0) << word << refused.out;
    }
    EXPECT_EQ(generation(), before);
    EXPECT_THAT(gateway.log(), HasSubstr("turned away"));
}

TEST_F(ControlAbuse, LeavesFilesAloneThatStandWhereItsSocketShould)
{
    const Folder folder;
    const auto precious = folder.write("precious", "do not touch");
    const auto link = folder.path("link.sock");
    fs::create_symlink(precious, link);
    const auto before = fs::status(precious).permissions();
    for (const auto& path : {link, precious, folder.path()}) {
        const auto refused = gateway.refuses(intercepting("admin: {socket: " + path + "}"));
        EXPECT_THAT(refused.err, HasSubstr("admin.socket")) << path;
    }
    EXPECT_EQ(read_file(precious), "do not touch");
    EXPECT_EQ(fs::status(precious).permissions(), before);
    EXPECT_TRUE(fs::is_symlink(link));
}

TEST_F(ControlAbuse, LetsNobodyRaceItForThePath)
{
    const Folder folder;
    const auto victim = folder.write("victim", "mine");
    fs::permissions(victim, fs::perms{0600});
    fs::create_directory(folder.path("open"));
    fs::permissions(folder.path("open"), fs::perms{0777});
    const auto path = folder.path("open/control.sock");
    std::atomic<bool> done{false};
    std::thread racer([&] {
        std::error_code ignored;
        while (!done) {
            fs::remove(path, ignored);
            fs::create_symlink(victim, path, ignored);
        }
    });
    for (int turn = 0; turn < 5; ++turn) {
        const auto refused = gateway.refuses(intercepting("admin: {socket: " + path + "}"));
        EXPECT_THAT(refused.err, HasSubstr("others may write"));
    }
    done = true;
    racer.join();
    struct stat now {};
    ASSERT_EQ(::stat(victim.c_str(), &now), 0);
    EXPECT_EQ(now.st_mode & 0777, 0600u);
    EXPECT_EQ(now.st_gid, 0u);
    EXPECT_EQ(read_file(victim), "mine");
}

TEST_F(ControlAbuse, RefusesASocketThatSomebodyElseServes)
{
    const Folder folder;
    const auto path = folder.path("control.sock");
    const Descriptor other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
    ASSERT_EQ(::bind(other.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    ASSERT_EQ(::listen(other.number(), 8), 0);
    const auto refused = gateway.refuses(intercepting("admin: {socket: " + path + "}"));
    EXPECT_THAT(refused.err, HasSubstr("another gatewayd"));
    EXPECT_TRUE(fs::is_socket(path));
}

TEST_F(ControlAbuse, StopsNoTrafficAndNoCommandWithAThousandIdlers)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    Load traffic(network, true);
    ASSERT_TRUE(eventually([&] { return traffic.good > 20; }));
    const auto memory_before = gateway.memory_kib();

    std::vector<Descriptor> idle;
    eventually([&] {
        auto one = dials_unix(gateway.socket_file());
        if (one.is_open()) {
            sends(one, idle.size() % 2 == 0 ? "" : "GET /v1/st");
            idle.push_back(std::move(one));
        }
        return idle.size() >= 1'000;
    });
    EXPECT_GE(idle.size(), 1'000u) << "the oldest make room, so that all of them come in";
    const auto traffic_before = traffic.good.load();
    EXPECT_EQ(status_of_state(), "answers");
    EXPECT_TRUE(eventually([&] { return traffic.good > traffic_before + 20; }));
    EXPECT_LT(gateway.memory_kib(), memory_before + bounded_kib);
    idle.clear();
    EXPECT_EQ(gateway.ctl({"reload"}).exit_code, 0);
    traffic.end();
    EXPECT_EQ(traffic.bad, 0) << "of " << traffic.good;
}

TEST_F(ControlAbuse, TakesNoLineOfAGigabyte)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    Load traffic(network, true);
    const auto memory_before = gateway.memory_kib();
    const std::string part(1 << 20, 'x');
    for (const std::string start : {"GET /", "", "GET / HTTP/1.1\r\nHost: ", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}) {
        const auto client = dials_unix(gateway.socket_file());
        ASSERT_TRUE(client.is_open());
        sends(client, start);
        std::size_t taken = 0;
        while (taken < (1u << 30) && sends(client, part)) taken += part.size();
        EXPECT_LT(taken, 8u << 20) << start;
    }
    EXPECT_EQ(status_of_state(), "answers");
    EXPECT_LT(gateway.memory_kib(), memory_before + bounded_kib);
    traffic.end();
    EXPECT_EQ(traffic.bad, 0) << "of " << traffic.good;
}

TEST_F(ControlAbuse, AnswersWhoEndsItsHalfAndOnlyTheFirstOfManyRequests)
{
    gateway.runs_with(intercepting());
    const std::string question = "GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n";
    const auto before = generation();

    const auto half = dials_unix(gateway.socket_file());
    sends(half, question);
    ::shutdown(half.number(), SHUT_WR);
    EXPECT_THAT(rest_of(half), StartsWith("HTTP/1.1 200"));

    const auto nothing = dials_unix(gateway.socket_file());
    ::shutdown(nothing.number(), SHUT_WR);
    EXPECT_EQ(rest_of(nothing), "");

    const auto many = dials_unix(gateway.socket_file());
    sends(many,
          question + "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + std::string(64, '\xff'));
    const auto answer = rest_of(many);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(answer.find("HTTP/1.1", 8), std::string::npos) << "one request a connection";
    EXPECT_EQ(generation(), before);

    for (const std::string& garbage :
         {std::string("\0\0\0\0\r\n\r\n", 8), std::string("\x16\x03\x01\x02\x00", 5), std::string(70'000, '\n'),
          std::string("GET http://[::1]:80/v1/reload HTTP/1.1\r\nHost: y\r\n\r\n"),
          std::string("DELETE /v1/reload HTTP/1.1\r\nHost: y\r\n\r\n"),
          std::string("GET /v1/../v1/reload HTTP/1.1\r\nHost: y\r\n\r\n")}) {
        const auto client = dials_unix(gateway.socket_file());
        sends(client, garbage);
        ::shutdown(client.number(), SHUT_WR);
        EXPECT_THAT(rest_of(client), Not(StartsWith("HTTP/1.1 2"))) << garbage.substr(0, 30);
    }
    EXPECT_EQ(generation(), before);
}

TEST_F(ControlAbuse, GivesSlowBytesNoMoreTimeThanAnybody)
{
    gateway.runs_with(intercepting());
    const auto slow = dials_unix(gateway.socket_file());
    const auto began = std::chrono::steady_clock::now();
    const std::string question = "GET /v1/status?" + std::string(4'000, 'x');
    std::size_t sent = 0;
    while (sent < question.size() && sends(slow, question.substr(sent, 1))) {
        ++sent;
        char ignored{};
        if (::recv(slow.number(), &ignored, 1, MSG_DONTWAIT) == 0) break;
        std::this_thread::sleep_for(10ms); // the pace of the bytes, not a wait
    }
    EXPECT_LT(std::chrono::steady_clock::now() - began, 15s);
    EXPECT_LT(sent, question.size());
    EXPECT_EQ(status_of_state(), "answers");
}

} // namespace
} // namespace gw::lab
