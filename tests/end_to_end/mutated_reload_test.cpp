// Whatever file is put before it, the gateway goes on with what it has until it has something better.

#include "tests/end_to_end/load.h"
#include "tests/end_to_end/steady_load.h"

#include <random>
#include <set>

namespace gw::lab {
namespace {

using namespace std::chrono_literals;

/// How many, from the environment where more than a first impression is wanted.
int turns()
{
    const char* wanted = std::getenv("GW_MUTATIONS");
    return wanted != nullptr ? std::atoi(wanted) : 200;
}

/// Many for a test of every change; GW_ROUTES=100000 is what the product has to bear.
int many_routes()
{
    const char* wanted = std::getenv("GW_ROUTES");
    return wanted != nullptr ? std::atoi(wanted) : 20'000;
}

const std::string whole = R"(
listeners:
  - {name: web, intercept: {to: [10.0.2.0/24, "fd00:2::/64"], ports: [80, 8000-8100], except: {from: [10.0.1.9]}}, protocol: auto, client_address: keep, default: original}
  - {name: front, bind: ["10.0.1.1:9090", "[fd00:1::1]:9090"], protocol: http}
routes:
  - {host: ":a.example", path: "/:b", method: GET, listeners: [front], to: "http://:a.example:8080/:b", timeout: 5s, max_body: 8MiB, request_headers: {set: {A: "{host}"}, remove: [D]}}
  - {path: /turned, to: "respond:201 yes"}
  - {to: original, max_body: unlimited}
waf: {mode: off}
logs: {access: json, level: info}
limits: {connections: 1000, header_bytes: 32KiB, headers: 90}
timeouts: {connect: 1s, drain: 5s}
)";

/// The same of networks: GW_NETWORKS=100000 wants a machine that has nothing else to do.
int many_networks()
{
    const char* wanted = std::getenv("GW_NETWORKS");
    return wanted != nullptr ? std::atoi(wanted) : 10'000;
}

/// So many networks that none touches another, as many for a listener as it may have, and those of the servers.
std::string listeners_of_networks(int count)
{
    constexpr int most_of_one = 9'998;
    std::string list = "listeners:\n";
    for (int i = 0; i < count; ++i) {
        if (i % most_of_one == 0) {
            if (i > 0) list += "], ports: [80]}}\n";
            list += "  - {name: l" + std::to_string(i) + ", intercept: {to: [" +
                    (i == 0 ? "10.0.2.0/24, \"fd00:2::/64\", " : "");
        } else {
            list += ", ";
        }
        const int at = 2 * i;
        list += "10." + std::to_string(16 + at / 65'536) + "." + std::to_string(at / 256 % 256) + "." +
                std::to_string(at % 256);
    }
    return list + "], ports: [80]}}\n";
}

/// The kinds of damage a hurried hand, a template or a broken disk does.
class Mutator {
public:
    std::string damages(std::string text)
    {
        for (auto times = random(1, 4); times > 0; --times) damages_once(text);
        return text;
    }

private:
    std::size_t random(std::size_t least, std::size_t most)
    {
        return std::uniform_int_distribution<std::size_t>(least, most)(engine_);
    }
    void damages_once(std::string& text)
    {
        static const std::vector<std::string> words{
            "{",           "}",
            "[",           "]",
            ":",           ",",
            "- ",          "\n",
            "\n  ",        "\t",
            "*a",          "&a ",
            "!!x ",        "\"",
            "'",           "0",
            "-",           "65536",
            "99999999999", "none",
            "null",        "~",
            "true",        "include: [x]",
            "\xff",        "\xed\xa0\x80",
            "\x01",        "# ",
            "|",           ">",
            "<<: ",        "?",
            "10.0.2.0/33", "::/129",
            "to",          "original",
            "1e99",
        };
        const auto at = random(0, text.empty() ? 0 : text.size() - 1);
        switch (random(0, 6)) {
        case 0: text.insert(at, words[random(0, words.size() - 1)]); break;
        case 1: text.erase(at, random(1, 12)); break;
        case 2: text.erase(at, random(1, 400)); break;
        case 3: text.insert(random(0, text.size()), text.substr(at, random(1, 200))); break;
        case 4:
            if (!text.empty()) text[at] = static_cast<char>(random(0, 255));
            break;
        case 5: text.insert(at, std::string(random(1, 2'000), "[{ -:\n"[random(0, 5)])); break;
        default: text.resize(at); break;
        }
    }
    std::mt19937 engine_{20'260'801};
};

class MutatedReload : public Appliance {
protected:
    Json status() const { return Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false); }
    std::string text(std::string_view yaml) const
    {
        return std::string(yaml) + "admin: {socket: " + gateway.socket_file() + "}\n";
    }
};

TEST_F(MutatedReload, KeepsTheOldOneEachTimeAndFailsNoRequest)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(text(whole));
    const auto generation = status().value("generation", 0);
    const auto rules = gateway.rules();
    Load kept(network, true), fresh(network, false);
    ASSERT_TRUE(eventually([&] { return kept.good > 10 && fresh.good > 10; }));

    Mutator mutator;
    std::set<std::string> reasons;
    for (int turn = 0; turn < turns(); ++turn) {
        // Damage may by chance leave a good file, which would rightly be taken: the last line is always wrong.
        const auto damaged = mutator.damages(text(whole)) + "\nnobody_knows_this: {}\n";
        gateway.is_given(damaged.find("admin:") == std::string::npos ? damaged + "# admin:\n" : damaged);
        const auto refused = gateway.ctl({"reload"});
        ASSERT_NE(refused.exit_code, 0) << damaged;
        ASSERT_FALSE(refused.err.empty()) << damaged;
        reasons.insert(refused.err);
        ASSERT_TRUE(gateway.is_running()) << damaged;
    }
    kept.end();
    fresh.end();

    EXPECT_EQ(status().value("generation", 0), generation);
    EXPECT_EQ(status().value("data_restarts", -1), 0);
    EXPECT_EQ(gateway.rules(), rules);
    EXPECT_EQ(kept.bad, 0) << "of " << kept.good;
    EXPECT_EQ(fresh.bad, 0) << "of " << fresh.good;
    EXPECT_GT(reasons.size(), static_cast<std::size_t>(turns()) / 10) << "the damage was of many kinds";
    gateway.reloads(text(whole));
    RecordProperty("requests_meanwhile", kept.good + fresh.good);
    std::printf("%d damaged files refused for %zu reasons, %d requests meanwhile\n", turns(), reasons.size(),
                kept.good + fresh.good);
}

TEST_F(MutatedReload, TakesOrRefusesWhatIsExtremeWithinItsBounds)
{
    Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "fine")));
    gateway.runs_with(text(whole));
    Load kept(network, true), fresh(network, false);
    ASSERT_TRUE(eventually([&] { return kept.good > 10 && fresh.good > 10; }));

