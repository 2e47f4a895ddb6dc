// Listening sockets share their ports, between the workers; not with another daemon, which the kernel would allow to
// one of the same user.

#include "tests/end_to_end/scene.h"

#include <csignal>

namespace gw::lab {
namespace {

class PortSharing : public Appliance {
protected:
    static std::string bound_to(const std::string& addresses, int status)
    {
        return "listeners: [{name: web, protocol: http, bind: [" + addresses +
               "]}]\nroutes: [{to: \"respond:" + std::to_string(status) + "\"}]\n";
    }
    int status_at(const std::string& endpoint)
    {
        return status_of(network.client("10.0.1.2"), endpoint, request("GET", "/", "a.example"));
    }
};

TEST_F(PortSharing, WithAnotherDaemonIsRefusedAtItsStart)
{
    gateway.runs_with(bound_to("\"10.0.1.1:8500\", \"[::]:8500\"", 201));
    for (const std::string taken :
         {"\"10.0.1.1:8500\"", "\"0.0.0.0:8500\"", "\"[::]:8500\"", "\"10.0.1.1:8501\", \"[::1]:8500\""}) {
        Gateway second(network);
        const auto refused = second.refuses(bound_to(taken, 202));
        EXPECT_NE(refused.exit_code, 0);
        EXPECT_THAT(refused.err, HasSubstr(":8500 is in use by another program")) << taken;
    }
    for (int i = 0; i < 20; ++i) EXPECT_EQ(status_at("10.0.1.1:8500"), 201);
}

TEST_F(PortSharing, WithAnotherDaemonIsRefusedAtAReload)
{
    gateway.runs_with(bound_to("\"10.0.1.1:8500\"", 201));
    Gateway second(network);
    second.runs_with(bound_to("\"10.0.1.1:8501\"", 202));
    second.is_given(bound_to("\"10.0.1.1:8500\"", 203));
    const auto refused = second.ctl({"reload"});
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(refused.err, HasSubstr("10.0.1.1:8500 is in use by another program"));
    EXPECT_EQ(status_at("10.0.1.1:8501"), 202);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(status_at("10.0.1.1:8500"), 201);

    gateway.stops();
    second.reloads(bound_to("\"10.0.1.1:8500\"", 203));
    EXPECT_EQ(status_at("10.0.1.1:8500"), 203);
}

TEST_F(PortSharing, WaitsForWhoIsAboutToEndAndLetsNothingPassUnseen)
{
    Origin server(network.servers(), "10.0.2.11:8001", echoes());
    gateway.runs_with(bound_to("\"10.0.1.1:8500\"", 201));
    Folder folder;
    const auto file =
        folder.write("second.yaml", "listeners:\n"
                                    "  - {name: web, protocol: http, bind: [\"10.0.1.1:8500\"]}\n"
                                    "  - {name: caught, intercept: {to: [10.0.2.0/24], ports: [8001], when_down: "
                                    "reject}}\n"
                                    "routes: [{to: \"respond:202\"}]\nadmin: {socket: " +
                                        folder.path("control.sock") + "}\n");
    Process second(Command{Gateway::program_file("gatewayd"), "--config", file}, network.gateway().place());
    const auto said = [&](std::string_view text) {
        return second.wrote(
            [&](const std::string&, const std::string& err) { return err.find(text) != std::string::npos; });
    };
    ASSERT_TRUE(said("waiting: 10.0.1.1:8500")) << second.err();
    EXPECT_FALSE(network.client("10.0.1.2").dials("10.0.2.11:8001").connected()) << "when_down: reject";
    gateway.stops();
    ASSERT_TRUE(said("serving 2 listeners")) << second.err();
    EXPECT_EQ(status_at("10.0.1.1:8500"), 202);
    second.signal(SIGTERM);
    EXPECT_EQ(second.wait().exit_code, 0);
}

TEST_F(PortSharing, OfThoseThatStartInTheSameMomentIsRefusedToo)
{
    Folder folder;
    for (int round = 0; round < 5; ++round) {
        std::vector<std::unique_ptr<Process>> all;
        for (const std::string number : {"1", "2", "3"}) {
            const auto file = folder.write(number + ".yaml", bound_to("\"10.0.1.1:8500\"", 200) + "admin: {socket: " +
                                                                 folder.path(number + ".sock") + "}\n");
            all.push_back(std::make_unique<Process>(Command{Gateway::program_file("gatewayd"), "--config", file},
                                                    network.gateway().place()));
        }
        EXPECT_TRUE(eventually([&] {
            std::erase_if(all, [](auto& one) { return !one->running(); });
            return all.size() <= 1;
        })) << all.size();
        if (!all.empty()) {
            EXPECT_TRUE(eventually([&] { return status_at("10.0.1.1:8500") == 200; }));
            all.front()->signal(SIGTERM);
            EXPECT_EQ(all.front()->wait().exit_code, 0);
        }
        EXPECT_TRUE(eventually([] { return orphans().empty(); }));
    }
}

TEST_F(PortSharing, BetweenListenersOfOneConfigurationAndTheNextIsNoMatter)
{
    gateway.runs_with(bound_to("\"10.0.1.1:8500\"", 201));
    auto renamed = bound_to("\"10.0.1.1:8500\"", 202);
    renamed.replace(renamed.find("web"), 3, "new");
    gateway.reloads(renamed);
    EXPECT_TRUE(eventually([&] { return status_at("10.0.1.1:8500") == 202; }));
    gateway.reloads(bound_to("\"0.0.0.0:8500\"", 203));
    EXPECT_TRUE(eventually([&] { return status_at("10.0.1.1:8500") == 203; }));
    EXPECT_THAT(gateway.log(), Not(HasSubstr("waiting: ")));
}

} // namespace
} // namespace gw::lab
