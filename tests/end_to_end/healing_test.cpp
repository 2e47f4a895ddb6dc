// What others take away of the kernel's side is put back, and their own things are neither hurt nor harmful.

#include "tests/end_to_end/load.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <thread>

namespace gw::lab {
namespace {

using Clock = std::chrono::steady_clock;

class Healing : public Appliance {
protected:
    void starts(const std::string& when_down, const std::string& interfaces = "")
    {
        gateway.runs_with("listeners: [{name: web, intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [80], "
                          "when_down: " +
                          when_down + interfaces + "}}]\n" + std::string(CountingSite::marking));
    }
    std::string does(const std::string& command) const
    {
        const auto done = run({"sh", "-c", command}, network.gateway().place());
        EXPECT_EQ(done.exit_code, 0) << command << ": " << done.out << done.err;
        return done.out;
    }
    /// Does it, and waits for the kernel to be as it was.
    void is_put_right_after(const std::string& command)
    {
        const auto before = gateway.kernel_state();
        does(command);
        EXPECT_TRUE(eventually([&] { return same_but_for_chain_names(gateway.kernel_state(), before); }))
            << command << " is not put right:\n"
            << gateway.kernel_state() << "\nwas:\n"
            << before;
    }
    /// An exchange leads through the other of two chains, and tables made anew come last.
    static bool same_but_for_chain_names(std::string a, std::string b)
    {
        for (auto* text : {&a, &b})
            for (const auto* name : {"captures_", "refusals_"})
                for (auto at = text->find(name); at != std::string::npos; at = text->find(name, at + 1))
                    (*text)[at + 9] = 'x';
        const auto lines = [](const std::string& text) {
            std::vector<std::string> all;
            std::istringstream in(text);
            for (std::string line; std::getline(in, line);) all.push_back(line);
            std::sort(all.begin(), all.end());
            return all;
        };
        return lines(a) == lines(b);
    }
    Json rules_status() const { return Json::parse(gateway.ctl({"status", "--json"}).out)["rules"]; }
};

TEST_F(Healing, PutsBackWhatOthersTakeAwayAndSaysSo)
{
    BothFamilies load(network);
    EXPECT_TRUE(load.pass_by(1));
    starts("reject");
    ASSERT_TRUE(load.are_inspected(5));
    const int before = load.uninspected();
    std::uint64_t healed = 0;
    for (const std::string taken : {"ip rule del priority 773", "ip -6 rule del priority 773",
                                    "ip route del local default dev lo table 7373", "ip -6 route flush table 7373",
                                    "ip rule flush; ip rule add lookup main priority 32766; "
                                    "ip rule add lookup default priority 32767",
                                    "nft delete table inet gateway_guard", "nft flush ruleset"}) {
        is_put_right_after(taken);
        EXPECT_TRUE(load.are_inspected(2));
        const auto now = rules_status().value("healed", std::uint64_t{0});
        EXPECT_GT(now, healed) << taken;
        healed = now;
    }
    EXPECT_THAT(rules_status().value("last_healed", ""), HasSubstr("gateway_guard"));
    EXPECT_THAT(gateway.log(), HasSubstr("policy rule from inside"));
    EXPECT_EQ(load.uninspected(), before);
    EXPECT_EQ(rules_status().value("missing", "?"), "");
}

/// What the kernel tells of changes in the gateway's namespace.
class KernelEvents {
public:
    KernelEvents(const Network& network, int protocol, std::initializer_list<int> groups)
    {
        network.gateway().inside([&] {
            socket_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
            sockaddr_nl name{};
            name.nl_family = AF_NETLINK;
            EXPECT_EQ(::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
            for (const int group : groups)
                ::setsockopt(socket_.number(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
        });
    }
    /// From the first message of the one type to the next of the other.
    double milliseconds_between(int first, int next)
    {
        const auto start = when(first);
        return std::chrono::duration<double, std::milli>(when(next) - start).count();
    }

private:
    Clock::time_point when(int type)
    {
        for (;;) {
            while (waiting_.empty()) {
                pollfd readable{socket_.number(), POLLIN, 0};
                if (::poll(&readable, 1, 5'000) != 1) {
                    ADD_FAILURE() << "no such message: " << type;
                    return Clock::now();
                }
                read();
            }
            const auto [each, at] = waiting_.front();
            waiting_.pop_front();
            if (each == type) return at;
        }
    }
    void read()
    {
        alignas(nlmsghdr) std::array<char, 65536> buffer;
        auto left = static_cast<int>(::recv(socket_.number(), buffer.data(), buffer.size(), 0));
        const auto now = Clock::now();
        for (const auto* each = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(each, left);
             each = NLMSG_NEXT(each, left))
            waiting_.emplace_back(each->nlmsg_type, now);
    }

    Descriptor socket_;
    std::deque<std::pair<int, Clock::time_point>> waiting_;
};

TEST_F(Healing, TakesMillisecondsAsTheKernelTellsThem)
{
    starts("reject");
    const auto measured = [&](const char* taken, int protocol, std::initializer_list<int> groups, int gone, int back) {
        for (int turn = 0; turn < 5; ++turn) {
            KernelEvents events(network, protocol, groups);
            std::thread taking([&] { does(taken); });
            std::printf("%.1f ms: %s\n", events.milliseconds_between(gone, back), taken);
            taking.join();
        }
    };
    measured("ip rule del priority 773", NETLINK_ROUTE, {RTNLGRP_IPV4_RULE}, RTM_DELRULE, RTM_NEWRULE);
    measured("ip -6 rule del priority 773", NETLINK_ROUTE, {RTNLGRP_IPV6_RULE}, RTM_DELRULE, RTM_NEWRULE);
    measured("ip route del local default dev lo table 7373", NETLINK_ROUTE, {RTNLGRP_IPV4_ROUTE}, RTM_DELROUTE,
             RTM_NEWROUTE);
    constexpr int nft = NFNL_SUBSYS_NFTABLES << 8;
    measured("nft flush ruleset", NETLINK_NETFILTER, {NFNLGRP_NFTABLES}, nft | NFT_MSG_DELTABLE,
             nft | NFT_MSG_NEWTABLE);
    for (int turn = 0; turn < 5; ++turn) {
        KernelEvents rules(network, NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_RULE});
        std::thread adding([&] { network.gateway().configures("link add new0 type veth peer name new1\n"); });
        std::printf("%.1f ms: an interface that comes\n", rules.milliseconds_between(RTM_NEWLINK, RTM_NEWRULE));
        adding.join();
        network.gateway().configures("link del new0\n");
        EXPECT_TRUE(eventually([&] { return gateway.rules().find("new0") == std::string::npos; }));
    }
}

TEST_F(Healing, FollowsInterfacesThatComeGoAndChangeTheirNames)
{
    starts("pass");
    const auto rules_name = [this](const std::string& name) {
        const auto state = gateway.kernel_state();
        return state.find("iif " + name + " ") != std::string::npos &&
               gateway.rules().find('"' + name + '"') != std::string::npos;
    };
    EXPECT_FALSE(rules_name("late0"));
    network.gateway().configures("link add late0 type veth peer name late1\n");
    EXPECT_TRUE(eventually([&] { return rules_name("late0") && rules_name("late1"); }));
    network.gateway().configures("link set late0 name later0\n");
    EXPECT_TRUE(eventually([&] { return rules_name("later0") && !rules_name("late0"); }));
    network.gateway().configures("link del later0\n");
    EXPECT_TRUE(eventually([&] { return !rules_name("later0") && !rules_name("late1"); }));
    EXPECT_EQ(rules_status().value("missing", "?"), "");
}

TEST_F(Healing, LeavesOutAnInterfaceThatNoRuleCanNameAndGoesOnWithTheOthers)
{
    starts("pass");
    const std::string odd = "wan\"1";
    run_well({"ip", "link", "add", odd, "type", "veth", "peer", "name", "*"}, network.gateway().place());
    network.gateway().configures("link add plain0 type veth peer name plain1\n");
    EXPECT_TRUE(eventually([&] { return gateway.rules().find("\"plain0\"") != std::string::npos; }))
        << "new interfaces are followed all the same";
    EXPECT_EQ(gateway.ctl({"reload"}).exit_code, 0) << gateway.log();
    is_put_right_after("ip rule del priority 773 iif inside");
    EXPECT_EQ(rules_status().value("missing", "?"), "");
    EXPECT_TRUE(eventually([&] { // what the keeper found the last time it looked is not looked at again at once
        return Json::parse(gateway.ctl({"status", "--json"}).out)["warnings"].dump().find("interface-left-out") !=
               std::string::npos;
    }));
    EXPECT_THAT(gateway.ctl({"doctor", "--json"}).out, HasSubstr("no rule can name the interface wan\\\"1"));
    std::size_t said = 0;
    const auto log = gateway.log();
    const std::string_view line = "warning: no rule can name the interface";
    for (auto at = log.find(line); at != std::string::npos; at = log.find(line, at + 1)) ++said;
    EXPECT_EQ(said, 2U) << "once for each: " << log;

    gateway.is_killed(); // and a start
    starts("pass");
    EXPECT_EQ(rules_status().value("missing", "?"), "");
}

TEST_F(Healing, InspectsWhatArrivesOnAnInterfaceThatHasBeenRenamed)
{
    BothFamilies load(network);
    EXPECT_TRUE(load.pass_by(1));
    starts("reject");
    ASSERT_TRUE(load.are_inspected(5));
    const int before = load.uninspected();
    // Addresses and routes stay with it only when it is renamed while it is up, which the kernel allows.
    network.gateway().configures("link set inside name lan\n");
    EXPECT_TRUE(eventually([&] { return gateway.rules().find("\"lan\"") != std::string::npos; }));
    EXPECT_TRUE(load.are_inspected(10));
    EXPECT_EQ(load.uninspected(), before);
}

/// What firewalls beside us do to the kernel when they start, reload and stop, in their own words, other versions of
/// them included; firewalls_test.cpp runs those of this distribution.
struct Neighbour {
    const char* name;
    const char* start;
    const char* reload;
    const char* stop;
};

constexpr Neighbour firewalld{
    "firewalld",
    "nft 'add table inet firewalld; add chain inet firewalld mangle_PREROUTING { type filter hook prerouting priority "
    "mangle + 10; }; add chain inet firewalld nat_PREROUTING { type nat hook prerouting priority dstnat + 10; }; add "
    "chain inet firewalld filter_FORWARD { type filter hook forward priority filter + 10; }; add rule inet firewalld "
    "filter_FORWARD ct state { established, related } accept; add rule inet firewalld filter_FORWARD ct status dnat "
    "accept; add rule inet firewalld filter_FORWARD iifname lo accept; add chain inet firewalld filter_INPUT { type "
    "filter hook input priority filter + 10; }; add rule inet firewalld filter_INPUT ct state { established, related } "
    "accept; add chain inet firewalld filter_OUTPUT { type filter hook output priority filter + 10; }; add rule inet "
    "firewalld filter_OUTPUT oifname lo accept'",
    // 0.9 and 1.0: the whole rule set; later ones: their table, with a policy that drops while it is exchanged.
    "nft list ruleset > /dev/null; nft 'add table inet firewalld_policy_drop; add chain inet firewalld_policy_drop "
    "filter_output { type filter hook output priority -202; policy accept; }; delete table inet firewalld; add table "
    "inet firewalld; add chain inet firewalld filter_FORWARD { type filter hook forward priority filter + 10; }; "
    "delete "
    "table inet firewalld_policy_drop'; nft flush ruleset",
    "nft 'add table inet firewalld; delete table inet firewalld'"};

constexpr Neighbour ufw{
    "ufw",
    "printf '*filter\\n:ufw-before-forward - [0:0]\\n:ufw-user-forward - [0:0]\\n:FORWARD ACCEPT [0:0]\\n-A FORWARD -j "
    "ufw-before-forward\\n-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\\n-A "
    "ufw-before-forward -j ufw-user-forward\\nCOMMIT\\n' | iptables-restore -n",
    "iptables -F ufw-user-forward; printf '*filter\\n:ufw-user-forward - [0:0]\\n-A ufw-user-forward -p tcp --dport 22 "
    "-j ACCEPT\\nCOMMIT\\n' | iptables-restore -n",
    "iptables -F; iptables -X; iptables -P INPUT ACCEPT; iptables -P FORWARD ACCEPT; iptables -t mangle -F; iptables "
    "-t "
    "nat -F; iptables -t mangle -X; iptables -t nat -X"};

constexpr Neighbour docker{
    "Docker",
    "iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER; iptables -t nat "
    "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER; iptables -t nat -A POSTROUTING -s "
    "172.17.0.0/16 ! -o docker0 -j MASQUERADE; iptables -N DOCKER; iptables -N DOCKER-USER; iptables -A FORWARD -j "
    "DOCKER-USER; iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A "
    "FORWARD -o docker0 -j DOCKER; ip link add docker0 type veth peer name docker1; ip addr add 172.17.0.1/16 dev "
    "docker0; ip link set "
    "docker0 up",
    "iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8443 -j DNAT --to-destination 172.17.0.2:443; ip link add "
    "veth1234 type veth peer name eth9; ip link set veth1234 up; ip link del veth1234",
    "iptables -t nat -F; iptables -t nat -X; iptables -F; iptables -X; ip link del docker0"};

class Neighbours : public Healing, public ::testing::WithParamInterface<Neighbour> {};

TEST_P(Neighbours, LiveBesideUs)
{
    const auto& neighbour = GetParam();
    if (run({"iptables", "-V"}).exit_code != 0) GTEST_SKIP() << "needs iptables";
    const auto theirs = [this] { // tables of ours left out; without counters
        std::string text;
        for (const auto* list : {"ip", "inet", "ip6"}) {
            std::istringstream tables(does("nft list tables " + std::string(list)));
            for (std::string line; std::getline(tables, line);)
                if (line.find(" gateway") == std::string::npos)
                    text += does("nft -s list " + line.substr(0, line.find('\n')));
        }
        return text;
    };
    // What it does alone.
    std::vector<std::string> alone;
    for (int turn = 0; turn < 2; ++turn) { // the first time it makes what stays empty later
        alone.clear();
        for (const auto* step : {neighbour.start, neighbour.reload, neighbour.stop}) {
            does(step);
            alone.push_back(theirs());
        }
    }
    BothFamilies load(network);
    EXPECT_TRUE(load.pass_by(1));
    starts("reject");
    ASSERT_TRUE(load.are_inspected(5));
    const int before = load.uninspected();
    const auto failed_before = load.failed();

    // The same beside us, again and again.
    for (int turn = 0; turn < 3; ++turn) {
        std::size_t at = 0;
        for (const auto* step : {neighbour.start, neighbour.reload, neighbour.stop}) {
            does(step);
            EXPECT_TRUE(load.are_inspected(3)) << neighbour.name;
            EXPECT_EQ(theirs(), alone[at++]) << neighbour.name;
        }
    }
    EXPECT_TRUE(eventually([&] { return rules_status().value("missing", "?").empty(); }));
    load.end();
    EXPECT_EQ(load.uninspected(), before) << neighbour.name;
    std::printf("%s: %d requests inspected, %d failed\n", neighbour.name,
                load.sites[0].inspected() + load.sites[1].inspected(), load.failed() - failed_before);
    gateway.stops();
    EXPECT_EQ(theirs(), alone.back());
}

INSTANTIATE_TEST_SUITE_P(Firewalls, Neighbours, ::testing::Values(firewalld, ufw, docker),
                         [](const auto& row) { return std::string(row.param.name); });

// --- gatewayctl rules install, remove

class RulesCommand : public Healing {};

TEST_F(RulesCommand, ClosesBeforeTheStartAndOpensAfterTheEnd)
{
    const auto untouched = gateway.kernel_state();
    const std::string yaml = "listeners: [{name: web, intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [80], "
                             "when_down: reject}}]\n" +
                             std::string(CountingSite::marking);
    BothFamilies load(network);
    EXPECT_TRUE(load.pass_by(1));
    gateway.is_given(yaml);
    const auto installed = gateway.ctl({"rules", "install", "--config", gateway.configuration_file()});
    EXPECT_EQ(installed.exit_code, 0) << installed.err;
    EXPECT_TRUE(load.are_refused(5));
    const int before = load.uninspected();

    gateway.runs_with(yaml);
    ASSERT_TRUE(load.are_inspected(5));
    for (const auto* word : {"install", "remove"}) {
        const auto refused = gateway.ctl({"rules", word, "--config", gateway.configuration_file()});
        EXPECT_EQ(refused.exit_code, 5) << word;
        EXPECT_THAT(refused.err, HasSubstr("gatewayd is running"));
    }
    gateway.is_killed();
    EXPECT_TRUE(load.are_refused(5));
    EXPECT_EQ(load.uninspected(), before);

    const auto removed = gateway.ctl({"rules", "remove", "--config", gateway.configuration_file()});
    EXPECT_EQ(removed.exit_code, 0) << removed.err;
    EXPECT_TRUE(load.pass_by(3));
    EXPECT_EQ(gateway.kernel_state(), untouched);
}

TEST_F(RulesCommand, InstallsNothingForOpenListeners)
{
    const auto untouched = gateway.kernel_state();
    gateway.is_given("listeners: [{intercept: {to: [10.0.2.0/24], ports: [80]}}]");
    EXPECT_EQ(gateway.ctl({"rules", "install", "--config", gateway.configuration_file()}).exit_code, 0);
    EXPECT_EQ(gateway.kernel_state(), untouched);
    EXPECT_EQ(gateway.ctl({"rules", "remove", "--config", "/nowhere.yaml"}).exit_code, 0);
    EXPECT_EQ(gateway.kernel_state(), untouched);
}

} // namespace
} // namespace gw::lab
