// Caps, exhaustion and slow clients: what one client, or many, can take, and that it is given back.

#include "tests/end_to_end/scene.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace gw::lab {
namespace {

using Clock = std::chrono::steady_clock;

long long milliseconds_since(Clock::time_point begin)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

/// A listener that answers by itself.
std::string answering(std::string_view of_listener = "", std::string_view more = "")
{
    std::string yaml =
        "listeners:\n  - name: public\n    bind: [\"10.0.1.1:8000\", \"[fd00:1::1]:8000\"]\n    protocol: http\n";
    if (!of_listener.empty()) yaml.append("    ").append(of_listener).append("\n");
    return yaml.append("routes: [{to: \"respond:200 hello\"}]\n").append(more);
}

class Limits : public Appliance {
protected:
    Json status() const
    {
        auto json = Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false);
        return json.is_object() ? json : Json::object();
    }
    std::size_t turned_away(const char* reason) const
    {
        return status()["listeners"][0]["turned_away"].value(reason, std::size_t{0});
    }
    int data_process() const
    {
        const auto ids = gateway.process_ids("gateway-data");
        return ids.empty() ? -1 : ids.front();
    }
    /// Seconds of processor time so far.
    static double cpu_seconds(int id)
    {
        const auto stat = read_file("/proc/" + std::to_string(id) + "/stat");
        std::istringstream fields(stat.substr(stat.rfind(')') + 1));
        std::string skipped;
        for (int i = 0; i < 11; ++i) fields >> skipped;
        double user = 0, system = 0;
        fields >> user >> system;
        return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
    /// From now on that many descriptors. Only a process of the same user may ask for that. What went wrong, or
    /// nothing.
    static std::string lets_open(int id, std::ptrdiff_t count)
    {
        const auto status = read_file("/proc/" + std::to_string(id) + "/status");
        const auto first_number = [&](const std::string& name) {
            std::istringstream line(status.substr(status.find(name) + name.size()));
            std::string number;
            line >> number;
            return number;
        };
        return run({"setpriv", "--reuid", first_number("Uid:"), "--regid", first_number("Gid:"), "--clear-groups",
                    "prlimit", "--pid", std::to_string(id), "--nofile=" + std::to_string(count) + ":"})
            .err;
    }
    static std::size_t resident_kib(int id)
    {
        std::ifstream file("/proc/" + std::to_string(id) + "/status");
        for (std::string line; std::getline(file, line);)
            if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
        return 0;
    }
    Client client(std::size_t number) const { return network.client("10.0.1." + std::to_string(2 + number % 8)); }

    /// A connection that is served: a request over it is answered. False: it was turned away.
    static bool is_served(Socket& socket)
    {
        if (!socket.connected() || !socket.sends(request("GET", "/", "a"))) return false;
        return socket.receives_until("hello").ends_with("hello");
    }
};

// --- caps

TEST_F(Limits, OfAClientHoldForItAloneOverAllListenersAndFamilies)
{
    gateway.runs_with(answering("", "limits: {per_client: 5}\n"));
    std::deque<Socket> open;
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(is_served(open.emplace_back(client(0).dials("10.0.1.1:8000"))));
    for (int i = 0; i < 50; ++i) {
        auto more = client(0).dials("10.0.1.1:8000");
        EXPECT_FALSE(is_served(more));
        EXPECT_TRUE(more.was_reset() || !more.connected()) << "it was not reset";
    }
    auto another = client(1).dials("10.0.1.1:8000");
    EXPECT_TRUE(is_served(another));
    // fd00:1::/64 is one client.
    std::deque<Socket> v6;
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(
            is_served(v6.emplace_back(network.client("fd00:1::" + std::to_string(2 + i)).dials("[fd00:1::1]:8000"))));
    auto sixth = network.client("fd00:1::9").dials("[fd00:1::1]:8000");
    EXPECT_FALSE(is_served(sixth));

    EXPECT_EQ(turned_away("per_client"), 51U);
    EXPECT_THAT(gateway.ctl({"metrics"}).out,
                HasSubstr("gateway_connections_turned_away_total{listener=\"public\",reason=\"per_client\"} 51"));
    open.pop_front();
    EXPECT_TRUE(eventually([&] {
        auto again = client(0).dials("10.0.1.1:8000");
        return is_served(again);
    })) << "what ended does not count any more";
    std::size_t lines = 0;
    const auto log = gateway.log();
    for (auto at = log.find("turned away"); at != std::string::npos; at = log.find("turned away", at + 1)) ++lines;
    EXPECT_GE(lines, 1U);
    EXPECT_LE(lines, 15U) << "a line for each, or nearly:\n" << log;
}

TEST_F(Limits, OfAListenerHoldForItAlone)
{
    gateway.runs_with(answering("limits: {connections: 4, per_client: 3}"));
    std::deque<Socket> open;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_served(open.emplace_back(client(0).dials("10.0.1.1:8000"))));
    auto fourth = client(0).dials("10.0.1.1:8000");
    EXPECT_FALSE(is_served(fourth));
    EXPECT_TRUE(is_served(open.emplace_back(client(1).dials("10.0.1.1:8000"))));
    auto fifth = client(2).dials("10.0.1.1:8000");
    EXPECT_FALSE(is_served(fifth));
    EXPECT_EQ(turned_away("listener_per_client"), 1U);
    EXPECT_EQ(turned_away("listener_connections"), 1U);

