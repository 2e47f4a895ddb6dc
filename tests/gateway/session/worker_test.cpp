#include "tests/gateway/session/worker_lab.h"

namespace gw::session {
namespace {

TEST_F(WorkerTest, ServesEveryRequestWhileGenerationsChange)
{
    listen();
    std::atomic<bool> stop{false};
    std::atomic<int> served{0};
    std::atomic<int> failed{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 3; ++i)
        clients.emplace_back([&] {
            while (!stop) ask().starts_with("HTTP/1.1 200 ") ? ++served : ++failed;
        });
    for (std::uint64_t number = 2; number < 52; ++number) adopt(generation(number), {});
    const auto last = ask();
    stop = true;
    for (auto& client : clients) client.join();
    EXPECT_NE(last.find("number 51"), std::string::npos) << last;
    EXPECT_EQ(failed, 0);
    EXPECT_GT(served, 0);
    EXPECT_EQ(counters().requests, static_cast<std::uint64_t>(served + 1));
}

TEST_F(WorkerTest, TakesOverIdleConnectionsWhileGenerationsChange)
{
    Upstream upstream;
    listen(generation(1, upstream.url()));
    for (int i = 0; i < 30; ++i) EXPECT_TRUE(ask().starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(upstream.connections, 1) << "one after another";
    EXPECT_GT(counters().upstream_taken_over, 0U);

    std::atomic<bool> stop{false};
    std::atomic<int> failed{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 3; ++i)
        clients.emplace_back([&] {
            while (!stop)
                if (!ask().starts_with("HTTP/1.1 200 ")) ++failed;
        });
    for (std::uint64_t number = 2; number < 32; ++number) adopt(generation(number, upstream.url()), {});
    EXPECT_EQ(failed, 0);
    // Those who have not asked yet are idle, too, and end.
    for (std::size_t i = 0; i < 30; ++i) {
        workers[i % 2]->shed_idle();
        counters();
    }
    workers[0]->join();
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(ask().starts_with("HTTP/1.1 200 ")) << "of the one that is left";
    stop = true;
    for (auto& client : clients) client.join();
    workers.clear(); // what they keep, the upstream waits for
}

TEST_F(WorkerTest, TurnsAwayWhatTheGateDoesNotLetIn)
{
    gate.set_limits({0, 0});
    listen();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(), "");
    gate.set_limits({10, 0});
    EXPECT_TRUE(ask().starts_with("HTTP/1.1 200 "));
    const auto now = counters();
    EXPECT_EQ(now.turned_away, 5U);
    EXPECT_EQ(now.listeners.at("web").turned_away[static_cast<std::size_t>(TurnedAway::connections)], 5U);
    const std::lock_guard lock{said_mutex};
    EXPECT_EQ(said.size(), 1U) << "one line a second, however many";
}

TEST_F(WorkerTest, FindsAConnectionByItsIdAndItsClient)
{
    listen();
    const Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_storage name{};
    auto length = to_sockaddr(bound, name);
    ASSERT_EQ(::connect(socket.number(), reinterpret_cast<sockaddr*>(&name), length), 0);
    length = sizeof name;
    ASSERT_EQ(::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&name), &length), 0);
    const auto client = from_sockaddr(name);
    const auto limit = std::chrono::steady_clock::now() + 5s;
    while (gate.inside() == 0 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();

    std::string record;
    for (auto& worker : workers) {
        std::promise<FoundConnection> answer;
        worker->find("", client, [&](FoundConnection found) { answer.set_value(std::move(found)); });
        record += answer.get_future().get().record;
    }
    EXPECT_NE(record.find("\"client\":\"" + client.text() + '"'), std::string::npos) << record;
    const auto id = record.substr(record.find("\"id\":\"") + 6);
    std::size_t found_by_id = 0, listed = 0, other = 0;
    for (auto& worker : workers) {
        std::promise<FoundConnection> answer;
        worker->find(id.substr(0, id.find('"')), {},
                     [&](FoundConnection found) { answer.set_value(std::move(found)); });
        found_by_id += answer.get_future().get().record.empty() ? 0 : 1;
        for (const bool same : {true, false}) {
            ConnectionFilter filter;
            filter.listener = same ? "web" : "another";
            filter.limit = 10;
            std::promise<ConnectionList> list;
            worker->connections(filter, [&](ConnectionList some) { list.set_value(std::move(some)); });
            (same ? listed : other) += list.get_future().get().matching;
        }
    }
    EXPECT_EQ(found_by_id, 1U);
    EXPECT_EQ(listed, 1U);
    EXPECT_EQ(other, 0U);
}

TEST_F(WorkerTest, EndsIdleConnectionsWhenMemoryIsShort)
{
    listen();
    const auto socket = answered_and_kept();
    char part[2048];

    gate.set_shedding(true);
    for (auto& worker : workers) worker->shed_idle();
    EXPECT_EQ(::recv(socket.number(), part, sizeof part, 0), 0) << "the idle connection is still open";
    EXPECT_EQ(ask(), "") << "something new was begun";
    gate.set_shedding(false);
    EXPECT_TRUE(ask().starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(counters().listeners.at("web").turned_away[static_cast<std::size_t>(TurnedAway::memory)], 1U);
}

TEST_F(WorkerTest, EndsIdleConnectionsWhenItDrains)
{
    listen();
    const auto socket = answered_and_kept();
    char part[2048];
    for (auto& worker : workers) worker->drain();
    EXPECT_EQ(::recv(socket.number(), part, sizeof part, 0), 0) << "the idle connection is still open";
    const auto limit = std::chrono::steady_clock::now() + 5s;
    while (gate.inside() > 0 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    EXPECT_EQ(gate.inside(), 0U);
    EXPECT_EQ(ask(), "") << "nothing new is accepted";
}

TEST_F(WorkerTest, ServesWhoWaitsAtAListenerThatGoesAsTheConfigurationBeforeSaid)
{
    listen();
    const auto next = generation(2);
    const auto waiting = in_the_queues([&](Worker& worker) { worker.adopt(next, {}, {}, [] {}); });
    for (const auto& socket : waiting) EXPECT_NE(rest_of(socket).find("number 1"), std::string::npos);
    EXPECT_EQ(ask(), "") << "nothing new is accepted";
}

TEST_F(WorkerTest, ServesWhoWaitsWhenItDrains)
{
    listen();
    const auto waiting = in_the_queues([](Worker& worker) { worker.drain(); });
    for (const auto& socket : waiting) EXPECT_TRUE(rest_of(socket).starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(ask(), "") << "nothing new is accepted";
}

TEST_F(WorkerTest, LeavesToAnotherProcessWhoWaitsWhenItDrainsGently)
{
    listen();
    for (const auto& socket : in_the_queues([](Worker& worker) { worker.drain(true); }))
        EXPECT_EQ(rest_of(socket), "") << "accepted here, where nobody else had the socket";
}

} // namespace
} // namespace gw::session
