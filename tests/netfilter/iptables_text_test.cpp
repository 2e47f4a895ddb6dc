#include "netfilter/iptables_text.h"

#include "netfilter/guard_text.h"
#include "tests/netfilter/plans.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <regex>
#include <sstream>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Without the digests, which say nothing to a reader, and without the words every rule has.
std::string for_readers(const std::string& text)
{
    const auto plain = std::regex_replace(text, std::regex(" [0-9a-f]{8}\"( |$)"), "\"$1");
    return std::regex_replace(plain, std::regex("-m comment --comment \"gateway: "), "\"");
}

Plan with_beats(Plan plan)
{
    plan.heartbeat_port = 5000;
    plan.heartbeat_port_v6 = 5006;
    return plan;
}

std::string restored(const IptablesRules& rules) { return for_readers(restore_text(rules, {})); }

/// What begins the chain of every plan `with_beats`.
const std::string beats_v4 =
    R"(-A gateway-prerouting "last beat" -i lo -s 127.0.0.1 -d 127.0.0.1 -p udp --sport 5000 --dport 9 -m recent --remove --name gateway-alive-4-5000 --mask 0.0.0.0 --rsource -j DROP
-A gateway-prerouting "after the last beat" -i lo -s 127.0.0.1 -d 127.0.0.1 -p udp --sport 5000 --dport 9 -j DROP
-A gateway-prerouting "heartbeat" -i lo -s 127.0.0.1 -d 127.0.0.1 -p udp --sport 5000 --dport 5000 -m recent --set --name gateway-alive-4-5000 --mask 0.0.0.0 --rsource -j DROP
-A gateway-prerouting "own" -m mark --mark 0x02000000/0x03000000 -j RETURN
)";

/// What iptables-save shows when these rules are all there is.
std::string saved(const IptablesRules& rules)
{
    std::string text;
    for (const char* table : {"raw", "nat", "mangle", "filter"}) {
        text += std::string("*") + table + "\n:PREROUTING ACCEPT [12:3456]\n";
        for (const auto& chain : rules.chains)
            if (chain.table == table) text += ':' + chain.name + " - [0:0]\n";
        for (const auto& rule : rules.rules)
            if (rule.table == table)
                text += "-A " + rule.chain + " -m comment --comment \"" + rule.comment + "\" -j SOMETHING\n";
        text += "COMMIT\n";
    }
    return text;
}

Plan usual()
{
    auto web = capture("web", {"192.0.2.0/24", "2001:db8::/32"}, {{80, 80}, {8000, 8080}});
    web.intercept.when_down = WhenDown::reject;
    return with_beats(make_plan({}, {web}, {"eth0"}));
}

IptablesRules all_of(const Plan& plan, bool v6) { return joined(iptables_rules(plan, v6), iptables_guard(plan, v6)); }

} // namespace

