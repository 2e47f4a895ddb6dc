// Idle connections to servers, when there are several workers: whoever needs one takes it over from whoever keeps it.

#include "tests/end_to_end/scene.h"

#include <set>
#include <thread>

namespace gw::lab {
namespace {

constexpr int many = 40; // the kernel spreads them over the workers by the client's port

class TakenOver : public Appliance {
protected:
    static std::string to(std::string_view url, int workers = 4)
    {
        return "workers: " + std::to_string(workers) +
               "\nlisteners: [{name: public, bind: [\"10.0.1.1:8500\"], protocol: http}]\nroutes: [{to: \"" +
               std::string{url} + "\"}]\n";
    }
    /// Each over a connection of its own, one after another and not too fast, so that each is surplus by then; how many
    /// were answered well. Who has seen the end knows that the gateway is done with the server's connection, too.
    int asks(int count)
    {
        int good = 0;
        for (int i = 0; i < count; ++i) {
            auto socket = network.client("10.0.1.2").dials("10.0.1.1:8500");
            socket.sends(request("GET", "/", "site.example", "Connection: close\r\n"));
            good += socket.receives_all().starts_with("HTTP/1.1 200 ") ? 1 : 0;
            std::this_thread::sleep_for(Milliseconds{40}); // a light load is meant
        }
        return good;
    }
    int taken_over() const
    {
        constexpr std::string_view name = "\ngateway_upstream_taken_over_total ";
        const auto metrics = gateway.ctl({"metrics"}).out;
        const auto at = metrics.find(name);
        return at == std::string::npos ? -1 : std::atoi(metrics.c_str() + at + name.size());
    }
};

TEST_F(TakenOver, AreIdleConnectionsOfAnotherWorker)
{
    Origin origin(network.servers(), "10.0.2.11:8000", answers(answer(200, "one")));
    gateway.runs_with(to("http://10.0.2.11:8000/"));
    EXPECT_EQ(asks(many), many);
    EXPECT_EQ(origin.connections(), 1u);
    EXPECT_GT(taken_over(), 0);
    EXPECT_LT(taken_over(), many) << "never without need";

    gateway.reloads(to("http://10.0.2.11:8000/") + "timeouts: {upstream_idle: 30s}\n");
    EXPECT_EQ(asks(many), many);
    EXPECT_EQ(origin.connections(), 1u) << "after a reload";
}

TEST_F(TakenOver, AreThoseOverTlsOfTheSameConfiguration)
{
    WebServer site(network, "site.example", 10);
    gateway.knows_hosts("10.0.2.10 site.example\n");
    gateway.trusts(site.certificate());
    gateway.runs_with(to("https://site.example/"));
    const auto connections = [&](std::size_t requests) {
        std::set<int> ports;
        for (const auto& each : site.log(requests)) ports.insert(each.value("port", 0));
        return ports.size();
    };
    EXPECT_EQ(asks(many), many);
    EXPECT_EQ(connections(many), 1u);
    EXPECT_GT(taken_over(), 0);

    // Its worker goes on with the one that was made before; the others share a new one.
    gateway.reloads(to("https://site.example/"));
    EXPECT_EQ(asks(many), many);
    EXPECT_LE(connections(2 * many), 2u);
}

TEST_F(TakenOver, AreNoneThatTheServerHasClosed)
{
    Origin origin(network.servers(), "10.0.2.11:8000", [](Origin::Connection& connection) {
        receive_message(connection);
        connection.sends(answer(200, "the only one"));
        connection.closes();
    });
    gateway.runs_with(to("http://10.0.2.11:8000/"));
    EXPECT_EQ(asks(many), many);
    EXPECT_EQ(origin.connections(), static_cast<std::size_t>(many));
}

TEST_F(TakenOver, AreNoneWhenAWorkerIsAlone)
{
    Origin origin(network.servers(), "10.0.2.11:8000", answers(answer(200, "one")));
    gateway.runs_with(to("http://10.0.2.11:8000/", 1));
    EXPECT_EQ(asks(5), 5);
    EXPECT_EQ(origin.connections(), 1u);
    EXPECT_EQ(taken_over(), 0);
}

} // namespace
} // namespace gw::lab
