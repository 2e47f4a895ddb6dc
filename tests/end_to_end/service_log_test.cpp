// A service log that nobody reads stops neither traffic nor the keeper.

#include "tests/end_to_end/load.h"

#include <csignal>
#include <fcntl.h>

namespace gw::lab {
namespace {

class ServiceLog : public Appliance {
protected:
    /// gatewayd whose standard error is this test's own pipe.
    void starts()
    {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        read_.reset(ends[0]);
        Descriptor write(ends[1]);
        ::fcntl(write.number(), F_SETPIPE_SZ, 4096);
        const auto file = folder_.write(
            "gateway.yaml", "listeners: [{name: web, intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [80]}}]\n" +
                                std::string(CountingSite::marking) + "logs: {access: off}\nadmin: {socket: " + socket_ +
                                "}\n");
        Process::Place place = network.gateway().place();
        place.descriptors.emplace_back("log", write.number());
        const auto program = Gateway::program_file("gatewayd");
        daemon_.emplace(Command{"sh", "-c",
                                "exec 2>&3 3>&-; unset LISTEN_FDS LISTEN_PID LISTEN_FDNAMES; exec " + program +
                                    " --state-dir '' --config " + file},
                        place);
        ASSERT_TRUE(eventually([&] { return status().contains("generation"); }));
    }
    Output ctl(std::string word) const
    {
        return run({Gateway::program_file("gatewayctl"), "--socket", socket_, std::move(word), "--json"},
                   network.gateway().place());
    }
    Json status() const { return Json::parse(ctl("status").out, nullptr, false); }
    /// All that was written so far and, once the daemon has ended, all there is.
    std::string said()
    {
        std::array<char, 4096> bytes{};
        ::fcntl(read_.number(), F_SETFL, O_NONBLOCK);
        for (ssize_t count = 0; (count = ::read(read_.number(), bytes.data(), bytes.size())) > 0;)
            text_.append(bytes.data(), static_cast<std::size_t>(count));
        return text_;
    }
    void loses_a_policy_rule() const
    {
        run_well({"ip", "rule", "del", "priority", "773", "iif", "inside"}, network.gateway().place());
    }
    bool has_the_policy_rule() const
    {
        const auto rules = run_well({"ip", "rule", "show", "priority", "773"}, network.gateway().place());
        return rules.find("iif inside") != std::string::npos;
    }
    int healed() const { return status()["rules"].value("healed", 0); }

    Folder folder_;
    std::string socket_ = folder_.path("control.sock");
    std::optional<Process> daemon_;
    Descriptor read_;
    std::string text_;
};

TEST_F(ServiceLog, ThatNobodyReadsStopsNothing)
{
    BothFamilies load(network);
    starts();
    ASSERT_TRUE(load.are_inspected(5));
    // Each that is put back is a line; a page of them is more than the pipe takes. One that goes while the keeper is
    // putting things in order anyway comes back without a word.
    constexpr int lines = 60;
    for (int turn = 0; turn < 3 * lines && healed() < lines; ++turn) {
        loses_a_policy_rule();
        ASSERT_TRUE(eventually([&] { return has_the_policy_rule(); })) << "after " << turn << " turns";
    }
    ASSERT_GE(healed(), lines);
    const int before = load.uninspected();
    EXPECT_TRUE(load.are_inspected(20));
    EXPECT_EQ(load.uninspected(), before);
    EXPECT_EQ(ctl("reload").exit_code, 0);

    // Nothing was too much for what may wait, so nothing is lost.
    load.end();
    const auto all_healed = static_cast<std::size_t>(healed());
    daemon_->signal(SIGTERM);
    EXPECT_TRUE(eventually([&] {
        said();
        return !daemon_->running();
    }));
    const auto all = said();
    std::size_t found = 0;
    for (auto at = all.find("it is back"); at != std::string::npos; at = all.find("it is back", at + 1)) ++found;
    EXPECT_EQ(found, all_healed) << all;
    EXPECT_LT(all.find("serving 1 listeners"), all.find("it is back"));
    EXPECT_LT(all.rfind("it is back"), all.find("stopping: "));
    EXPECT_EQ(all.find("lines lost"), std::string::npos);
}

} // namespace
} // namespace gw::lab
