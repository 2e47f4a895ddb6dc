// Who makes connections fail as fast as possible fills no disk with records of it, and hides nothing by it.

#include "tests/end_to_end/scene.h"

namespace gw::lab {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto listening = "listeners: [{name: public, bind: [\"10.0.1.1:8000\"], protocol: http}]\n"
                           "routes: [{path: /hello, to: \"respond:200 hello\"}]\nworkers: 1\n";

/// What the records so far account for, written or left out.
struct Accounted {
    std::size_t connections = 0, requests = 0;
    std::size_t connections_left_out = 0, requests_left_out = 0;

    explicit Accounted(const std::vector<Json>& records)
    {
        for (const auto& each : records) {
            const auto kind = each.value("kind", "");
            connections += kind == "connection" ? 1 : 0;
            requests += kind == "request" ? 1 : 0;
            if (kind != "suppressed") continue;
            connections_left_out += each.value("connections", std::size_t{0});
            requests_left_out += each.value("requests", std::size_t{0});
            EXPECT_EQ(each.value("suppressed", std::size_t{0}),
                      each.value("connections", std::size_t{0}) + each.value("requests", std::size_t{0}));
            EXPECT_LE(each.value("since", "~"), each.value("time", ""));
        }
    }
    std::size_t written() const { return connections + requests; }
    std::size_t left_out() const { return connections_left_out + requests_left_out; }
    bool are_all(std::size_t count) const
    {
        return connections + connections_left_out == count && requests + requests_left_out == count;
    }
};

class LogFlood : public Appliance {
protected:
    /// Each a connection with a request that is refused.
    void fails(int count, std::string_view at = "10.0.1.1:8000") const
    {
        const auto client = network.client("10.0.1.2");
        for (int i = 0; i < count; ++i) {
            auto socket = client.dials(at);
            EXPECT_TRUE(socket.sends("GET nonsense HTTP/1.1\r\n\r\n"));
        }
    }
    Accounted accounted() const { return Accounted{gateway.records()}; }
    std::size_t metric(const std::string& name) const
    {
        const auto text = gateway.ctl({"metrics"}).out;
        const auto at = text.find('\n' + name + ' ');
        return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + name.size() + 2, nullptr, 10);
    }
};

TEST_F(LogFlood, IsWrittenInPartAndCountedWhole)
{
    gateway.runs_with(listening);
    constexpr std::size_t rounds = 20, failing = 150, all = rounds * (failing + 1);
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < rounds; ++i) {
        fails(failing);
        EXPECT_EQ(status_of(network.client("10.0.1.3"), "10.0.1.1:8000",
                            request("GET", "/hello", "a.example", "Connection: close\r\n")),
                  200);
    }
    EXPECT_TRUE(eventually([&] { return accounted().are_all(all); }));

    const auto seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const auto records = gateway.records();
    const Accounted told{records};
    std::printf("{\"figure\": \"a flood of failures\", \"records\": %zu, \"written\": %zu, \"seconds\": %.1f}\n",
                2 * all, told.written(), seconds);
    EXPECT_LE(static_cast<double>(told.written() - 2 * rounds), 100 + 100 * seconds);
    EXPECT_GT(told.left_out(), 0U);
    const auto of_the_served = [&](const char* kind) {
        return static_cast<std::size_t>(std::count_if(records.begin(), records.end(), [&](const Json& each) {
            return each.value("kind", "") == kind && each.value("client", "").starts_with("10.0.1.3:");
        }));
    };
    EXPECT_EQ(of_the_served("request"), rounds);
    EXPECT_EQ(of_the_served("connection"), rounds);

    EXPECT_EQ(metric("gateway_connections_total{listener=\"public\"}"), all);
    EXPECT_EQ(metric("gateway_requests_total"), all);
    EXPECT_EQ(metric("gateway_faults_total{side=\"client\",fault=\"malformed\"}"), all - rounds);
    EXPECT_EQ(metric("gateway_log_suppressed_total{kind=\"connection\"}"), told.connections_left_out);
    EXPECT_EQ(metric("gateway_log_suppressed_total{kind=\"request\"}"), told.requests_left_out);
    EXPECT_THAT(gateway.ctl({"log", "--kind", "suppressed"}).out,
                HasSubstr("records of what came to nothing, since 20"));
    EXPECT_THAT(gateway.ctl({"log", "--client", "10.0.1.99", "--json"}).out, HasSubstr("\"kind\":\"suppressed\""))
        << "what is looked for may be missing";
}

TEST_F(LogFlood, IsAccountedForWhenTheGatewayStopsInIt)
{
    gateway.runs_with(listening);
    constexpr std::size_t all = 400;
    fails(all);
    EXPECT_TRUE(eventually([&] { return metric("gateway_requests_total") == all; }));
    gateway.stops();
    EXPECT_TRUE(accounted().are_all(all))
        << accounted().written() << " written, " << accounted().left_out() << " left out";
}

TEST_F(LogFlood, HidesNoAttack)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());
    gateway.runs_with(intercepting("waf: {mode: block}\nworkers: 1\n"));
    constexpr std::size_t attacks = 100;
    for (std::size_t i = 0; i < attacks; ++i) {
        fails(5, "10.0.2.11:80");
        EXPECT_EQ(status_of(network.client("10.0.1.3"), "10.0.2.11:80",
                            request("GET", "/item?id=1%27%20OR%20%271%27=%271%27%20--%20", "shop.example",
                                    "Connection: close\r\n")),
                  403);
    }
    const auto told = [&] {
        const auto records = gateway.records();
        return static_cast<std::size_t>(std::count_if(records.begin(), records.end(), [](const Json& each) {
            return each.value("kind", "") == "request" && each.value("status", 0) == 403 &&
                   each["waf"].value("verdict", "") == "block";
        }));
    };
    EXPECT_TRUE(eventually([&] { return accounted().are_all(attacks * 6); }));
    EXPECT_EQ(told(), attacks);
    EXPECT_GT(accounted().left_out(), 0U);
}

} // namespace
} // namespace gw::lab