TEST(IptablesText, TakesAListenerOverByTproxy)
{
    auto web = capture("web", {"192.0.2.0/24", "2001:db8::/32"}, {{80, 80}, {8000, 8080}});
    web.intercept.except_from = networks({"10.0.0.1", "2001:db8::9"});
    web.intercept.except_to = networks({"192.0.2.53"});
    const auto plan = with_beats(make_plan({}, {web}, {"eth0", "lan0"}));

    EXPECT_EQ(restored(iptables_rules(plan, false)), R"(*mangle
:gateway-prerouting - [0:0]
:gateway-under-way - [0:0]
:gateway-divert - [0:0]
:gateway-captures - [0:0]
:gateway-capture-1 - [0:0]
-I PREROUTING 1 "prerouting" -j gateway-prerouting
)" + beats_v4 + R"(-A gateway-prerouting "under way" -i "eth0" -j gateway-under-way
-A gateway-prerouting "under way" -i "lan0" -j gateway-under-way
-A gateway-under-way "divert" -p tcp ! --tcp-flags SYN,ACK SYN -m socket --transparent -j gateway-divert
-A gateway-under-way "divert errors" -p icmp -m socket --transparent -j gateway-divert
-A gateway-divert "ours" -j MARK --set-xmark 0x01000000/0x03000000
-A gateway-divert "ours" -j ACCEPT
-A gateway-prerouting "local" -m addrtype --dst-type LOCAL,BROADCAST,ANYCAST,MULTICAST -j RETURN
-A gateway-prerouting "captures" -j gateway-captures
-A gateway-captures "for capture 1 IPv4 web" -i "eth0" -p tcp -m multiport --dports 80,8000:8080 -j gateway-capture-1
-A gateway-captures "for capture 1 IPv4 web" -i "lan0" -p tcp -m multiport --dports 80,8000:8080 -j gateway-capture-1
-A gateway-capture-1 "not capture 1 IPv4 web" -s 10.0.0.1/32 -j RETURN
-A gateway-capture-1 "not capture 1 IPv4 web" -d 192.0.2.53/32 -j RETURN
-A gateway-capture-1 "capture 1 IPv4 web" -d 192.0.2.0/24 -p tcp -m recent --rcheck --seconds 2 --name gateway-alive-4-5000 --mask 0.0.0.0 --rsource -j TPROXY --on-ip 127.0.0.1 --on-port 4000 --tproxy-mark 0x01000000/0x03000000
COMMIT
)");
    EXPECT_EQ(restored(iptables_rules(plan, true)), R"(*mangle
:gateway-prerouting - [0:0]
:gateway-under-way - [0:0]
:gateway-divert - [0:0]
:gateway-captures - [0:0]
:gateway-capture-1 - [0:0]
-I PREROUTING 1 "prerouting" -j gateway-prerouting
-A gateway-prerouting "last beat" -i lo -s ::1 -d ::1 -p udp --sport 5006 --dport 9 -m recent --remove --name gateway-alive-6-5006 --mask :: --rsource -j DROP
-A gateway-prerouting "after the last beat" -i lo -s ::1 -d ::1 -p udp --sport 5006 --dport 9 -j DROP
-A gateway-prerouting "heartbeat" -i lo -s ::1 -d ::1 -p udp --sport 5006 --dport 5006 -m recent --set --name gateway-alive-6-5006 --mask :: --rsource -j DROP
-A gateway-prerouting "own" -m mark --mark 0x02000000/0x03000000 -j RETURN
-A gateway-prerouting "under way" -i "eth0" -j gateway-under-way
-A gateway-prerouting "under way" -i "lan0" -j gateway-under-way
-A gateway-under-way "divert" -p tcp ! --tcp-flags SYN,ACK SYN -m socket --transparent -j gateway-divert
-A gateway-under-way "divert errors" -p ipv6-icmp -m socket --transparent -j gateway-divert
-A gateway-divert "ours" -j MARK --set-xmark 0x01000000/0x03000000
-A gateway-divert "ours" -j ACCEPT
-A gateway-prerouting "local" -m addrtype --dst-type LOCAL,ANYCAST,MULTICAST -j RETURN
-A gateway-prerouting "captures" -j gateway-captures
-A gateway-captures "for capture 1 IPv6 web" -i "eth0" -p tcp -m multiport --dports 80,8000:8080 -j gateway-capture-1
-A gateway-captures "for capture 1 IPv6 web" -i "lan0" -p tcp -m multiport --dports 80,8000:8080 -j gateway-capture-1
-A gateway-capture-1 "not capture 1 IPv6 web" -s 2001:db8::9/128 -j RETURN
-A gateway-capture-1 "capture 1 IPv6 web" -d 2001:db8::/32 -p tcp -m recent --rcheck --seconds 2 --name gateway-alive-6-5006 --mask :: --rsource -j TPROXY --on-ip ::1 --on-port 4006 --tproxy-mark 0x01000000/0x03000000
COMMIT
)");
}

