// The data process is killed, frozen, killed again: clients wait a moment at most, and only what was under way is lost.

#include "tests/end_to_end/scene.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <thread>

namespace gw::lab {
namespace {

using Clock = std::chrono::steady_clock;

class Crash : public Appliance {
protected:
    Json status() const { return Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false); }
    int serving() const { return status().value("data_pid", -1); }
    bool next_is_ready() const
    {
        return eventually([&] { return status().value("standby_ready", false); }, Milliseconds{30'000});
    }
    void kills_the_data_process(int signal = SIGKILL) const { ::kill(serving(), signal); }
};

int repetitions(int otherwise)
{
    const char* wanted = std::getenv("GW_SOAK_KILLS");
    return wanted == nullptr ? otherwise : std::atoi(wanted);
}

/// One connection a request, again and again; counts what was refused, what was cut, and how long it had no answer:
/// across each kill, and at most otherwise, which is what a busy machine does to it.
struct Caller {
    Caller(const Network& network, std::string client, std::string to, const std::atomic<int>& kills)
        : thread([this, &network, client, to, &kills] {
              const auto from = network.client(client);
              auto last = Clock::now();
              int kills_then = 0;
              while (!stop) {
                  auto socket = from.dials(to);
                  if (!socket.connected()) {
                      ++refused;
                      continue;
                  }
                  const bool sent = socket.sends(request("GET", "/load", "a.example", "Connection: close\r\n"));
                  const auto answer = sent ? receive_message(socket) : Message{};
                  if (!answer.whole || !answer.head.starts_with("HTTP/1.1 200")) {
                      ++cut;
                      continue;
                  }
                  const auto now = Clock::now();
                  const auto gap = std::chrono::duration<double, std::milli>(now - last).count();
                  if (std::exchange(kills_then, kills) != kills_then)
                      gaps.push_back(gap);
                  else
                      longest_otherwise = std::max(longest_otherwise, gap);
                  last = now;
                  ++good;
              }
          })
    {}
    ~Caller() { end(); }
    void end()
    {
        stop = true;
        if (thread.joinable()) thread.join();
    }
    std::atomic<bool> stop{false};
    std::atomic<int> good{0}, cut{0}, refused{0};
    std::vector<double> gaps; // these two: once it has ended
    double longest_otherwise = 0;
    std::thread thread;
};

class CrashBy : public Crash, public ::testing::WithParamInterface<int> {};

TEST_P(CrashBy, OfTheDataProcessRefusesNobody)
{
    Origin v4(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    Origin v6(network.servers(), "[fd00:2::11]:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    std::atomic<int> killed{0};
    std::array callers{Caller{network, "10.0.1.3", "10.0.2.11:80", killed},
                       Caller{network, "10.0.1.4", "10.0.2.11:80", killed},
                       Caller{network, "fd00:1::3", "[fd00:2::11]:80", killed},
                       Caller{network, "fd00:1::4", "[fd00:2::11]:80", killed}};
    const int kills = repetitions(GetParam() == SIGKILL ? 2 : 1);
    for (int turn = 0; turn < kills; ++turn) {
        ASSERT_TRUE(next_is_ready()) << gateway.log();
        const int before = serving();
        EXPECT_THAT(read_file("/proc/" + std::to_string(before) + "/limits"),
                    ::testing::ContainsRegex("Max core file size +0 +0 "))
            << "a core file would hold what clients sent";
        std::array<int, callers.size()> good;
        for (std::size_t each = 0; each < callers.size(); ++each) good[each] = callers[each].good;
        ++killed;
        ::kill(before, GetParam());
        for (std::size_t each = 0; each < callers.size(); ++each)
            ASSERT_TRUE(eventually([&] { return callers[each].good > good[each] + 5; })) << gateway.log();
        EXPECT_TRUE(eventually([&] { return serving() > 0 && serving() != before; }));
    }
    for (auto& caller : callers) caller.end();
    EXPECT_THAT(gateway.log(), HasSubstr("the data process ended by signal " + std::to_string(GetParam()) + ";"));
    EXPECT_EQ(status().value("data_restarts", 0), kills);
    for (auto& caller : callers) {
        EXPECT_EQ(caller.refused, 0) << "of " << caller.good;
        EXPECT_LE(caller.cut, kills) << "a client has one request under way";
        std::sort(caller.gaps.begin(), caller.gaps.end());
        std::printf("  %d ended by signal %d, %d requests, %d cut, %d refused; no answer for %.1f ms across a kill, at "
                    "most %.1f, else %.1f\n",
                    kills, GetParam(), caller.good.load(), caller.cut.load(), caller.refused.load(),
                    caller.gaps.at(caller.gaps.size() / 2), caller.gaps.back(), caller.longest_otherwise);
    }
}

INSTANTIATE_TEST_SUITE_P(Signal, CrashBy, ::testing::Values(SIGKILL, SIGSEGV, SIGABRT),
                         [](const auto& row) { return std::string(::sigabbrev_np(row.param)); });

TEST_F(Crash, OfTheWaitingProcessIsMended)
{
    gateway.runs_with(intercepting());
    ASSERT_TRUE(next_is_ready());
    const int first = serving();
    for (const int id : gateway.process_ids("gateway-data"))
        if (id != first) ::kill(id, SIGKILL);
    EXPECT_TRUE(eventually([&] { return !status().value("standby_ready", true); }));
    EXPECT_TRUE(next_is_ready()) << gateway.log();
    EXPECT_EQ(serving(), first);
    EXPECT_EQ(status().value("data_restarts", -1), 0);
}

TEST_F(Crash, OfAFrozenDataProcessIsNoticed)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting());
    ASSERT_TRUE(next_is_ready());
    const int before = serving();
    ::kill(before, SIGSTOP);
    EXPECT_TRUE(eventually([&] { return serving() != before; }, Milliseconds{30'000})) << gateway.log();
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 200);
    EXPECT_THAT(gateway.log(), HasSubstr("no sign of life"));
}

TEST_F(Crash, OfAProcessThatTakesInNoMessageAnyMoreIsNoticed)
{
    const auto large = intercepting("routes: [{to: \"respond:201 x\"}]\n") + "# " + std::string(600'000, 'x') + "\n";
    gateway.runs_with(intercepting("routes: [{to: \"respond:201 x\"}]"));
    ASSERT_TRUE(next_is_ready());
    const int frozen = serving();
    ::kill(frozen, SIGSTOP);
    gateway.is_given(large);
    Process reload({Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "reload"});
    EXPECT_TRUE(eventually([&] { return ::kill(frozen, 0) != 0; })) << gateway.log();
    EXPECT_THAT(gateway.log(), HasSubstr("no sign of life"));
    EXPECT_NE(reload.wait().exit_code, 0) << "it was under way";
    EXPECT_TRUE(eventually([&] { return network.client("10.0.1.2").asks("http://10.0.2.11/").status == 201; }));
    gateway.reloads(large);
}

TEST_F(Crash, OfAFrozenWaitingProcessIsMended)
{
    gateway.runs_with(intercepting());
    ASSERT_TRUE(next_is_ready());
    const int first = serving();
    for (const int id : gateway.process_ids("gateway-data")) {
        if (id == first) continue;
        ::kill(id, SIGSTOP);
        EXPECT_TRUE(eventually([&] { return ::kill(id, 0) != 0; }, Milliseconds{30'000})) << gateway.log();
    }
    EXPECT_TRUE(next_is_ready()) << gateway.log();
    EXPECT_EQ(serving(), first);
}

TEST_F(Crash, ServesOnWithoutAnAccessLogThatCannotBeOpenedAnyMore)
{
    Folder folder;
    const auto logs = folder.path("logs");
    std::filesystem::create_directory(logs);
    const auto yaml = intercepting("routes: [{to: \"respond:201 x\"}]\nlogs: {access: {to: " + logs + "/access}}");
    gateway.runs_with(yaml);
    ASSERT_TRUE(next_is_ready());
    std::filesystem::remove_all(logs);
    for (int turn = 0; turn < 2; ++turn) {
        const int before = serving();
        kills_the_data_process();
        ASSERT_TRUE(eventually([&] { return serving() > 0 && serving() != before; }));
        EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 201) << gateway.log();
        EXPECT_THAT(status()["problems"].dump(), HasSubstr("access log " + logs));
        EXPECT_THAT(gateway.log(), HasSubstr("lines go on to the file that was open"));
    }
    EXPECT_THAT(gateway.ctl({"reload"}).err, HasSubstr("access log " + logs)) << "that much can wait";
    std::filesystem::create_directory(logs);
    gateway.reloads(yaml);
    EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/again").status, 201);
    EXPECT_TRUE(eventually([&] { return read_file(logs + "/access").find("/again") != std::string::npos; }));
    EXPECT_EQ(status().value("state", ""), "ok") << status();
}

/// Stops one thread of a process and no other, as a debugger does, and lets go of it at the end.
class FrozenThread {
public:
    explicit FrozenThread(int id)
        : tracer_([this, id] {
              const bool stopped = ::ptrace(PTRACE_SEIZE, id, nullptr, nullptr) == 0 &&
                                   ::ptrace(PTRACE_INTERRUPT, id, nullptr, nullptr) == 0 &&
                                   ::waitpid(id, nullptr, __WALL) == id;
              stopped_ = stopped ? 1 : -1;
              // The kernel keeps who is killed meanwhile until its tracer has heard of it.
              while (stopped && ::waitpid(id, nullptr, __WALL | WNOHANG) == 0 && !let_go_)
                  std::this_thread::sleep_for(Milliseconds{5}); // waitpid(2) cannot wait for `let_go_` as well
          })
    {}
    ~FrozenThread()
    {
        let_go_ = true;
        tracer_.join();
    }
    bool is_stopped() const
    {
        return eventually([this] { return stopped_ != 0; }) && stopped_ > 0;
    }

private:
    std::atomic<int> stopped_{0};
    std::atomic<bool> let_go_{false};
    std::thread tracer_;
};

int thread_of(int process, const std::string& name)
{
    std::error_code ignored;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", ignored))
        if (read_file(task.path() / "comm") == name + '\n') return std::stoi(task.path().filename().string());
    return -1;
}

TEST_F(Crash, OneWorkerThatTurnsNoMoreIsNoticed)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(intercepting("workers: 2\n"));
    ASSERT_TRUE(next_is_ready());
    const int before = serving();
    const auto start = Clock::now();
    const FrozenThread frozen(thread_of(before, "worker-0"));
    ASSERT_TRUE(frozen.is_stopped());
    EXPECT_TRUE(eventually([&] { return serving() > 0 && serving() != before; }, Milliseconds{30'000}))
        << gateway.log();
    const auto noticed = std::chrono::duration_cast<Milliseconds>(Clock::now() - start);
    EXPECT_GT(noticed, Milliseconds{4'000}) << "a busy worker is no hung one";
    EXPECT_THAT(gateway.log(), HasSubstr("no sign of life"));
    EXPECT_EQ(status().value("data_restarts", 0), 1);
    for (int turn = 0; turn < 8; ++turn) // each of the workers has its share
        EXPECT_EQ(network.client("10.0.1.2").asks("http://10.0.2.11/").status, 200);
    std::cout << "  ended and replaced after " << noticed.count() << " ms\n";
}

TEST_F(Crash, AgainAndAgainMakesTheNextStartWait)
{
    gateway.runs_with(intercepting());
    ASSERT_TRUE(next_is_ready());
    // Whatever starts is killed at once, for as long as a loop without pauses would have started hundreds.
    std::set<int> seen;
    const auto until = Clock::now() + Milliseconds{3'000};
    while (Clock::now() < until)
        for (const int id : gateway.process_ids("gateway-data"))
            if (seen.insert(id).second) ::kill(id, SIGKILL);
    EXPECT_LT(seen.size(), 30u);
    EXPECT_TRUE(gateway.is_running());
    EXPECT_TRUE(eventually([&] { return serving() > 0 && !seen.contains(serving()); }, Milliseconds{30'000}));
    WebServer site(network, "site.example", 10);
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
}

TEST_F(Crash, AfterAReloadTheNextOneHasTheNewConfiguration)
{
    gateway.runs_with(intercepting("routes: [{to: \"respond:201 x\"}]"));
    ASSERT_TRUE(next_is_ready());
    gateway.reloads(intercepting("routes: [{to: \"respond:202 x\"}]"));
    kills_the_data_process();
    EXPECT_TRUE(eventually([&] { return network.client("10.0.1.2").asks("http://10.0.2.11/").status == 202; }));
    ASSERT_TRUE(next_is_ready());
    kills_the_data_process();
    EXPECT_TRUE(eventually([&] { return network.client("10.0.1.2").asks("http://10.0.2.11/").status == 202; }));
}

} // namespace
} // namespace gw::lab
