// The rules go with the process that owns them, at once.

#include "tests/end_to_end/scene.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <set>
#include <sstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>

namespace gw::lab {
namespace {

using Clock = std::chrono::steady_clock;

class RulesOwner : public Appliance {};

/// Asks the kernel again and again whether our table is there; the time until it is not. It tells nobody when a table
/// goes with its owner.
double milliseconds_until_rules_go(const Network& network, const std::function<void()>& work)
{
    Descriptor socket;
    network.gateway().inside([&] { socket.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)); });
    struct {
        nlmsghdr head{};
        nfgenmsg family{};
        nlattr attribute{};
        char name[8]{"gateway"};
    } question;
    question.head.nlmsg_len = sizeof question;
    question.head.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
    question.head.nlmsg_flags = NLM_F_REQUEST;
    question.family.nfgen_family = NFPROTO_INET;
    question.attribute = {NLA_HDRLEN + sizeof question.name, NFTA_TABLE_NAME};
    const auto is_there = [&] {
        alignas(nlmsghdr) std::array<char, 4096> answer;
        EXPECT_EQ(::send(socket.number(), &question, sizeof question, 0), static_cast<ssize_t>(sizeof question));
        const auto size = ::recv(socket.number(), answer.data(), answer.size(), 0);
        return size > 0 && reinterpret_cast<const nlmsghdr*>(answer.data())->nlmsg_type != NLMSG_ERROR;
    };
    EXPECT_TRUE(is_there());
    const auto start = Clock::now();
    work();
    // With a pause between the questions, or who ends waits until the one who asks has had its turn of a processor.
    while (is_there() && Clock::now() - start < patience) std::this_thread::sleep_for(std::chrono::microseconds{20});
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

TEST_F(RulesOwner, TakesTheRulesWithItInMilliseconds)
{
    std::vector<double> times;
    for (int turn = 0; turn < 5; ++turn) {
        gateway.runs_with(intercepting());
        // The time of the kernel is meant, not that of waiting for a processor among other work of this machine.
        ::setpriority(PRIO_PROCESS, 0, -20);
        const auto threads = "/proc/" + std::to_string(gateway.process().id()) + "/task";
        for (const auto& thread : std::filesystem::directory_iterator(threads))
            ::setpriority(PRIO_PROCESS, static_cast<id_t>(std::stoi(thread.path().filename())), -20);
        times.push_back(milliseconds_until_rules_go(network, [&] { ::kill(gateway.process().id(), SIGKILL); }));
        gateway.process().wait();
        EXPECT_EQ(gateway.rules(), "");
        EXPECT_TRUE(eventually([] { return orphans().empty(); }));
    }
    ::setpriority(PRIO_PROCESS, 0, 0);
    for (const double time : times) std::printf("rules gone %.2f ms after kill -9\n", time);
    for (const double time : times) EXPECT_LT(time, 5'000);
}

/// The inode numbers of all sockets of a kind in this namespace, by the file in which the kernel lists them.
std::set<std::string> sockets_listed(const std::string& file)
{
    std::set<std::string> found;
    std::istringstream lines(read_file(file));
    for (std::string line, inode; std::getline(lines, line);) {
        std::istringstream words(line);
        while (words >> inode) continue; // the last one
        found.insert("socket:[" + inode + ']');
    }
    return found;
}

// The kernel takes the rules away when the last thread that shares the descriptor of their owner has ended.
TEST_F(RulesOwner, IsNoDescriptorOfTheThreadsBeside)
{
    gateway.runs_with(intercepting());
    const auto process = std::to_string(gateway.process().id());
    const auto netlink = sockets_listed("/proc/" + process + "/net/netlink");
    const auto has_netlink = [&](const std::filesystem::path& thread) {
        std::error_code gone;
        for (const auto& descriptor : std::filesystem::directory_iterator(thread / "fd", gone))
            if (netlink.contains(std::filesystem::read_symlink(descriptor, gone).string())) return true;
        return false;
    };
    const std::filesystem::path threads = "/proc/" + process + "/task";
    EXPECT_TRUE(has_netlink(threads / process));
    int beside = 0;
    for (const auto& thread : std::filesystem::directory_iterator(threads)) {
        if (thread.path().filename() == process) continue;
        ++beside;
        EXPECT_TRUE(eventually([&] { return !has_netlink(thread.path()); })) << thread.path();
    }
    EXPECT_GT(beside, 0);
}

} // namespace
} // namespace gw::lab
