// One packet through chains of others, told from the JSON that nft prints.

#include "tests/netfilter/doctor/facts_of.h"

#include <gtest/gtest.h>

using namespace gw;
using namespace gw::doctor;
using namespace gw::doctor::testing;

namespace {

Packet web_packet()
{
    Packet packet;
    packet.iif = "inside";
    packet.destination = Address::parse("192.0.2.1").value();
    packet.port = 80;
    packet.mark = 0x01000000;
    packet.to_host = false;
    packet.translated = false;
    return packet;
}

std::string match(const std::string& left, const std::string& right, const std::string& op = "==")
{
    return R"({"match":{"op":")" + op + R"(","left":)" + left + R"(,"right":)" + right + "}}";
}
const std::string dport = R"({"payload":{"protocol":"tcp","field":"dport"}})";
const std::string saddr = R"({"payload":{"protocol":"ip","field":"saddr"}})";
const std::string daddr = R"({"payload":{"protocol":"ip","field":"daddr"}})";
const std::string daddr6 = R"({"payload":{"protocol":"ip6","field":"daddr"}})";
const std::string iifname = R"({"meta":{"key":"iifname"}})";
const std::string mark = R"({"meta":{"key":"mark"}})";
const std::string state = R"({"ct":{"key":"state"}})";
const std::string status = R"({"ct":{"key":"status"}})";
const std::string daddr_type = R"({"fib":{"result":"type","flags":["daddr"]}})";
const std::string daddr_type_there = R"({"fib":{"result":"type","flags":["daddr","iif"]}})";

/// What becomes of the packet by one rule that drops what these expressions match: how sure that is.
Sure dropped_by(const std::string& expressions, const Packet& packet = web_packet())
{
    const auto ruleset =
        parse_ruleset(listing(base_chain("t", "c", "input") + "," + rule("t", "c", expressions + R"(,{"drop":null})")));
    const auto fates = fates_of(*ruleset, "input", packet, "gateway");
    return fates.empty() ? Sure::no : fates[0].sure;
}

struct Row {
    const char* name;
    std::string expressions;
    Sure expected;
};

TEST(Fates, AnswersEachKindOfMatch)
{
    const Row rows[] = {
        {"port", match(dport, "80"), Sure::yes},
        {"other port", match(dport, "81"), Sure::no},
        {"not the port", match(dport, "80", "!="), Sure::no},
        {"not another port", match(dport, "81", "!="), Sure::yes},
        {"range", match(dport, R"({"range":[79,81]})"), Sure::yes},
        {"set", match(dport, R"({"set":[22,80]})"), Sure::yes},
        {"set with a range", match(dport, R"({"set":[22,{"range":[1,21]}]})"), Sure::no},
        {"named set", match(dport, R"("@ports")"), Sure::maybe},
        {"less", match(dport, "1024", "<"), Sure::yes},
        {"more", match(dport, "1024", ">"), Sure::no},
        {"client unknown", match(saddr, R"({"prefix":{"addr":"198.51.100.0","len":24}})"), Sure::maybe},
        {"destination", match(daddr, R"({"prefix":{"addr":"192.0.2.0","len":24}})"), Sure::yes},
        {"other destination", match(daddr, R"("192.0.2.9")"), Sure::no},
        {"destination range", match(daddr, R"({"range":["192.0.2.0","192.0.2.7"]})"), Sure::yes},
        {"other family", match(daddr6, R"("2001:db8::1")"), Sure::no},
        {"not of the other family", match(daddr6, R"("2001:db8::1")", "!="), Sure::no},
        {"interface", match(iifname, R"("inside")"), Sure::yes},
        {"interface with a star", match(iifname, R"("in*")"), Sure::yes},
        {"other interface", match(iifname, R"("eth0")"), Sure::no},
        {"one of two interfaces", match(iifname, R"({"set":["eth0","inside"]})"), Sure::yes},
        {"our mark", match(R"({"&":[{"meta":{"key":"mark"}},50331648]})", "16777216"), Sure::yes},
        {"mark of others", match(mark, "1"), Sure::no},
        {"established", match(state, R"(["established","related"])", "in"), Sure::no},
        {"new", match(state, R"({"set":["new","untracked"]})"), Sure::yes},
        {"translated", match(status, R"("dnat")", "in"), Sure::no},
        {"exactly translated", match(status, R"("dnat")"), Sure::maybe},
        {"for the host", match(daddr_type, R"("local")"), Sure::no},
        {"for another", match(daddr_type, R"("local")", "!="), Sure::yes},
        {"for the host or many", match(daddr_type, R"({"set":["local","multicast"]})"), Sure::no},
        {"for an address of the interface", match(daddr_type_there, R"("local")"), Sure::maybe},
        {"tcp", match(R"({"meta":{"key":"l4proto"}})", R"("tcp")"), Sure::yes},
        {"udp", match(R"({"meta":{"key":"l4proto"}})", R"("udp")"), Sure::no},
        {"ipv6", match(R"({"meta":{"key":"nfproto"}})", R"("ipv6")"), Sure::no},
        {"icmp", match(R"({"payload":{"protocol":"icmp","field":"type"}})", R"("echo-request")"), Sure::no},
        {"rate", R"({"limit":{"rate":5,"burst":5,"per":"second"}})", Sure::maybe},
        {"what nobody knows", match(R"({"socket":{"key":"mark"}})", "1"), Sure::maybe},
        {"two that hold", match(dport, "80") + "," + match(iifname, R"("inside")"), Sure::yes},
        {"one that does not", match(dport, "80") + "," + match(iifname, R"("eth0")"), Sure::no},
    };
    for (const auto& row : rows) EXPECT_EQ(dropped_by(row.expressions), row.expected) << row.name;
}

TEST(Fates, KnowsWhatARedirectMadeOfADestination)
{
    auto packet = web_packet();
    packet.to_host = true;
    packet.translated = true;
    EXPECT_EQ(dropped_by(match(daddr_type, R"("local")"), packet), Sure::yes);
    EXPECT_EQ(dropped_by(match(status, R"("dnat")", "in"), packet), Sure::yes);
    EXPECT_EQ(dropped_by(match(status, R"(["snat","dnat"])", "in"), packet), Sure::yes);
    packet.to_host.reset();
    packet.translated.reset();
    EXPECT_EQ(dropped_by(match(daddr_type, R"("local")"), packet), Sure::maybe);
    EXPECT_EQ(dropped_by(match(status, R"("dnat")", "in"), packet), Sure::maybe);
}

std::vector<Fate> fates_in(const Ruleset& ruleset) { return fates_of(ruleset, "input", web_packet(), "gateway"); }

TEST(Fates, GoesThroughJumpsReturnsAndPolicies)
{
    const auto accept_80 = rule("t", "sub", match(dport, "80") + R"(,{"accept":null})", 9);
    const auto chains = base_chain("t", "c", "input", 0, "drop") + "," + plain_chain("t", "sub");
    const auto jump = rule("t", "c", R"({"jump":{"target":"sub"}})");
    const auto go = rule("t", "c", R"({"goto":{"target":"sub"}})");
    const auto back = rule("t", "sub", R"({"return":null})", 8);

    EXPECT_TRUE(fates_in(*parse_ruleset(listing(chains + "," + jump + "," + accept_80))).empty());
    EXPECT_EQ(fates_in(*parse_ruleset(listing(chains + "," + jump))).at(0).sure, Sure::yes);
    EXPECT_EQ(fates_in(*parse_ruleset(listing(chains + "," + jump + "," + back + "," + accept_80))).at(0).sure,
              Sure::yes)
        << "return comes before accept";
    const auto after = rule("t", "c", R"({"accept":null})", 12);
    EXPECT_TRUE(fates_in(*parse_ruleset(listing(chains + "," + jump + "," + back + "," + after))).empty());
    EXPECT_EQ(fates_in(*parse_ruleset(listing(chains + "," + go + "," + after))).at(0).sure, Sure::yes)
        << "goto does not come back";
}

TEST(Fates, SaysMaybeWhereTheClientDecides)
{
    const auto some = rule("t", "c", match(saddr, R"("198.51.100.7")") + R"(,{"accept":null})");
    const auto fates = fates_in(*parse_ruleset(listing(base_chain("t", "c", "input", 0, "drop") + "," + some)));
    ASSERT_EQ(fates.size(), 1U);
    EXPECT_EQ(fates[0].sure, Sure::maybe);
    EXPECT_EQ(fates[0].rule, nullptr) << "the policy";
}

TEST(Fates, FollowsVerdictMaps)
{
    const auto map = R"({"vmap":{"key":)" + dport + R"(,"data":{"set":[[22,{"accept":null}],[80,{"drop":null}]]}}})";
    const auto fates = fates_in(*parse_ruleset(listing(base_chain("t", "c", "input") + "," + rule("t", "c", map))));
    ASSERT_EQ(fates.size(), 1U);
    EXPECT_EQ(fates[0].sure, Sure::yes);
    const auto other = R"({"vmap":{"key":)" + dport + R"(,"data":{"set":[[22,{"drop":null}]]}}})";
    EXPECT_TRUE(fates_in(*parse_ruleset(listing(base_chain("t", "c", "input") + "," + rule("t", "c", other)))).empty());
}

TEST(Fates, TellsWhichBitsOfAMarkARuleMayChange)
{
    struct MarkRow {
        const char* value;
        std::uint32_t touches;
    };
    const MarkRow rows[] = {
        {"256", 0xffffffff},
        {R"({"|":[{"meta":{"key":"mark"}},256]})", 0x100},
        {R"({"&":[{"meta":{"key":"mark"}},255]})", 0xffffff00},
        {R"({"|":[{"&":[{"meta":{"key":"mark"}},4294967040]},1]})", 0xff},
        {R"({"^":[{"meta":{"key":"mark"}},16777216]})", 0x1000000},
        {R"({"ct":{"key":"mark"}})", 0xffffffff},
        {R"({"&":[{"ct":{"key":"mark"}},255]})", 0xffffffff},
    };
    for (const auto& row : rows) {
        const auto set = std::string(R"({"mangle":{"key":{"meta":{"key":"mark"}},"value":)") + row.value + "}}";
        const auto ruleset = parse_ruleset(listing(base_chain("t", "c", "input") + "," + rule("t", "c", set)));
        const auto fates = fates_in(*ruleset);
        ASSERT_EQ(fates.size(), 1U) << row.value;
        EXPECT_EQ(fates[0].touches, row.touches) << row.value;
    }
}

TEST(Fates, ReadsWhatIptablesMadeFromItsWords)
{
    const auto chains = base_chain("filter", "INPUT", "input", 0, "drop", "filter", "ip");
    const auto established =
        rule("filter", "INPUT", R"({"xt":{"type":"match","name":"conntrack"}},{"accept":null})", 5, "ip");
    const auto ports =
        rule("filter", "INPUT", R"({"xt":{"type":"match","name":"multiport"}},{"accept":null})", 6, "ip");
    const std::string head = "table ip filter {\n\tchain INPUT { # handle 1\n\t\tpolicy drop;\n";

    auto ruleset = *parse_ruleset(listing(chains + "," + established));
    add_texts(ruleset, head + "\t\tct state related,established counter accept # handle 5\n\t}\n}\n");
    EXPECT_EQ(ruleset.chains[0].rules[0].text, "ct state related,established counter accept");
    EXPECT_EQ(fates_in(ruleset).at(0).sure, Sure::yes);

    auto with_ports = *parse_ruleset(listing(chains + "," + ports));
    add_texts(with_ports, head + "\t\ttcp dport { 79-81, 443 } accept # handle 6\n");
    EXPECT_TRUE(fates_in(with_ports).empty());
    auto other_ports = *parse_ruleset(listing(chains + "," + ports));
    add_texts(other_ports, head + "\t\ttcp dport 22 accept # handle 6\n");
    EXPECT_EQ(fates_in(other_ports).at(0).sure, Sure::yes);
}

TEST(Fates, ReadsTypesOfAddressesFromTheWordsOfIptables)
{
    struct TypeRow {
        const char* words;
        Sure expected;
    };
    const TypeRow rows[] = {
        {"fib daddr type local", Sure::no},
        {"fib daddr type != local", Sure::yes},
        {"fib daddr type { local, broadcast }", Sure::no},
        {"fib daddr type unicast", Sure::yes},
        {"fib daddr . iif type local", Sure::maybe},
        {"fib saddr type unicast", Sure::maybe},
        {"fib saddr type unicast fib daddr type unicast", Sure::maybe},
        {"", Sure::maybe},
    };
    for (const auto& row : rows) {
        auto ruleset = *parse_ruleset(
            listing(base_chain("filter", "INPUT", "input", 0, "accept", "filter", "ip") + "," +
                    rule("filter", "INPUT", R"({"xt":{"type":"match","name":"addrtype"}},{"drop":null})", 5, "ip")));
        add_texts(ruleset, std::string("table ip filter {\n\tchain INPUT { # handle 1\n\t\t") + row.words +
                               " counter drop # handle 5\n\t}\n}\n");
        const auto fates = fates_in(ruleset);
        EXPECT_EQ(fates.empty() ? Sure::no : fates[0].sure, row.expected) << row.words;
    }
}

TEST(Fates, PassesOverOurOwnTables)
{
    for (const char* table : {"gateway", "gateway_guard"}) {
        const auto ruleset = parse_ruleset(listing(base_chain(table, "c", "input", 0, "drop")));
        EXPECT_TRUE(fates_in(*ruleset).empty()) << table;
    }
    EXPECT_EQ(fates_in(*parse_ruleset(listing(base_chain("gateways", "c", "input", 0, "drop")))).size(), 1U);
}

TEST(Fates, EndsInChainsThatJumpInACircle)
{
    const auto circle = base_chain("t", "c", "input", 0, "drop") + "," + plain_chain("t", "a") + "," +
                        rule("t", "c", R"({"jump":{"target":"a"}})") + "," +
                        rule("t", "a", R"({"jump":{"target":"a"}})");
    EXPECT_EQ(fates_in(*parse_ruleset(listing(circle))).at(0).kind, Fate::Kind::dropped);
}

TEST(Rulesets, AreReadWhateverElseIsListed)
{
    EXPECT_FALSE(parse_ruleset("").has_value());
    EXPECT_FALSE(parse_ruleset("[]").has_value());
    EXPECT_FALSE(parse_ruleset("{\"nftables\":{}}").has_value());
    const auto odd = listing(R"({"metainfo":{}},{"rule":{"family":"ip"}},{"chain":7},{"set":{"elem":[1]}},3,)" +
                             base_chain("t", "c", "input"));
    EXPECT_EQ(parse_ruleset(odd)->chains.size(), 1U);
    const auto whole = listing(base_chain("t", "c", "input") + "," + rule("t", "c", R"({"drop":null})"));
    for (std::size_t cut = 0; cut < whole.size(); ++cut)
        EXPECT_FALSE(parse_ruleset(whole.substr(0, cut)).has_value()) << cut;
}

TEST(Rulesets, WithNonsenseInsideGiveNoAnswerAndNoHarm)
{
    for (const char* nonsense :
         {R"({"match":{}})", R"({"match":7})", R"({"vmap":{"key":{},"data":{}}})", R"({"jump":{}})",
          R"({"mangle":{"key":{"meta":{"key":"mark"}},"value":{"|":[1]}}})", "{}", "7", "null", R"({"xt":null})",
          R"({"match":{"op":"==","left":{"&":[1]},"right":{"prefix":{}}}})"}) {
        const auto ruleset = parse_ruleset(listing(base_chain("t", "c", "input") + "," + rule("t", "c", nonsense)));
        ASSERT_TRUE(ruleset.has_value()) << nonsense;
        fates_in(*ruleset);
    }
}

} // namespace
