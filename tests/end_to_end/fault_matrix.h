#pragma once

#include "tests/end_to_end/arrivals.h"
#include "tests/end_to_end/load.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>

namespace gw::lab {

/// What is done to a process.
struct Fault {
    const char* process; ///< "keeper", "data"
    int signal;          ///< SIGKILL, SIGSTOP

    bool is_kill() const { return signal == SIGKILL; }
    bool is_of_keeper() const { return std::string_view(process) == "keeper"; }
    std::string name() const { return std::string(process) + (is_kill() ? "_killed" : "_stopped"); }
};

inline constexpr std::array faults{Fault{"keeper", SIGKILL}, Fault{"keeper", SIGSTOP}, Fault{"data", SIGKILL},
                                   Fault{"data", SIGSTOP}};

/// A gateway in a fault and after it, with traffic of both families all the time: what passes by, counted at the
/// servers, is what `when_down` allows.
class FaultRow {
public:
    FaultRow(const Network& network, Gateway& gateway, Fault fault, std::string when_down)
        : network_(network), gateway_(gateway), fault_(fault), when_down_(std::move(when_down))
    {}
    /// `yaml` intercepts port 80 of the servers, and marks. `heart_stopped`, where it can be seen: after the process
    /// was stopped it is waited for. `what`: for who reads the figures.
    void holds(const std::string& yaml, const std::string& what, const std::function<bool()>& heart_stopped = {});

private:
    using Clock = std::chrono::steady_clock;
    static long since(Clock::time_point start)
    {
        return static_cast<long>(std::chrono::duration_cast<Milliseconds>(Clock::now() - start).count());
    }
    bool is_open() const { return when_down_ == "pass"; }
    Json status() const { return Json::parse(gateway_.ctl({"status", "--json"}).out, nullptr, false); }
    int process() const { return fault_.is_of_keeper() ? gateway_.process().id() : status().value("data_pid", -1); }
    void strikes(int process, const BothFamilies& load, const std::function<bool()>& heart_stopped);

    const Network& network_;
    Gateway& gateway_;
    Fault fault_;
    std::string when_down_;
};

inline void FaultRow::strikes(int process, const BothFamilies& load, const std::function<bool()>& heart_stopped)
{
    const auto down = Clock::now();
    ASSERT_EQ(::kill(process, fault_.signal), 0);
    if (!fault_.is_kill() && heart_stopped) {
        EXPECT_TRUE(eventually(heart_stopped)) << "the heart goes on beating";
        std::printf("the heartbeat ended %ld ms after the stop\n", since(down));
    }
    const bool keeper_died = fault_.is_kill() && fault_.is_of_keeper();
    if (keeper_died) gateway_.process().wait();
    if (!fault_.is_kill() || keeper_died) {
        EXPECT_TRUE(is_open() ? load.pass_by(5) : load.are_refused(5)) << "nothing happened";
    }
}

inline void FaultRow::holds(const std::string& yaml, const std::string& what,
                            const std::function<bool()>& heart_stopped)
{
    const Arrivals arrivals(network_);
    Origin v4(network_.servers(), "10.0.2.12:80", OpenStream::takes_all());
    Origin v6(network_.servers(), "[fd00:2::12]:80", OpenStream::takes_all());
    BothFamilies load(network_);
    ASSERT_TRUE(load.pass_by(1));
    ASSERT_GE(arrivals.by().opened, 2) << "what is not inspected is not seen here";
    gateway_.runs_with(yaml);
    ASSERT_TRUE(load.are_inspected(10)) << gateway_.log();
    // Both have traffic all the time, over the fault and what follows.
    const OpenStream over_v4(network_, "10.0.1.4", "10.0.2.12:80"), over_v6(network_, "fd00:1::4", "[fd00:2::12]:80");
    ASSERT_TRUE(eventually([&] { return v4.received().size() > 50 && v6.received().size() > 50; }));
    if (fault_.is_kill() && !fault_.is_of_keeper()) {
        ASSERT_TRUE(eventually([&] { return status().value("standby_ready", false); }));
    }
    const auto by_before = arrivals.by();
    const int before = load.uninspected();
    const int failed_before = load.failed();
    const int struck = process();
    ASSERT_GT(struck, 0);
    strikes(struck, load, heart_stopped);

    if (fault_.is_kill() && fault_.is_of_keeper()) {
        EXPECT_TRUE(eventually([] { return orphans().empty(); }));
        gateway_.runs_with(yaml);
    }
    const auto up = Clock::now();
    if (!fault_.is_kill()) ::kill(struck, SIGCONT); // may have been replaced meanwhile
    EXPECT_TRUE(load.are_inspected(1));
    const auto back = since(up);
    EXPECT_TRUE(load.are_inspected(5));
    const auto by_after = arrivals.by();
    EXPECT_TRUE(load.are_inspected(10));
    EXPECT_EQ(arrivals.by(), by_after) << "inspected again, and yet something passes by";
    load.end();
    const auto passed = by_after.packets - by_before.packets;
    std::printf("%s %s, %s: %d inspected, %d not (%ld packets), %d requests failed, inspected again %ld ms after "
                "recovery\n",
                what.c_str(), when_down_.c_str(), fault_.name().c_str(),
                load.sites[0].inspected() + load.sites[1].inspected(), load.uninspected() - before, passed,
                load.failed() - failed_before, back);
    ::testing::Test::RecordProperty("inspected_again_after_ms", static_cast<int>(back));
    ::testing::Test::RecordProperty("packets_not_inspected", static_cast<int>(passed));
    if (!is_open()) {
        EXPECT_EQ(arrivals.by(), by_before) << "packets passed that nobody inspected";
        EXPECT_EQ(load.uninspected(), before);
    }
    EXPECT_GT(arrivals.ours(), 0);
}

} // namespace gw::lab