TEST(IptablesText, RedirectsAndKeepsConnectionsApartInZones)
{
    auto web = capture("web", {"192.0.2.0/24"}, {{80, 80}});
    web.intercept.mode = Mode::redirect;
    auto rest = capture("rest", {"0.0.0.0/0"}, {{1, 65535}});
    rest.intercept.keeps_port = true;
    rest.port_v4 = 4100;
    EXPECT_EQ(restored(iptables_rules(with_beats(make_plan({}, {web, rest}, {"eth0"})), false)), R"(*filter
:gateway-direct-hits - [0:0]
-I INPUT 1 "direct-hits" -j gateway-direct-hits
-A gateway-direct-hits "direct hits 1 IPv4 web" -p tcp --dport 4000 --tcp-flags SYN,ACK SYN -m conntrack ! --ctstate DNAT -m recent --rcheck --seconds 2 --name gateway-alive-4-5000 --mask 0.0.0.0 --rsource -j REJECT --reject-with tcp-reset
COMMIT
*raw
:gateway-zones-in - [0:0]
:gateway-zones-found - [0:0]
:gateway-zones-out - [0:0]
-I PREROUTING 1 "zones-in" -j gateway-zones-in
-A gateway-zones-in "answers" -i "eth0" -p tcp ! --tcp-flags SYN,ACK SYN -m socket --transparent --restore-skmark -j gateway-zones-found
-A gateway-zones-found "answers to twins" -m mark --mark 0x03000000/0x03000000 -j CT --zone 7373
-A gateway-zones-found "answers" -j MARK --set-xmark 0x0/0xffffffff
-I OUTPUT 1 "zones-out" -j gateway-zones-out
-A gateway-zones-out "twins" -m mark --mark 0x03000000/0x03000000 -j CT --zone 7373
-A gateway-zones-out "beside NAT" -p tcp -m mark --mark 0x02000000/0x03000000 -m addrtype ! --src-type LOCAL -j CT --zone-orig 7373
COMMIT
*nat
:gateway-redirecting - [0:0]
:gateway-redirect-1 - [0:0]
-I PREROUTING 1 "redirecting" -j gateway-redirecting
-A gateway-redirecting "marked" -m mark ! --mark 0x00000000/0x03000000 -j RETURN
-A gateway-redirecting "local redirect" -m addrtype --dst-type LOCAL,BROADCAST,ANYCAST,MULTICAST -j RETURN
-A gateway-redirecting "for redirect 1 IPv4 web" -i "eth0" -p tcp --dport 80 -j gateway-redirect-1
-A gateway-redirect-1 "redirect 1 IPv4 web" -d 192.0.2.0/24 -p tcp -m recent --rcheck --seconds 2 --name gateway-alive-4-5000 --mask 0.0.0.0 --rsource -j REDIRECT --to-ports 4000
COMMIT
*mangle
:gateway-prerouting - [0:0]
:gateway-under-way - [0:0]
:gateway-divert - [0:0]
:gateway-captures - [0:0]
:gateway-capture-1 - [0:0]
:gateway-capture-2 - [0:0]
-I PREROUTING 1 "prerouting" -j gateway-prerouting
)" + beats_v4 + R"(-A gateway-prerouting "own twin" -m mark --mark 0x03000000/0x03000000 -j RETURN
-A gateway-prerouting "under way" -i "eth0" -j gateway-under-way
-A gateway-under-way "divert" -p tcp ! --tcp-flags SYN,ACK SYN -m socket --transparent -j gateway-divert
-A gateway-under-way "divert errors" -p icmp -m socket --transparent -j gateway-divert
-A gateway-divert "ours" -j MARK --set-xmark 0x01000000/0x03000000
-A gateway-divert "ours" -j ACCEPT
-A gateway-prerouting "local" -m addrtype --dst-type LOCAL,BROADCAST,ANYCAST,MULTICAST -j RETURN
-A gateway-prerouting "redirected before" -m conntrack --ctstate DNAT -j RETURN
-A gateway-prerouting "captures" -j gateway-captures
-A gateway-captures "for left 1 IPv4 web" -i "eth0" -p tcp --dport 80 -j gateway-capture-1
-A gateway-capture-1 "left 1 IPv4 web" -d 192.0.2.0/24 -p tcp -j MARK --set-xmark 0x02000000/0x03000000
-A gateway-captures "left" -m mark --mark 0x02000000/0x03000000 -j RETURN
-A gateway-captures "for capture 2 IPv4 rest" -i "eth0" -p tcp --dport 1:65535 -j gateway-capture-2
-A gateway-capture-2 "capture 2 IPv4 rest" -d 0.0.0.0/0 -p tcp -m recent --rcheck --seconds 2 --name gateway-alive-4-5000 --mask 0.0.0.0 --rsource -j TPROXY --on-ip 127.0.0.1 --on-port 4100 --tproxy-mark 0x01000000/0x03000000
-A gateway-prerouting "left until here" -m mark --mark 0x02000000/0x03000000 -j MARK --set-xmark 0x00000000/0x03000000
COMMIT
)");
}

