// Several daemons started in the same instant: one serves, whole, and the others leave nothing of it damaged.

#include "tests/end_to_end/scene.h"

#include <csignal>
#include <cstdlib>

namespace gw::lab {
namespace {

class StartRace : public Appliance {
protected:
    static int rounds()
    {
        const char* wanted = std::getenv("GW_SOAK_RACES");
        return wanted == nullptr ? 5 : std::atoi(wanted);
    }
    static std::string yaml(const std::string& socket)
    {
        return "listeners: [{name: web, intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [80], when_down: "
               "reject}}]\n"
               "routes: [{to: \"respond:204\"}]\nworkers: 1\nadmin: {socket: " +
               socket + "}\n";
    }
    /// Starts as many as there are names of sockets, waits until one is left, and looks at that.
    void races(const std::vector<std::string>& sockets)
    {
        const auto place = network.gateway().place();
        const auto before = gateway.kernel_state();
        for (int round = 0; round < rounds(); ++round) {
            SCOPED_TRACE("round " + std::to_string(round));
            std::vector<std::unique_ptr<Process>> all;
            for (std::size_t i = 0; i < sockets.size(); ++i) {
                const auto number = std::to_string(i);
                const auto file = folder_.write("gateway" + number + ".yaml", yaml(sockets[i]));
                all.push_back(
                    std::make_unique<Process>(Command{Gateway::program_file("gatewayd"), "--config", file}, place));
            }
            const auto left = [&] { return std::erase_if(all, [](auto& one) { return !one->running(); }), all.size(); };
            ASSERT_TRUE(eventually([&] { return left() == 1; })) << left() << " are left";
            auto& winner = *all.front();
            ASSERT_TRUE(winner.wrote([](const std::string&, const std::string& err) {
                return err.find("serving 1 listeners") != std::string::npos;
            })) << winner.err();
            EXPECT_TRUE(eventually([&] { return network.client("10.0.1.2").asks("http://10.0.2.11/").status == 204; }))
                << winner.err();
            int answering = 0;
            for (const auto& socket : std::set<std::string>(sockets.begin(), sockets.end())) {
                const auto status = gateway.program("gatewayctl", {"--socket", socket, "status", "--json"});
                if (status.exit_code != 0) continue;
                ++answering;
                const auto json = Json::parse(status.out);
                EXPECT_EQ(json.value("pid", 0), winner.id());
                EXPECT_EQ(json["rules"].value("missing", "?"), "") << winner.err();
                EXPECT_EQ(json["rules"].value("healed", -1), 0) << winner.err();
            }
            EXPECT_EQ(answering, 1) << winner.err();
            winner.signal(SIGTERM);
            EXPECT_EQ(winner.wait().exit_code, 0);
            EXPECT_TRUE(eventually([] { return orphans().empty(); }));
            run_well({Gateway::program_file("gatewayctl"), "rules", "remove"}, place);
            EXPECT_EQ(gateway.kernel_state(), before);
        }
    }
    Folder folder_;
};

TEST_F(StartRace, ForOneSocketHasOneWinner)
{
    const auto socket = folder_.path("control.sock");
    races(std::vector<std::string>(4, socket));
    EXPECT_FALSE(std::filesystem::exists(socket));
    EXPECT_FALSE(std::filesystem::exists(socket + ".lock"));
}

TEST_F(StartRace, ForTheRulesOfOneHostHasOneWinner)
{
    std::vector<std::string> sockets;
    for (const auto* name : {"a.sock", "b.sock", "c.sock", "d.sock"}) sockets.push_back(folder_.path(name));
    races(sockets);
}

} // namespace
} // namespace gw::lab
