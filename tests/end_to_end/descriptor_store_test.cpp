// A keeper that is killed, while the service manager keeps its listening sockets: nobody is refused, the next one goes
// on with them. The service manager is the test's own (Notifications).

#include "tests/end_to_end/scene.h"
#include "tests/support/lab_datagram.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gw::lab {
namespace {

using Clock = std::chrono::steady_clock;
using ::testing::Each;
using ::testing::SizeIs;

constexpr auto first_address = "10.0.1.1:8500";
constexpr auto second_address = "10.0.1.1:8501";

std::string binding(std::string_view addresses, int workers = 2,
                    std::string_view more = "routes: [{to: \"respond:200\"}]\n")
{
    return "workers: " + std::to_string(workers) + "\nlisteners: [{name: public, protocol: http, bind: [" +
           std::string(addresses) + "]}]\n" + std::string(more);
}
const std::string one_address = binding("\"10.0.1.1:8500\"");
const std::string two_addresses = binding("\"10.0.1.1:8500\", \"10.0.1.1:8501\"");

double milliseconds_since(Clock::time_point start)
{
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Somebody who asks again and again, with a connection for each request, and waits as long as it takes.
class Patient {
public:
    Patient(const Network& network, std::string from, std::string to)
        : thread_([this, &network, from = std::move(from), to = std::move(to)] {
              const auto client = network.client(from);
              auto last = Clock::now();
              while (!stop_) {
                  auto socket = client.dials(to, 0, Milliseconds{10'000});
                  if (!socket.connected()) {
                      error_ = socket.error();
                      // A SYN that nobody takes is refused. This one was taken, and its taker killed before we looked.
                      ++(error_ == ECONNRESET ? lost_ : refused_);
                      continue;
                  }
                  const bool fine = socket.sends(request("GET", "/", "a.example")) &&
                                    socket.receives_until("\r\n").starts_with("HTTP/1.1 200");
                  ++(fine ? good_ : lost_);
                  if (!fine) continue;
                  longest_ = std::max<double>(longest_, milliseconds_since(last));
                  last = Clock::now();
              }
          })
    {}
    ~Patient() { end(); }
    void end()
    {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    int good() const { return good_; }
    int refused() const { return refused_; }
    int error() const { return error_; } ///< of the last one refused
    int lost() const { return lost_; }   ///< accepted, and then without an answer
    double longest_gap_ms() const { return longest_; }

private:
    std::atomic<bool> stop_{false};
    std::atomic<int> good_{0}, refused_{0}, lost_{0}, error_{0};
    std::atomic<double> longest_{0};
    std::thread thread_;
};

class KeptDescriptors : public Appliance {
protected:
    void SetUp() override
    {
        Appliance::SetUp();
        if (!HasFatalFailure() && !IsSkipped()) gateway.has_descriptors_kept();
    }
    void keeper_is_killed()
    {
        gateway.process().signal(SIGKILL);
        gateway.process().wait();
        EXPECT_TRUE(eventually([] { return orphans().empty(); })) << "its processes go on";
    }
    int status(std::string_view at)
    {
        return status_of(network.client("10.0.1.2"), at, request("GET", "/", "a.example"));
    }
    int error_of_dialling(std::string_view at)
    {
        return network.client("10.0.1.2").dials(at, 0, Milliseconds{2'000}).error();
    }
    std::vector<std::string> names() { return gateway.notifications().kept_names(); }
    bool has_names(std::size_t count)
    {
        return eventually([&] { return names().size() == count; });
    }
    void survives_kills(const std::string& yaml, const char* what);
};

int kills_wanted(int usual)
{
    const char* wanted = std::getenv("GW_SOAK_KILLS");
    return wanted != nullptr ? std::atoi(wanted) : usual;
}

void KeptDescriptors::survives_kills(const std::string& yaml, const char* what)
{
    gateway.runs_with(yaml);
    ASSERT_TRUE(has_names(2));
    Patient one(network, "10.0.1.3", first_address), two(network, "10.0.1.4", first_address);
    const auto answered = [&] { return one.good() + two.good(); };
    const int kills = kills_wanted(5);
    double worst = 0, sum = 0;
    for (int turn = 0; turn < kills; ++turn) {
        const int before = answered();
        ASSERT_TRUE(eventually([&] { return answered() > before + 20; })) << gateway.log();
        const auto killed = Clock::now();
        gateway.process().signal(SIGKILL);
        gateway.process().wait();
        const int then = answered();
        gateway.runs_again();
        ASSERT_TRUE(eventually([&] { return answered() > then + 1; })) << gateway.log();
        const double took = milliseconds_since(killed);
        worst = std::max(worst, took);
        sum += took;
    }
    one.end();
    two.end();
    EXPECT_EQ(one.refused() + two.refused(), 0) << std::strerror(std::max(one.error(), two.error()));
    EXPECT_LE(one.lost() + two.lost(), 2 * kills) << "more than one of each client at each kill";
    EXPECT_THAT(names(), SizeIs(2));
    std::printf("%s, %d kills of the keeper: %d requests answered, %d refused, %d lost under way, answers again after "
                "%.0f ms on average, %.0f ms at worst; longest time without an answer %.0f ms\n",
                what, kills, answered(), one.refused() + two.refused(), one.lost() + two.lost(), sum / kills, worst,
                std::max(one.longest_gap_ms(), two.longest_gap_ms()));
}

TEST_F(KeptDescriptors, AKilledKeeperRefusesNobodyUnderLoad)
{
    survives_kills(binding("\"10.0.1.1:8500\"", 2, "routes: [{to: \"respond:200\"}]\nwaf: {mode: off}\n"),
                   "no inspection");
}

TEST_F(KeptDescriptors, NorWithRulesThatHaveToBeCompiledFirst)
{
    survives_kills(binding("\"10.0.1.1:8500\"", 2, "routes: [{to: \"respond:200\"}]\nwaf: {mode: block}\n"),
                   "with inspection");
}

TEST_F(KeptDescriptors, WhoCameWhileNobodyLivedIsServedByTheNext)
{
    gateway.runs_with(one_address);
    ASSERT_TRUE(has_names(2));
    keeper_is_killed();
    std::vector<Socket> waiting;
    for (int i = 0; i < 20; ++i) {
        waiting.push_back(network.client("10.0.1.2").dials(first_address));
        ASSERT_TRUE(waiting.back().connected()) << "refused";
        EXPECT_TRUE(waiting.back().sends(request("GET", "/", "a.example")));
    }
    gateway.runs_again();
    for (auto& socket : waiting) EXPECT_THAT(socket.receives_until("\r\n"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(gateway.log(), HasSubstr("2 listening sockets were kept by the service manager"));
}

TEST_F(KeptDescriptors, AKeeperThatDiedWhileItClosedThemLeavesThemUsable)
{
    gateway.runs_with(one_address);
    ASSERT_TRUE(has_names(2));
    keeper_is_killed();
    sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog program{1, &nothing};
    for (const auto& [name, socket] : gateway.notifications().kept())
        ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
    gateway.runs_again();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(status(first_address), 200);
    EXPECT_THAT(gateway.log(), HasSubstr("2 listening sockets were kept by the service manager"));
}

TEST_F(KeptDescriptors, InterceptingListenersKeepTheirPorts)
{
    WebServer site(network, "site.example", 10);
    for (const std::string mode : {"tproxy", "redirect"}) {
        SCOPED_TRACE(mode);
        auto yaml = intercepting();
        yaml.insert(yaml.find("to:"), "mode: " + mode + ", ");
        gateway.runs_with(yaml);
        const auto kept = names();
        ASSERT_FALSE(kept.empty());
        EXPECT_THAT(kept, Each(HasSubstr("/web/")));
        keeper_is_killed();
        EXPECT_EQ(gateway.rules(), "");
        gateway.runs_again();
        EXPECT_EQ(names(), kept);
        for (const auto& name : kept) EXPECT_THAT(gateway.rules(), HasSubstr(":" + name.substr(name.rfind('/') + 1)));
        EXPECT_TRUE(eventually([&] {
            const auto answered = network.client("10.0.1.2").asks("http://site.example/").status == 200;
            return answered && !gateway.records().empty();
        })) << gateway.log();
        EXPECT_EQ(site.last_client(), "10.0.1.2");
        gateway.stops();
        EXPECT_THAT(names(), SizeIs(0));
    }
}

TEST_F(KeptDescriptors, DatagramsGoOnThroughTheSameSockets)
{
    DatagramServer server(network.servers(), "10.0.2.10:53", echoes_datagrams());
    gateway.runs_with("workers: 2\nlisteners: [{name: dns, intercept: {transport: udp, to: [10.0.2.0/24], "
                      "ports: [53]}}]\n");
    ASSERT_TRUE(has_names(4)) << "two to listen, two to answer from port 53";
    const auto kept = names();
    keeper_is_killed();
    gateway.runs_again();
    EXPECT_EQ(names(), kept);
    EXPECT_THAT(gateway.log(), HasSubstr("4 listening sockets were kept by the service manager"));
    DatagramSocket client(network.clients(), *Endpoint::parse("10.0.1.3:40001"));
    const auto to = *Endpoint::parse("10.0.2.10:53");
    EXPECT_TRUE(eventually([&] {
        client.sends(to, "hello");
        const auto back = client.receives(Milliseconds{500});
        const auto ports = server.sender_ports();
        const bool through_us =
            std::any_of(ports.begin(), ports.end(), [](const auto& p) { return p.first.port != 40001; });
        return back && back->from == to && through_us;
    })) << gateway.log();
}

TEST_F(KeptDescriptors, AReloadKeepsWhatComesAndForgetsWhatGoes)
{
    gateway.runs_with(one_address);
    ASSERT_TRUE(has_names(2));
    const auto before = names();
    gateway.reloads(two_addresses);
    EXPECT_TRUE(has_names(4));
    keeper_is_killed();
    EXPECT_EQ(error_of_dialling(second_address), 0);
    gateway.runs_again();
    EXPECT_EQ(status(first_address), 200);
    EXPECT_EQ(status(second_address), 200);
    gateway.reloads(one_address);
    EXPECT_EQ(error_of_dialling(second_address), ECONNREFUSED);
    EXPECT_TRUE(has_names(2));
    EXPECT_EQ(names(), before);
    gateway.reloads(two_addresses);
    EXPECT_EQ(status(second_address), 200);
    EXPECT_TRUE(has_names(4));
}

TEST_F(KeptDescriptors, AReloadThatFailsChangesNothing)
{
    gateway.runs_with(one_address);
    ASSERT_TRUE(has_names(2));
    const auto before = names();
    gateway.is_given(binding("\"10.0.1.1:8500\", \"10.9.9.9:8501\"")); // no such address
    EXPECT_NE(gateway.ctl({"reload"}).exit_code, 0);
    EXPECT_EQ(names(), before);
    EXPECT_EQ(status(first_address), 200);
}

TEST_F(KeptDescriptors, WhatTheConfigurationNoLongerNeedsIsForgottenAtTheStart)
{
    gateway.runs_with(two_addresses);
    ASSERT_TRUE(has_names(4));
    keeper_is_killed();
    gateway.is_given(one_address);
    gateway.runs_again();
    EXPECT_EQ(error_of_dialling(second_address), ECONNREFUSED) << "nobody would ever answer there";
    EXPECT_EQ(status(first_address), 200);
    EXPECT_TRUE(has_names(2));
    EXPECT_TRUE(gateway.notifications().heard("BARRIER=1"));
}

TEST_F(KeptDescriptors, AnotherNumberOfWorkersLeavesNoSocketUnserved)
{
    gateway.runs_with(one_address);
    ASSERT_TRUE(has_names(2));
    for (const int workers : {1, 3}) {
        keeper_is_killed();
        gateway.is_given(binding("\"10.0.1.1:8500\"", workers));
        gateway.runs_again();
        for (int i = 0; i < 30; ++i) ASSERT_EQ(status(first_address), 200) << workers << " workers";
        EXPECT_TRUE(has_names(workers == 1 ? 2 : 3));
    }
    EXPECT_THAT(gateway.log(), HasSubstr("there are more workers now"));
}

TEST_F(KeptDescriptors, WhatIsNoneOfOursIsClosedAndSaid)
{
    gateway.runs_with(one_address);
    ASSERT_TRUE(has_names(2));
    keeper_is_killed();
    const auto ours = names();
    auto& kept = gateway.notifications();
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const Descriptor other_end{pipe[1]};
    kept.keeps("gw1/public/btc/0/0a000101/8501", Descriptor{pipe[0]});
    kept.keeps("web.socket", network.gateway().listens(*Endpoint::parse("10.0.1.1:8600")));
    kept.keeps("stored", Descriptor{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)});
    kept.keeps("gw1/public/btc/0/0a000101/8502", network.gateway().listens(*Endpoint::parse("10.0.1.1:8601")));
    kept.keeps("gw1/public/btc/0/0a00020a/8602", network.servers().listens(*Endpoint::parse("10.0.2.10:8602")));
    kept.keeps(ours[0], Descriptor{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}); // called like a good one
    kept.keeps("gw1/" + std::string(200, 'x') + "/%s%n", Descriptor{::open("/dev/null", O_RDWR | O_CLOEXEC)});
    gateway.runs_again();

    EXPECT_TRUE(has_names(2)) << ::testing::PrintToString(names());
    EXPECT_EQ(names(), ours);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(status(first_address), 200);
    const auto log = gateway.log();
    EXPECT_THAT(log, HasSubstr("(\"gw1/public/btc/0/0a000101/8501\") of the service manager is closed: is no socket"));
    EXPECT_THAT(log, HasSubstr("(\"web.socket\") of the service manager is closed: is no name"));
    EXPECT_THAT(log, HasSubstr("(\"stored\") of the service manager is closed"));
    EXPECT_THAT(log, HasSubstr("is bound to 10.0.1.1:8601, not 10.0.1.1:8502"));
    EXPECT_THAT(log, HasSubstr("is of another network namespace"));
    EXPECT_THAT(log, HasSubstr("2 listening sockets were kept"));
    EXPECT_EQ(error_of_dialling("10.0.1.1:8600"), ECONNREFUSED) << "closed";
}

TEST_F(KeptDescriptors, AnOrderlyStopForgetsAllOfThemAndRefusesAtOnce)
{
    std::atomic<bool> may_answer{false};
    Origin slow(network.servers(), "10.0.2.11:80", [&](Origin::Connection& connection) {
        connection.receives_until("\r\n\r\n");
        eventually([&] { return may_answer.load(); });
        connection.sends(answer(200, "at last"));
    });
    gateway.runs_with(binding("\"10.0.1.1:8500\"", 2, "routes: [{to: \"http://10.0.2.11/\"}]\n"));
    ASSERT_TRUE(has_names(2));
    auto under_way = network.client("10.0.1.2").dials(first_address);
    under_way.sends(request("GET", "/", "a.example"));
    ASSERT_TRUE(slow.waits_for_connections(1));
    gateway.process().signal(SIGTERM);
    EXPECT_TRUE(has_names(0));
    EXPECT_TRUE(gateway.is_running()) << "somebody is under way";
    EXPECT_EQ(error_of_dialling(first_address), ECONNREFUSED);
    may_answer = true;
    EXPECT_THAT(under_way.receives_until("\r\n"), StartsWith("HTTP/1.1 200"));
    under_way.closes();
    EXPECT_EQ(gateway.process().wait().exit_code, 0);
}

TEST_F(KeptDescriptors, ASuccessorGoesOnKeepingThem)
{
    gateway.runs_with(one_address);
    ASSERT_TRUE(has_names(2));
    ASSERT_EQ(gateway.ctl({"upgrade"}).exit_code, 0) << gateway.log();
    EXPECT_TRUE(eventually([&] { return !gateway.is_running(); })) << "the old one has nobody to wait for";
    EXPECT_THAT(names(), SizeIs(2)) << "forgotten by the one that ended";
    const auto successor = Json::parse(gateway.ctl({"status", "--json"}).out).value("pid", -1);
    ASSERT_GT(successor, 0);
    gateway.reloads(two_addresses);
    EXPECT_TRUE(has_names(4));
    ::kill(successor, SIGKILL);
    EXPECT_TRUE(eventually([] { return orphans().empty(); }));
    auto waiting = network.client("10.0.1.2").dials(second_address);
    ASSERT_TRUE(waiting.connected());
    waiting.sends(request("GET", "/", "a.example"));
    gateway.runs_again();
    EXPECT_THAT(waiting.receives_until("\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(KeptDescriptors, AKilledDataProcessChangesNothing)
{
    gateway.runs_with(one_address);
    ASSERT_TRUE(has_names(2));
    const auto before = names();
    ::kill(Json::parse(gateway.ctl({"status", "--json"}).out).value("data_pid", -1), SIGKILL);
    EXPECT_EQ(status(first_address), 200);
    EXPECT_EQ(names(), before);
}

TEST_F(Appliance, WithoutAServiceManagerAKilledKeeperLeavesNoSocket)
{
    gateway.is_given(one_address);
    Process daemon({Gateway::program_file("gatewayd"), "--config", gateway.configuration_file()},
                   network.gateway().place());
    const auto client = network.client("10.0.1.2");
    ASSERT_TRUE(eventually([&] { return client.dials(first_address).connected(); })) << daemon.err();
    EXPECT_EQ(status_of(client, first_address, request("GET", "/", "a.example")), 200);
    EXPECT_THAT(daemon.err(), Not(HasSubstr("service manager")));
    daemon.signal(SIGKILL);
    daemon.wait();
    EXPECT_TRUE(eventually([] { return orphans().empty(); }));
    EXPECT_EQ(client.dials(first_address, 0, Milliseconds{2'000}).error(), ECONNREFUSED);
}

TEST_F(Appliance, DescriptorsForAnotherProcessAreNotLookedAt)
{
    gateway.is_given(one_address);
    auto place = network.gateway().place();
    place.environment = {"LISTEN_FDS=1", "LISTEN_FDNAMES=web.socket", "LISTEN_PID=1"};
    Process daemon({Gateway::program_file("gatewayd"), "--config", gateway.configuration_file()}, place);
    ASSERT_TRUE(daemon.wrote([](const auto&, const auto& err) { return err.find("serving 1") != std::string::npos; }));
    EXPECT_THAT(daemon.err(), Not(HasSubstr("web.socket")));
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait().exit_code, 0);
}

} // namespace
} // namespace gw::lab