TEST(IptablesText, RefusesWhatAClosedListenerWouldHaveTaken)
{
    auto open = capture("open", {"192.0.2.7"}, {{80, 80}});
    auto closed = capture("closed", {"192.0.2.0/24"}, {{80, 80}});
    closed.intercept.when_down = WhenDown::reject;
    auto silent = capture("silent", {"198.51.100.0/24"}, {{53, 53}});
    silent.intercept.transport = Transport::udp;
    silent.intercept.when_down = WhenDown::drop;
    EXPECT_EQ(restored(iptables_guard(make_plan({}, {open, closed, silent}, {"eth0"}), false)), R"(*filter
:gateway-refuse - [0:0]
:gateway-forward - [0:0]
:gateway-early-input - [0:0]
:gateway-refusals - [0:0]
:gateway-refusal-1 - [0:0]
:gateway-refusal-2 - [0:0]
:gateway-refusal-3 - [0:0]
-A gateway-refuse "refuse" -p tcp -j REJECT --reject-with tcp-reset
-A gateway-refuse "refuse" -j REJECT --reject-with icmp-port-unreachable
-I FORWARD 1 "forward" -j gateway-forward
-A gateway-forward "undelivered" -m mark --mark 0x01000000/0x03000000 -j DROP
-A gateway-forward "refused early" -m mark --mark 0x03000000/0x03000000 -j gateway-refuse
-I INPUT 1 "early-input" -j gateway-early-input
-A gateway-early-input "refused early" ! -i lo -m mark --mark 0x03000000/0x03000000 -j gateway-refuse
-A gateway-forward "refusals" -j gateway-refusals
-A gateway-forward "passed until here" -m mark --mark 0x02000000/0x03000000 -j MARK --set-xmark 0x00000000/0x03000000
-A gateway-refusals "for passed 1 IPv4 open" -p tcp --dport 80 -j gateway-refusal-1
-A gateway-refusal-1 "passed 1 IPv4 open" -d 192.0.2.7/32 -p tcp -j MARK --set-xmark 0x02000000/0x03000000
-A gateway-refusals "settled" -m mark ! --mark 0x00000000/0x03000000 -j RETURN
-A gateway-refusals "for refused 2 IPv4 closed" -p tcp --dport 80 -j gateway-refusal-2
-A gateway-refusal-2 "refused 2 IPv4 closed" -d 192.0.2.0/24 -p tcp -j gateway-refuse
-A gateway-refusals "for refused 3 IPv4 silent" -p udp --dport 53 -j gateway-refusal-3
-A gateway-refusal-3 "refused 3 IPv4 silent" -d 198.51.100.0/24 -p udp -j DROP
COMMIT
*mangle
:gateway-early - [0:0]
:gateway-refusals - [0:0]
:gateway-refusal-1 - [0:0]
:gateway-refusal-2 - [0:0]
:gateway-refusal-3 - [0:0]
:gateway-reassembly - [0:0]
-I PREROUTING 1 "early" -j gateway-early
-A gateway-early "marked" -m mark ! --mark 0x00000000/0x03000000 -j RETURN
-A gateway-early "local" -m addrtype --dst-type LOCAL,BROADCAST,ANYCAST,MULTICAST -j RETURN
-A gateway-early "refusals" -j gateway-refusals
-A gateway-early "passed until here" -m mark --mark 0x02000000/0x03000000 -j MARK --set-xmark 0x00000000/0x03000000
-A gateway-refusals "for passed 1 IPv4 open" -p tcp --dport 80 -j gateway-refusal-1
-A gateway-refusal-1 "passed 1 IPv4 open" -d 192.0.2.7/32 -p tcp -j MARK --set-xmark 0x02000000/0x03000000
-A gateway-refusals "settled" -m mark ! --mark 0x00000000/0x03000000 -j RETURN
-A gateway-refusals "for refused 2 IPv4 closed" -p tcp --dport 80 -j gateway-refusal-2
-A gateway-refusal-2 "refused 2 IPv4 closed" -d 192.0.2.0/24 -p tcp -j MARK --set-xmark 0x03000000/0x03000000
-A gateway-refusals "settled" -m mark ! --mark 0x00000000/0x03000000 -j RETURN
-A gateway-refusals "for refused 3 IPv4 silent" -p udp --dport 53 -j gateway-refusal-3
-A gateway-refusal-3 "refused 3 IPv4 silent" -d 198.51.100.0/24 -p udp -j DROP
-A gateway-reassembly "never reached" -p tcp -j TPROXY --on-ip 127.0.0.1 --on-port 1 --tproxy-mark 0x00000000/0x03000000
COMMIT
)");
}

