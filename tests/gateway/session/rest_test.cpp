// Connections whose clients have asked nothing for a while, without their coroutines.

#include "tests/gateway/session/worker_lab.h"

namespace gw::session {
namespace {

/// In which clients rest as soon as the deadlines' ticks allow.
GenerationPtr restful(std::chrono::milliseconds keep_alive = 60s, std::string to = {})
{
    return generation(1, std::move(to), [&](proxy::Settings& settings) {
        settings.at_hand_limit = 1ms;
        settings.keep_alive_limit = keep_alive;
    });
}

class RestTest : public WorkerTest {
protected:
    bool in_time(const std::function<bool()>& holds)
    {
        const auto limit = std::chrono::steady_clock::now() + 5s;
        while (!holds() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
        return holds();
    }
    std::vector<Descriptor> at_rest(std::size_t many)
    {
        const auto before = counters().rested;
        std::vector<Descriptor> sockets;
        for (std::size_t i = 0; i < many; ++i) sockets.push_back(answered_and_kept());
        EXPECT_TRUE(in_time([&] { return counters().rested >= before + many; })) << counters().rested;
        return sockets;
    }
    static std::string asks_again(const Descriptor& socket,
                                  std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    {
        char part[2048];
        if (::send(socket.number(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return {};
        const auto count = ::recv(socket.number(), part, sizeof part, 0);
        return {part, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
    }
    void all_end(const std::vector<Descriptor>& sockets)
    {
        for (const auto& socket : sockets) EXPECT_EQ(rest_of(socket), "");
        EXPECT_TRUE(in_time([&] { return gate.inside() == 0; })) << gate.inside();
        EXPECT_EQ(counters().active, 0U);
    }
};

TEST_F(RestTest, IsOverWhenTheClientAsksAgain)
{
    listen(restful());
    const auto sockets = at_rest(20);
    EXPECT_EQ(counters().active, 20U);
    for (int round = 1; round <= 3; ++round) {
        const auto before = counters().rested;
        for (const auto& socket : sockets) EXPECT_TRUE(asks_again(socket).starts_with("HTTP/1.1 200 ")) << round;
        EXPECT_TRUE(in_time([&] { return counters().rested >= before + sockets.size(); })) << counters().rested;
    }
    EXPECT_EQ(counters().requests, 80U);
    EXPECT_EQ(counters().connections, 20U);
    for (const auto& socket : sockets) EXPECT_TRUE(asks_again(socket, last_request).starts_with("HTTP/1.1 200 "));
    all_end(sockets);
}

TEST_F(RestTest, IsOverWhenTheClientEnds)
{
    listen(restful());
    auto sockets = at_rest(6);
    for (std::size_t i = 0; i < 3; ++i) ::shutdown(sockets[i].number(), SHUT_WR);
    const linger at_once{1, 0}; // and the others by a reset
    for (std::size_t i = 3; i < 6; ++i) {
        ::setsockopt(sockets[i].number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        sockets[i].reset();
    }
    sockets.resize(3);
    all_end(sockets);
}

TEST_F(RestTest, IsOverWhenItHasLastedLongEnough)
{
    listen(restful(300ms));
    all_end(at_rest(3));
}

TEST_F(RestTest, IsOverWhenMemoryIsShort)
{
    listen(restful());
    const auto sockets = at_rest(3);
    gate.set_shedding(true);
    for (auto& worker : workers) worker->shed_idle();
    all_end(sockets);
    EXPECT_EQ(counters().shed, 3U);
}

TEST_F(RestTest, IsOverWhenTheGatewayStops)
{
    listen(restful());
    const auto drained = at_rest(3);
    for (auto& worker : workers) worker->drain();
    all_end(drained);
}

TEST_F(RestTest, IsOverWhenAllIsAborted)
{
    listen(restful());
    const auto sockets = at_rest(3);
    for (auto& worker : workers) worker->join();
    for (const auto& socket : sockets) EXPECT_EQ(rest_of(socket), "");
    EXPECT_EQ(gate.inside(), 0U);
}

TEST_F(RestTest, OfAClientThatHasAskedNothingYetLetsItAskWhenTheGatewayStops)
{
    listen(restful());
    std::vector<Descriptor> sockets;
    for (int i = 0; i < 4; ++i) sockets.push_back(asking(""));
    EXPECT_TRUE(in_time([&] { return counters().rested >= 4; }));
    for (auto& worker : workers) worker->drain();
    EXPECT_TRUE(asks_again(sockets[0]).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(asks_again(sockets[1]).starts_with("HTTP/1.1 200 "));
    all_end(sockets);
}

TEST_F(RestTest, HoldsNoConnectionToAServer)
{
    {
        Upstream server;
        listen(restful(60s, server.url()));
        const auto sockets = at_rest(1);
        EXPECT_TRUE(asks_again(sockets[0]).starts_with("HTTP/1.1 200 "));
        EXPECT_TRUE(ask().starts_with("HTTP/1.1 200 "));
        for (auto& worker : workers) worker->drain();
        all_end(sockets);
        for (auto& worker : workers) worker->join();
    }
}

TEST_F(RestTest, IsKeptApartFromWhatHappensInTheSameMoment)
{
    listen(restful(150ms));
    std::atomic<int> answered{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 8; ++i)
        clients.emplace_back([&, i] {
            Descriptor socket;
            for (int turn = 0; turn < 30; ++turn) {
                if (!socket.is_open()) socket = answered_and_kept();
                // Around the moments at which it begins to rest, and at which it has rested long enough.
                std::this_thread::sleep_for(std::chrono::milliseconds{(turn * 37 + i * 11) % 230});
                const auto answer = asks_again(socket);
                if (answer.empty())
                    socket.reset();
                else
                    answered += answer.starts_with("HTTP/1.1 200 ") ? 1 : 1'000'000;
            }
        });
    for (auto& client : clients) client.join();
    EXPECT_GT(answered, 0);
    EXPECT_LE(answered, 240);
    EXPECT_GT(counters().rested, 0U);
    EXPECT_TRUE(in_time([&] { return gate.inside() == 0; })) << gate.inside();
}

} // namespace
} // namespace gw::session
