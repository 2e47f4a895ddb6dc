#include "netfilter/rules.h"

#include "tests/netfilter/plans.h"

#include <ctime>
#include <gtest/gtest.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;
using namespace std::string_literals;

namespace {

Plan plan() { return make_plan({}, {capture("web", {"192.0.2.0/24", "198.51.100.7"}, {{80, 80}})}, {"eth0"}); }

/// As nft 1.0.6 prints it.
const std::string printed = R"(table inet gateway { # progname gatewayd
	flags owner

	chain divert {
		socket wildcard 1 return comment "not a connection"
		meta mark set meta mark & 0xfdffffff | 0x01000000 accept comment "ours"
	}

	chain prerouting {
		type filter hook prerouting priority mangle + 5; policy accept;
		meta mark & 0x03000000 == 0x02000000 return comment "own"
		iifname "eth0" tcp flags != syn / syn,ack socket transparent 1 jump divert comment "divert"
		iifname "eth0" meta l4proto { icmp, ipv6-icmp } socket transparent 1 jump divert comment "divert errors"
		fib daddr type { local, broadcast, anycast, multicast } return comment "local"
		jump captures_a comment "captures"
	}

	chain captures_a {
		iifname "eth0" tcp dport 80 ip daddr { 192.0.2.0/24, 198.51.100.7 } tproxy ip to 127.0.0.1:4000 meta mark set meta mark & 0xfdffffff | 0x01000000 counter accept comment "capture 1 IPv4 web"
		iifname "eth0" tcp dport 80 ip daddr { 192.0.2.0/24, 198.51.100.7 } counter accept comment "passed 1 IPv4 web"
	}
}
)";

std::string difference_of(std::string_view listing) { return difference(plan(), captures_a, listing); }

std::string changed(std::string_view from, std::string_view to)
{
    std::string text = printed;
    return text.replace(text.find(from), from.size(), to);
}

std::string without_line(std::string_view part)
{
    const auto at = printed.find(part);
    const auto first = printed.rfind('\n', at);
    std::string text = printed;
    return text.erase(first, printed.find('\n', at) - first);
}

} // namespace

TEST(ReadBack, AgreesWithWhatNftPrintsOfThePlan) { EXPECT_EQ(difference_of(printed), ""); }

TEST(ReadBack, MissesATableAChainAndEveryRule)
{
    EXPECT_EQ(difference_of(""), "table inet gateway");
    EXPECT_EQ(difference_of("table inet gateway { # progname x\n\tflags owner\n}\n"), "chain prerouting");
    for (const Rule& rule : rules_of(plan(), captures_a))
        EXPECT_EQ(difference_of(without_line("comment \"" + rule.comment + '"')), "rule \"" + rule.comment + '"');
}

TEST(ReadBack, KnowsWhichChainOfCapturesIsInForceAndThatTheOtherIsGone)
{
    EXPECT_EQ(difference(plan(), captures_b, printed), "chain captures_b");
    EXPECT_EQ(difference_of(changed("jump captures_a", "jump captures_b")), "rule \"captures\" lacks captures_a");
    const std::string ours = "\tchain captures_a {";
    EXPECT_EQ(difference_of(changed(ours, "\tchain captures_b {\n\t}\n\n" + ours)),
              "chain captures_b is not in the plan");
    EXPECT_EQ(difference_of(changed(ours, "\tchain captures_b {")), "chain captures_a");
}

TEST(ReadBack, MissesAnElement)
{
    EXPECT_EQ(difference_of(changed("192.0.2.0/24, ", "")), "rule \"capture 1 IPv4 web\" lacks 192.0.2.0/24");
    EXPECT_EQ(difference_of(changed("dport 80 ", "dport 8080 ")), "rule \"capture 1 IPv4 web\" lacks 80");
    EXPECT_EQ(difference_of(changed("{ 192.0.2.0/24, 198.51.100.7 } t", "{ 192.0.2.0/24, 198.51.100.77 } t")),
              "rule \"capture 1 IPv4 web\" lacks 198.51.100.7");
}