    const auto listed = [](const char* prefix, int count, auto item) {
        std::string list = prefix;
        for (int i = 0; i < count; ++i) list += (i == 0 ? "" : ", ") + item(i);
        return list;
    };
    std::vector<std::pair<std::string, std::string>> files;
    std::string routes = whole.substr(0, whole.find("routes:")) + "routes:\n";
    for (int i = 0; i < many_routes(); ++i)
        routes += "  - {host: h" + std::to_string(i) + ".example, path: /p, to: \"http://10.0.2.11/\"}\n";
    files.emplace_back(std::to_string(many_routes()) + " routes", routes);
    files.emplace_back("20,000 networks", listeners_of_networks(20'000));
    files.emplace_back("10,000 ports", listed("listeners: [{name: web, intercept: {to: [10.0.2.0/24], ports: [80, ",
                                              10'000, [](int i) { return std::to_string(10'000 + 2 * i); }) +
                                           "]}}]\n");
    files.emplace_back(
        "2,000 listeners",
        listed("listeners: [{name: web, intercept: {to: [10.0.2.0/24], ports: [80]}}, ", 2'000, [](int i) {
            return "{name: l" + std::to_string(i) + ", bind: [\"10.0.1.1:" + std::to_string(20'000 + i) + "\"]}";
        }) + "]\n");
    files.emplace_back("5,000 header edits", whole.substr(0, whole.find("routes:")) +
                                                 listed("routes: [{to: original, request_headers: {set: {", 5'000,
                                                        [](int i) { return "H" + std::to_string(i) + ": v"; }) +
                                                 "}}}]\n");
    files.emplace_back("a text of 1 MiB", whole.substr(0, whole.find("routes:")) +
                                              "routes: [{path: /big, to: \"respond:200 " + std::string(1 << 20, 'x') +
                                              "\"}]\n");
    files.emplace_back("a comment of 40 MiB", whole + "# " + std::string(40 << 20, 'x') + "\n");