TEST(IptablesText, SplitsManyPortsIntoRulesOfFifteen)
{
    std::vector<PortRange> ports;
    for (std::uint16_t port = 1000; port < 1020; port += 2) ports.push_back({port, port}); // ten
    for (std::uint16_t port = 2000; port < 2100; port = static_cast<std::uint16_t>(port + 20))
        ports.push_back({port, static_cast<std::uint16_t>(port + 5)}); // five, that count twice
    const auto text =
        restored(iptables_rules(with_beats(make_plan({}, {capture("web", {"192.0.2.0/24"}, ports)}, {"eth0"})), false));
    std::istringstream lines(text);
    int rules = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto at = line.find("--dports ");
        if (at == std::string::npos) continue;
        ++rules;
        const auto list = line.substr(at + 9, line.find(' ', at + 9) - at - 9);
        const auto words = std::count_if(list.begin(), list.end(), [](char c) { return c == ',' || c == ':'; });
        EXPECT_LE(words + 1, 15) << list;
    }
    EXPECT_EQ(rules, 2);
    EXPECT_TRUE(has(text, "--dports 1000,1002,1004,1006,1008,1010,1012,1014,1016,1018,2000:2005,2020:2025 "));
    EXPECT_TRUE(has(text, "--dports 2040:2045,2060:2065,2080:2085 "));
}

TEST(IptablesText, AgreesWithWhatItWroteAndSaysWhatIsMissing)
{
    const auto wanted = all_of(usual(), false);
    const auto text = saved(wanted);
    EXPECT_EQ(difference(wanted, ours_in({}, text)), "");

    const auto without = [&](std::string_view part) {
        std::string less;
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);)
            if (line.find(part) == std::string::npos) less += line + '\n';
        return difference(wanted, ours_in({}, less));
    };
    EXPECT_EQ(without(": capture 1"), "capture 1 IPv4 web in chain gateway-capture-1 of table mangle");
    EXPECT_EQ(without("-A PREROUTING"), "prerouting in chain PREROUTING of table mangle");
    EXPECT_EQ(without("gateway-divert"), "chain gateway-divert of table mangle");
    EXPECT_EQ(difference(wanted, ours_in({}, "")), "chain gateway-prerouting of table mangle");
    EXPECT_EQ(difference({}, ours_in({}, text)), "chain gateway-prerouting of table mangle is not in the plan");

    auto more = text;
    more.insert(more.find("-A gateway-captures"), "-A gateway-captures -j RETURN\n");
    EXPECT_EQ(difference(wanted, ours_in({}, more)),
              "chain gateway-captures of table mangle holds other rules, or in another order");
    auto other = usual();
    other.captures[0].port_v4 = 4001;
    EXPECT_EQ(difference(all_of(other, false), ours_in({}, text)),
              "capture 1 IPv4 web in chain gateway-capture-1 of table mangle");
}

TEST(IptablesText, EmptiesAndFillsItsChainsAndTakesAwayWhatIsNotWanted)
{
    auto old = usual();
    old.captures.push_back(old.captures[0]);
    const auto found = ours_in({}, saved(all_of(old, false)));
    const auto text = restore_text(all_of(usual(), false), found);
    EXPECT_TRUE(has(text, ":gateway-capture-2 - [0:0]\n"));
    EXPECT_TRUE(has(text, "-X gateway-capture-2\n"));
    EXPECT_FALSE(has(text, "-X gateway-capture-1\n"));
    EXPECT_TRUE(has(text, "-D PREROUTING -m comment --comment \"gateway: prerouting "));
    EXPECT_LT(text.find("-D PREROUTING"), text.find("-I PREROUTING 1 "));
    EXPECT_LT(text.find("-I PREROUTING 1 "), text.find("-I PREROUTING 2 "));
    EXPECT_LT(text.find("*filter"), text.find("*mangle"));

    const auto gone = restore_text({}, found);
    EXPECT_FALSE(has(gone, "-A "));
    EXPECT_FALSE(has(gone, "-I "));
    EXPECT_TRUE(has(gone, "-X gateway-prerouting\n"));
    EXPECT_EQ(restore_text({}, {}), "");
}