TEST(ReadBack, KnowsWordsByTheirEndsAlsoInQuotes)
{
    const auto of = [](const char* interface) {
        return make_plan({}, {capture("web", {"192.0.2.0/24"}, {{80, 80}})}, {interface, "eth1"});
    };
    const auto listing_of = [](const Plan& plan) {
        auto text = "table inet gateway {\n\tchain prerouting {\n\t\ttype filter hook prerouting priority 0;\n\t}\n"s;
        std::string chain;
        for (const Rule& rule : rules_of(plan, captures_a)) {
            if (rule.chain != chain) text += "\t}\n\tchain " + (chain = rule.chain) + " {\n";
            text += "\t\t" + rule.text + " comment \"" + rule.comment + "\"\n";
        }
        return text + "\t}\n}\n";
    };
    EXPECT_EQ(difference(of("lan,1"), captures_a, listing_of(of("lan,1"))), "");
    EXPECT_EQ(difference(of("lan"), captures_a, listing_of(of("lan,1"))), "rule \"divert\" lacks \"lan\"");
}

TEST(ReadBack, OfAHundredThousandNetworksTakesNoLongerThanTheirTextIsLong)
{
    auto web = capture("web", {}, {{80, 80}});
    std::vector<Network> networks;
    std::string elements;
    for (std::uint32_t i = 0; i < 100'000; ++i) {
        const auto at =
            std::to_string(20 + i / 32'768) + '.' + std::to_string(i / 128 % 256) + '.' + std::to_string(i * 2 % 256);
        networks.push_back(Network::parse("10." + at).value());
        elements += (i == 0 ? "10." : ", 10.") + at;
    }
    web.intercept.to = std::move(networks);
    const auto many = make_plan({}, {web}, {"eth0"});
    const std::string_view few = "192.0.2.0/24, 198.51.100.7";
    auto listing = printed;
    for (auto at = listing.find(few); at != std::string::npos; at = listing.find(few)) // both rules
        listing.replace(at, few.size(), elements);
    const auto began = std::clock(); // of the processor: a busy machine is no reason to fail
    EXPECT_EQ(difference(many, captures_a, listing), "");
    listing.erase(listing.find("10.20.0.4, "), 11);
    EXPECT_EQ(difference(many, captures_a, listing), "rule \"capture 1 IPv4 web\" lacks 10.20.0.4");
    EXPECT_LT(std::clock() - began, 5 * CLOCKS_PER_SEC) << "element by element it takes minutes";
}

TEST(ReadBack, SeesWhatIsTooMuchOrOutOfOrder)
{
    const std::string own = "\t\tmeta mark & 0x03000000 == 0x02000000 return comment \"own\"\n";
    EXPECT_EQ(difference_of(changed(own, own + own)), "rule \"own\" is there twice");
    EXPECT_EQ(difference_of(changed(own, own + "\t\tdrop\n")), "table inet gateway has rules that are not in the plan");
    std::string moved = changed(own, "");
    moved.insert(moved.find("\t\tfib daddr"), own);
    EXPECT_EQ(difference_of(moved), "rule \"divert\" is out of order");
}

TEST(ReadBack, DoesNotMindHalfAListing)
{
    for (std::size_t cut = 0; cut + 6 < printed.size(); ++cut)
        EXPECT_NE(difference_of(printed.substr(0, cut)), "") << cut;
}

TEST(ReadBack, MissesTheHeartbeat)
{
    auto beating = plan();
    beating.heartbeat_port = 4'012;
    EXPECT_EQ(difference(beating, captures_a, printed), "chain heartbeat");
    const auto with = [](const std::string& gate, const std::string& port) {
        std::string text = printed;
        text.insert(text.find("\t\tjump captures_a"), gate);
        return text.insert(
            text.find("\tchain divert"),
            "\tset alive {\n\t\ttype mark\n\t\tsize 4\n\t\tflags dynamic,timeout\n\t}\n\n"
            "\tchain heartbeat {\n\t\ttype filter hook ingress device \"lo\" priority -10; policy "
            "accept;\n\t\tip saddr 127.0.0.1 ip daddr 127.0.0.1 udp sport " +
                port + " udp dport " + port +
                " update @alive { meta mark & 0x00000000 timeout 2s } drop comment \"heartbeat\"\n\t}\n\n");
    };
    const std::string gate = "\t\tmeta mark & 0x00000000 != @alive return comment \"not alive, prerouting\"\n";
    EXPECT_EQ(difference(beating, captures_a, with(gate, "4012")), "");
    EXPECT_EQ(difference(beating, captures_a, with("", "4012")), "rule \"not alive, prerouting\"");
    EXPECT_EQ(difference(beating, captures_a, with(gate, "4013")), "rule \"heartbeat\" lacks 4012");
    auto without_set = with(gate, "4012");
    without_set.replace(without_set.find("set alive"), 9, "set other");
    EXPECT_EQ(difference(beating, captures_a, without_set), "set alive");
}