    gateway.reloads(answering("limits: {connections: 0}"));
    auto now = client(0).dials("10.0.1.1:8000");
    EXPECT_TRUE(is_served(now)) << "the new limits hold for new connections";
}

TEST_F(Limits, OfAllConnectionsHoldUnderAFlood)
{
    gateway.runs_with(answering("", "limits: {connections: 100}\n"));
    std::deque<Socket> flood;
    for (std::size_t i = 0; i < 1'000; ++i) flood.push_back(client(i).dials("10.0.1.1:8000"));
    EXPECT_TRUE(eventually([&] { return turned_away("connections") == 900U; })) << turned_away("connections");
    EXPECT_EQ(status()["totals"].value("connections_active", 0), 100);
    flood.clear();
    const auto begin = Clock::now();
    EXPECT_TRUE(eventually([&] {
        auto one = client(0).dials("10.0.1.1:8000");
        return is_served(one);
    }));
    std::printf("{\"figure\": \"served after a flood\", \"ms\": %lld}\n", milliseconds_since(begin));
}

// --- descriptors

TEST_F(Limits, AreLoweredToWhatOpenFilesAllow)
{
    gateway.may_open_files(256);
    gateway.runs_with(answering());
    EXPECT_TRUE(eventually([&] { return gateway.log().find("LimitNOFILE=") != std::string::npos; })) << gateway.log();
    const auto limit = status()["limits"].value("connections", 0U);
    EXPECT_GT(limit, 80U);
    EXPECT_LT(limit, 128U);
    std::deque<Socket> many;
    for (std::size_t i = 0; i < 1'000; ++i) many.push_back(client(i).dials("10.0.1.1:8000"));
    EXPECT_TRUE(eventually([&] { return turned_away("connections") == 1'000 - limit; })) << turned_away("connections");
    EXPECT_TRUE(is_served(many.front())) << "who is inside is served";
    many.clear();
    EXPECT_TRUE(eventually([&] {
        auto one = client(0).dials("10.0.1.1:8000");
        return is_served(one);
    }));
}

/// With threads a table of descriptors that doubles holds up who opens one for 8 ms and more.
TEST_F(Limits, OfOpenFilesHaveTheirRoomFromTheStart)
{
    gateway.runs_with(intercepting("workers: 2\n"));
    ASSERT_TRUE(eventually([&] { return gateway.process_ids("gateway-data").size() == 2; })) << "one stands by";
    for (const int id : gateway.process_ids("gateway-data")) {
        const auto process = "/proc/" + std::to_string(id);
        const auto number_in = [&](const std::string& file, std::string_view before) {
            const auto text = read_file(process + file);
            return std::atoi(text.c_str() + text.find(before) + before.size());
        };
        const int may_open = number_in("/limits", "Max open files");
        EXPECT_GT(may_open, 1'000);
        EXPECT_TRUE(eventually([&] { return number_in("/status", "FDSize:") >= std::min(may_open, 65'536); }));
    }
}

TEST_F(Limits, SurviveDescriptorsThatRunOut)
{
    gateway.runs_with(answering());
    const auto id = data_process();
    const auto open = std::distance(std::filesystem::directory_iterator("/proc/" + std::to_string(id) + "/fd"), {});
    ASSERT_EQ(lets_open(id, open + 20), "");
    std::deque<Socket> many;
    for (std::size_t i = 0; i < 1'000; ++i) many.push_back(client(i).dials("10.0.1.1:8000"));
    const auto failures = [&] {
        const auto metrics = gateway.ctl({"metrics"}).out;
        const auto at = metrics.find("gateway_accept_failures_total{error=\"EMFILE\"} ");
        return at == std::string::npos ? 0 : std::atoi(metrics.c_str() + metrics.find("} ", at) + 2);
    };
    EXPECT_TRUE(eventually([&] { return failures() > 0; }));
    const auto cpu = cpu_seconds(id);
    const auto begin = Clock::now();
    EXPECT_TRUE(eventually([&] { return failures() > 40; })) << "it does not try again";
    const auto share = (cpu_seconds(id) - cpu) / (static_cast<double>(milliseconds_since(begin)) / 1'000);
    std::printf("{\"figure\": \"no descriptors\", \"cpu_per_cent\": %.1f}\n", share * 100);
    EXPECT_LT(share, 0.5) << "it spins";

    many.clear();
    ASSERT_EQ(lets_open(id, 20'000), "");
    const auto relief = Clock::now();
    EXPECT_TRUE(eventually([&] {
        auto one = client(0).dials("10.0.1.1:8000");
        return is_served(one);
    }));
    std::printf("{\"figure\": \"served after descriptors came back\", \"ms\": %lld}\n", milliseconds_since(relief));
}

TEST_F(Limits, SurviveWhateverAcceptAndSocketFailWith)
{
    if (run({"strace", "-V"}).exit_code != 0) GTEST_SKIP() << "no strace to inject faults with";
    WebServer site(network, "site.example", 10);
    gateway.runs_with("listeners: [{name: public, bind: [\"10.0.1.1:8000\"], protocol: http}]\n"
                      "routes: [{to: \"http://10.0.2.10/\"}]\nworkers: 1\n");
    EXPECT_EQ(client(0).asks("http://10.0.1.1:8000/").status, 200);
    const auto id = std::to_string(data_process());
    int survived = 0;
    for (const auto* fault : {"accept4:error=ECONNABORTED", "accept4:error=EINTR", "accept4:error=EPERM",
                              "accept4:error=EMFILE", "accept4:error=ENFILE", "accept4:error=ENOBUFS",
                              "accept4:error=ENOMEM", "socket:error=EMFILE", "socket:error=ENOBUFS"}) {
        Process strace({"strace", "-f", "-p", id, "-e", "trace=accept4,socket", "-e",
                        std::string("inject=") + fault + ":when=1..30"});
        const bool attached = strace.wrote([](const std::string&, const std::string& err) {
            return err.find("attached") != std::string::npos ||
                   err.find("Operation not permitted") != std::string::npos;
        });
        if (!attached || strace.err().find("not permitted") != std::string::npos)
            GTEST_SKIP() << "strace may not attach";
        const auto begin = Clock::now();
        EXPECT_TRUE(eventually([&] { return client(0).asks("http://10.0.1.1:8000/").status == 200; })) << fault << '\n'
                                                                                                       << strace.err();
        std::printf("{\"figure\": \"served after 30 faults\", \"fault\": \"%s\", \"ms\": %lld}\n", fault,
                    milliseconds_since(begin));
        survived += std::to_string(data_process()) == id ? 1 : 0;
        strace.signal(SIGINT);
        strace.wait();
    }
    EXPECT_EQ(survived, 9) << "the data process did not survive";
    const auto metrics = gateway.ctl({"metrics"}).out;
    for (const auto* error : {"ECONNABORTED", "EINTR", "EPERM", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"})
        EXPECT_THAT(metrics, HasSubstr("gateway_accept_failures_total{error=\"" + std::string(error) + "\"} "));
}

// --- memory

TEST_F(Limits, OfMemoryShedLoadAndLetItInAgain)
{
    Origin origin(network.servers(), "10.0.2.11:9000", echoes());
    const std::string yaml =
        "listeners:\n  - {name: public, bind: [\"10.0.1.1:8000\"], protocol: http}\n"
        "routes:\n  - {path: /up, to: \"http://10.0.2.11:9000/\"}\n  - {to: \"respond:200 hello\"}\n"
        "waf: {mode: detect, bodies: {request_max: 8MiB}}\n";
    gateway.runs_with(yaml);
    const auto id = data_process();
    auto first = client(0).dials("10.0.1.1:8000");
    EXPECT_TRUE(is_served(first));
    const auto budget_mib = resident_kib(id) / 1024 + 64;
    gateway.reloads(yaml + "limits: {memory: " + std::to_string(budget_mib) + "MiB}\n");

    // Each sends most of a body that must be seen whole, and waits.
    const std::string part(256 * 1024, 'x');
    std::deque<Socket> holders;
    std::size_t most_kib = 0;
    bool was_short = false;
    for (std::size_t i = 0; i < 60; ++i) {
        auto& holder = holders.emplace_back(client(i).dials("10.0.1.1:8000"));
        if (holder.connected()) {
            holder.sends("POST /up HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 6000000\r\n\r\n");
            for (int piece = 0; piece < 12 && holder.sends(part); ++piece)
                most_kib = std::max(most_kib, resident_kib(id));
        }
        was_short = was_short || gateway.log().find("memory is short") != std::string::npos;
    }
    EXPECT_TRUE(eventually([&] { return gateway.log().find("memory is short") != std::string::npos; }))
        << gateway.log();
    EXPECT_TRUE(eventually([&] {
        const auto limits = status()["limits"];
        return turned_away("memory") + limits.value("shed", 0) + limits.value("bodies_refused", 0) > 0;
    })) << status();
    std::printf("{\"figure\": \"memory\", \"budget_mib\": %zu, \"most_mib\": %zu}\n", budget_mib, most_kib / 1024);
    // Bodies take no more than is left; what else comes between two looks is buffers of connections.
    EXPECT_LT(most_kib / 1024, budget_mib + 8);
    EXPECT_EQ(data_process(), id) << "it did not survive";

    holders.clear();
    const auto begin = Clock::now();
    EXPECT_TRUE(eventually([&] {
        auto one = client(1).dials("10.0.1.1:8000");
        return is_served(one);
    })) << status()
        << gateway.log();
    std::printf("{\"figure\": \"served after memory came back\", \"ms\": %lld}\n", milliseconds_since(begin));
    EXPECT_TRUE(eventually([&] { return gateway.log().find("no longer short") != std::string::npos; }));
}

// --- fairness

TEST_F(Limits, LeaveOthersTheirTurnBesideOneWhoTakesAllItCan)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("workers: 1\n"));
    auto paced = network.client("10.0.1.3").dials("10.0.2.10:80");
    const auto measured = [&](int count) {
        std::vector<double> times;
        for (int i = 0; i < count; ++i) {
            const auto begin = Clock::now();
            paced.sends(request("GET", "/", "site.example"));
            EXPECT_TRUE(receive_message(paced).whole);
            times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        }
        std::sort(times.begin(), times.end());
        return std::pair{times[times.size() / 2], times[times.size() * 99 / 100]};
    };
    const auto idle = measured(200);
    std::atomic<bool> stop{false};
    std::atomic<int> downloads{0};
    std::thread hot([&] {
        while (!stop)
            if (network.client("10.0.1.2").asks("http://site.example/file/8").status == 200) ++downloads;
    });
    EXPECT_TRUE(eventually([&] { return downloads > 0; }));
    const auto beside = measured(200);
    stop = true;
    hot.join();
    std::printf("{\"figure\": \"one hot client\", \"idle_p50_ms\": %.2f, \"idle_p99_ms\": %.2f, \"p50_ms\": %.2f, "
                "\"p99_ms\": %.2f}\n",
                idle.first, idle.second, beside.first, beside.second);
}

// --- slow clients

TEST_F(Limits, CloseClientsWhoseHeaderDoesNotEnd)
{
    gateway.runs_with(answering("", "timeouts: {request_head: 1s}\n"));
    std::deque<Socket> slow;
    for (std::size_t i = 0; i < 300; ++i) {
        auto& socket = slow.emplace_back(client(i).dials("10.0.1.1:8000"));
        socket.sends("GET / HTTP/1.1\r\nHost: a\r\n");
    }
    const auto begin = Clock::now();
    const auto held = resident_kib(data_process());
    // A byte now and then does not help: the deadline counts from the first one.
    EXPECT_TRUE(eventually([&] {
        for (auto& socket : slow) socket.sends("X");
        return status()["totals"].value("connections_active", 1) == 0;
    }));
    std::printf("{\"figure\": \"slow headers\", \"clients\": 300, \"closed_after_ms\": %lld, \"rss_kib\": %zu}\n",
                milliseconds_since(begin), held);
    EXPECT_LT(milliseconds_since(begin), 10'000);
}

TEST_F(Limits, CloseClientsWhoseBodyTrickles)
{
    Origin origin(network.servers(), "10.0.2.11:9000", echoes());
    gateway.runs_with("listeners: [{name: public, bind: [\"10.0.1.1:8000\"], protocol: http}]\n"
                      "routes: [{to: \"http://10.0.2.11:9000/\"}]\n"
                      "limits: {min_body_rate: 1000}\ntimeouts: {body_grace: 1s}\n");
    std::deque<Socket> slow;
    for (std::size_t i = 0; i < 200; ++i) {
        auto& socket = slow.emplace_back(client(i).dials("10.0.1.1:8000"));
        socket.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    }
    const auto begin = Clock::now();
    EXPECT_TRUE(eventually([&] {
        for (auto& socket : slow) socket.sends("x"); // never idle
        return status()["totals"].value("connections_active", 1) == 0;
    }));
    std::printf("{\"figure\": \"trickled bodies\", \"clients\": 200, \"closed_after_ms\": %lld}\n",
                milliseconds_since(begin));
    const auto record = gateway.record([](const Json& each) { return each.value("status", 0) == 408; });
    EXPECT_THAT(record.value("what", ""), HasSubstr("slower than 1000 bytes a second"));

    // One that is quick enough is served, however long it takes.
    auto quick = client(0).dials("10.0.1.1:8000");
    quick.sends("POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'y'));
    EXPECT_THAT(receive_message(quick).head, StartsWith("HTTP/1.1 200"));
}

TEST_F(Limits, HoldLittleForClientsThatDoNotRead)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting("timeouts: {body_idle: 2s}\n"));
    auto warm = client(0).dials("10.0.2.10:80");
    warm.sends(request("GET", "/", "site.example"));
    EXPECT_TRUE(receive_message(warm).whole);
    const auto before = resident_kib(data_process());
    std::deque<Socket> stuck;
    for (std::size_t i = 0; i < 100; ++i) {
        auto& socket = stuck.emplace_back(client(i).dials("10.0.2.10:80"));
        socket.reads_at_most(2'048);
        socket.sends(request("GET", "/file/8", "site.example"));
    }
    EXPECT_TRUE(eventually(
        [&] { return site.log_now().size() >= 1 && status()["totals"].value("connections_active", 0) >= 100; }));
    const auto during = resident_kib(data_process());
    const auto each_kib = (during > before ? during - before : 0) / 100;
    std::printf("{\"figure\": \"slow readers\", \"clients\": 100, \"kib_each\": %zu}\n", each_kib);
    EXPECT_LT(each_kib, 256U);
    EXPECT_TRUE(eventually([&] { return status()["totals"].value("connections_active", 100) <= 1; }))
        << "they are kept for ever";
}

} // namespace
} // namespace gw::lab