TEST(IptablesText, LooksAtNothingOfOthers)
{
    const std::string others = "*mangle\n:PREROUTING ACCEPT [0:0]\n:gateway - [0:0]\n:gateway-friends - [0:0]\n"
                               ":gateway-capture-x - [0:0]\n:gateway-capture- - [0:0]\n:mygateway-captures - [0:0]\n"
                               "-A PREROUTING -m comment --comment \"not gateway: a\" -j gateway-friends\n"
                               "-A PREROUTING -m comment --comment gateway -j DROP\n"
                               "-A PREROUTING -m comment --comment \"say \\\"gateway: \\\" twice\" -j DROP\n"
                               "-A gateway-friends -m comment --comment \"\" -j RETURN\n"
                               "COMMIT\n";
    EXPECT_TRUE(ours_in({}, others).empty());
}

TEST(IptablesText, ReadsAnyTextWithoutHarm)
{
    const auto whole = saved(all_of(usual(), false));
    for (std::size_t cut = 0; cut < whole.size(); cut += 7) {
        const auto found = ours_in({}, std::string_view(whole).substr(0, cut));
        static_cast<void>(restore_text({}, found));
    }
    for (const char* hostile : {"-A", "-A ", ":", "*", "-A gateway-captures", "-A x --comment", "-A x --comment ",
                                "-A x --comment \"", ":gateway-captures", "\n\n\n"})
        static_cast<void>(difference(all_of(usual(), false), ours_in({}, hostile)));
}

TEST(IptablesText, RefusesWhatIptablesWouldTakeForSomethingElse)
{
    const auto why = [](std::string interface, std::string table = "gateway") {
        auto web = capture("web", {"192.0.2.0/24"}, {{80, 80}});
        web.intercept.interfaces = {std::move(interface)};
        Settings settings;
        settings.table = std::move(table);
        const auto fits = check_for_iptables(make_plan(settings, {web}, {}));
        return fits ? std::string() : fits.error().what;
    };
    EXPECT_EQ(why("eth0.1@x"), "");
    EXPECT_TRUE(has(why("eth+"), "intercept.interfaces"));
    EXPECT_TRUE(has(why("!eth0"), "iptables cannot name it"));
    EXPECT_TRUE(has(why("-j"), "iptables cannot name it"));
    EXPECT_TRUE(has(why("a\"b"), "not an interface"));
    EXPECT_TRUE(has(why("a b"), "not an interface"));
    auto plan = make_plan({}, {capture("web", {"192.0.2.0/24"}, {{80, 80}})}, {"eth0", "wan+", "!x", "-j"});
    leave_out(plan, can_name_for_iptables);
    EXPECT_TRUE(check_for_iptables(plan)) << "those that are only present are left out";
    EXPECT_EQ(plan.interfaces, std::vector<std::string>{"eth0"});
    EXPECT_EQ(plan.left_out, (std::vector<std::string>{"!x", "-j", "wan+"}));
    EXPECT_EQ(plan.policy_rules, (std::vector<PolicyRule>{{"eth0", false}}));
    EXPECT_EQ(why("eth0", "fourteenletter"), "");
    EXPECT_TRUE(has(why("eth0", "fifteen_letters"), "kernel.table"));
    // The longest name there can be still fits.
    Settings settings;
    settings.table = "fourteenletter";
    EXPECT_TRUE(is_our_chain(settings, "fourteenletter-direct-hits"));
    EXPECT_LE(std::string("fourteenletter-redirect-9999").size(), 28u);
}

TEST(IptablesText, SaysNothingOfAListenerThatCouldBeReadAsAnOption)
{
    auto web = capture("web\" -j ACCEPT\n-A INPUT 'x' \\", {"192.0.2.0/24"}, {{80, 80}});
    const auto text = restore_text(all_of(with_beats(make_plan({}, {web}, {"eth0"})), false), {});
    EXPECT_TRUE(has(text, "capture 1 IPv4 web__-j_ACCEPT_-A_INPUT__x___ "));
    EXPECT_FALSE(has(text, "\n-A INPUT"));
}

TEST(IptablesText, ShowsBothFamiliesAsTheyAreGivenToThePrograms)
{
    auto plan = usual();
    plan.settings.backend = Backend::iptables;
    const auto text = text_of_backend(plan);
    EXPECT_TRUE(text.starts_with("# iptables-restore --noflush\n*filter\n"));
    EXPECT_TRUE(has(text, "COMMIT\n# ip6tables-restore --noflush\n*filter\n"));
    plan.settings.backend = Backend::automatic;
    EXPECT_EQ(text_of_backend(plan), all_text(plan));
}