    for (const auto& [what, yaml] : files) {
        SCOPED_TRACE(what);
        gateway.is_given(text(yaml));
        const auto began = std::chrono::steady_clock::now();
        const auto answer = run({Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "reload"},
                                network.gateway().place(), Milliseconds{240'000});
        const auto took = std::chrono::steady_clock::now() - began;
        EXPECT_TRUE(gateway.is_running());
        EXPECT_TRUE(answer.exit_code == 0 || !answer.err.empty());
        EXPECT_LT(gateway.memory_kib(), 1'500u * 1024);
        const auto now = status();
        EXPECT_EQ(now.value("data_restarts", -1), 0) << gateway.log();
        std::printf("%s: %s in %.1f s, %zu MiB; %s\n", what.c_str(), answer.exit_code == 0 ? "taken" : "refused",
                    std::chrono::duration<double>(took).count(), gateway.memory_kib() / 1024,
                    answer.err.substr(0, 160).c_str());
        gateway.reloads(text(whole));
    }
    kept.end();
    fresh.end();
    EXPECT_EQ(kept.bad, 0) << "of " << kept.good;
    EXPECT_EQ(fresh.bad, 0) << "of " << fresh.good;
}

TEST_F(MutatedReload, InspectsAllAlongWithManyNetworks)
{
    const std::string marking(CountingSite::marking);
    gateway.runs_with(
        text("listeners: [{name: web, intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [80]}}]\n" + marking));
    BothFamilies load(network);
    ASSERT_TRUE(load.are_inspected(10));
    const int before = load.uninspected();
    const auto in_time = [](const char* what, const auto& work) {
        const auto began = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        std::printf("%s: %.2f s\n", what, took.count());
    };
    const auto asks = [this](std::initializer_list<const char*> words) {
        Command command{Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file()};
        command.insert(command.end(), words.begin(), words.end());
        return run(command, network.gateway().place(), Milliseconds{120'000});
    };
    for (const int count : {1'000, many_networks()}) {
        std::printf("%d networks\n", count);
        gateway.is_given(text(listeners_of_networks(count) + marking));
        in_time("reload", [&] { EXPECT_EQ(asks({"reload"}).exit_code, 0) << gateway.log(); });
        EXPECT_TRUE(load.are_inspected(5));
        in_time("status", [&] { EXPECT_THAT(asks({"status", "--json"}).out, HasSubstr("\"missing\":\"\"")); });
        in_time("rules", [&] { EXPECT_EQ(asks({"rules", "show", "--json"}).exit_code, 0); });
        const auto healed = [&] { // -1: no answer in the time that gatewayctl takes
            const auto now = Json::parse(asks({"status", "--json"}).out, nullptr, false);
            return now.is_object() && now.contains("rules") ? now["rules"].value("healed", 0) : -1;
        };
        ASSERT_TRUE(eventually([&] { return healed() >= 0; }));
        const int times = healed();
        in_time("a lost rule is back, and status says so", [&] {
            run_well({"ip", "rule", "del", "priority", "773", "iif", "inside"}, network.gateway().place());
            EXPECT_TRUE(eventually([&] { return healed() > times; }, Milliseconds{120'000}));
        });
        EXPECT_TRUE(load.are_inspected(5));
        EXPECT_EQ(load.uninspected(), before) << "the heartbeat was late";
    }
    load.end();
    EXPECT_TRUE(gateway.is_running());
    EXPECT_EQ(load.uninspected(), before);
}

} // namespace
} // namespace gw::lab
