// A host that is well, with one thing wrong at a time.

#include "tests/netfilter/doctor/facts_of.h"

#include <cerrno>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <set>

using namespace gw;
using namespace gw::doctor;
using namespace gw::doctor::testing;

namespace {

using Kind = netfilter::RouteReply::Kind;
using Purpose = Journey::Purpose;

TEST(Diagnosis, FindsNothingOnAHostThatIsWell)
{
    const auto findings = diagnose(healthy_facts(), subject_for());
    for (const auto& one : findings) EXPECT_EQ(one.severity, Severity::ok) << one.id << ": " << one.found;
    EXPECT_GT(findings.size(), 30U);
    EXPECT_EQ(worst_of(findings), Severity::ok);
}

struct Row {
    std::string id;
    Severity severity;
    std::function<void(Facts&, Subject&)> breaks;
    std::string evidence;
    std::string mend;
};

void set(Facts& facts, const std::string& path, const std::string& value) { facts.sysctls[path] = value; }

netfilter::HostRule rule_with(std::uint32_t mark, std::uint32_t mask, std::uint32_t priority)
{
    netfilter::HostRule made;
    made.mark = mark;
    made.mask = mask;
    made.priority = priority;
    made.table = 52;
    return made;
}

void has_rules(Facts& facts, const std::string& entries) { facts.ruleset = *parse_ruleset(listing(entries)); }

std::vector<Row> rows_of_the_host()
{
    return {
        {"privilege", Severity::note, [](Facts& f, Subject&) { f.privileged = false; }, "root", "sudo"},
        {"kernel-tproxy-ipv4", Severity::error,
         [](Facts& f, Subject&) {
             f.features = {{"kernel-tproxy-ipv4", false, "No such file or directory"}};
         },
         "No such file", "modprobe nft_tproxy"},
        {"kernel-tproxy-ipv6", Severity::note,
         [](Facts& f, Subject&) {
             f.features = {{"kernel-tproxy-ipv6", false, "no"}};
         },
         "no", "modprobe nft_tproxy"},
        {"kernel-nat-redirect", Severity::note,
         [](Facts& f, Subject&) {
             f.features = {{"kernel-nat-redirect", false, "no"}};
         },
         "no", "modprobe"},
        {"kernel-nat-redirect", Severity::error,
         [](Facts& f, Subject& s) {
             f.features = {{"kernel-nat-redirect", false, "no"}};
             s.listeners[0].intercept.mode = netfilter::Mode::redirect;
         },
         "no", "modprobe"},
        {"sysctls", Severity::note, [](Facts& f, Subject&) { f.sysctls.clear(); }, "/proc/sys", "mount"},
        {"forwarding-ipv4", Severity::error, [](Facts& f, Subject&) { set(f, "net/ipv4/ip_forward", "0"); },
         "/proc/sys/net/ipv4/ip_forward is 0", "sysctl -w net.ipv4.ip_forward=1"},
        {"forwarding-ipv6", Severity::error,
         [](Facts& f, Subject& s) {
             set(f, "net/ipv6/conf/all/forwarding", "0");
             s.listeners[0].intercept.to = {Network::parse("2001:db8::/32").value()};
         },
         "is 0", "sysctl -w net.ipv6.conf.all.forwarding=1"},
        {"forwarding-interface", Severity::note,
         [](Facts& f, Subject&) { set(f, "net/ipv4/conf/inside/forwarding", "0"); }, "inside",
         "sysctl -w net.ipv4.conf.inside.forwarding=1"},
        {"forwarding-interface", Severity::error,
         [](Facts& f, Subject& s) {
             f.interfaces[0].name = "vlan.5";
             set(f, "net/ipv4/conf/vlan.5/forwarding", "0");
             s.listeners[0].intercept.interfaces = {"vlan.5"};
         },
         "vlan.5", "sysctl -w net/ipv4/conf/vlan.5/forwarding=1"},
        {"rp-filter", Severity::note, [](Facts& f, Subject&) { set(f, "net/ipv4/conf/all/rp_filter", "1"); },
         "all/rp_filter is 1", "sysctl -w net.ipv4.conf.all.rp_filter=2"},
        {"rp-filter", Severity::note, [](Facts& f, Subject&) { set(f, "net/ipv4/conf/inside/rp_filter", "1"); },
         "inside/rp_filter is 1", "sysctl -w net.ipv4.conf.inside.rp_filter=2"},
        {"src-valid-mark", Severity::note, [](Facts& f, Subject&) { set(f, "net/ipv4/conf/all/src_valid_mark", "1"); },
         "src_valid_mark is 1", "sysctl -w net.ipv4.conf.all.src_valid_mark=0"},
        {"accept-local", Severity::note, [](Facts& f, Subject&) { set(f, "net/ipv4/conf/inside/accept_local", "1"); },
         "inside/accept_local", "sysctl -w net.ipv4.conf.inside.accept_local=0"},
        {"route-localnet", Severity::warning,
         [](Facts& f, Subject&) { set(f, "net/ipv4/conf/outside/route_localnet", "1"); }, "outside/route_localnet",
         "sysctl -w net.ipv4.conf.outside.route_localnet=0"},
        {"bridge-netfilter", Severity::warning,
         [](Facts& f, Subject&) {
             set(f, "net/bridge/bridge-nf-call-iptables", "1");
             f.interfaces[0].kind = "bridge";
         },
         "bridge-nf-call-iptables is 1", "sysctl -w net.bridge.bridge-nf-call-iptables=0"},
        {"tcp-timestamps", Severity::warning,
         [](Facts& f, Subject& s) {
             set(f, "net/ipv4/tcp_timestamps", "0");
             s.listeners[0].keeps_port = true;
         },
         "tcp_timestamps is 0", "sysctl -w net.ipv4.tcp_timestamps=1"},
        {"conntrack-full", Severity::warning,
         [](Facts& f, Subject&) { set(f, "net/netfilter/nf_conntrack_count", "850"); }, "850", "nf_conntrack_max=2000"},
        {"conntrack-full", Severity::error,
         [](Facts& f, Subject&) { set(f, "net/netfilter/nf_conntrack_count", "960"); }, "960", "nf_conntrack_max=2000"},
        {"port-range", Severity::warning,
         [](Facts& f, Subject&) { set(f, "net/ipv4/ip_local_port_range", "40000 41000"); }, "40000 41000", "sysctl -w"},
        {"accept-queue", Severity::warning, [](Facts& f, Subject&) { set(f, "net/core/somaxconn", "16"); },
         "somaxconn is 16", "sysctl -w net.core.somaxconn=128"},
        {"descriptors", Severity::warning, [](Facts& f, Subject&) { f.descriptors->hard = 1024; }, "1024",
         "ulimit -Hn 3024"},
        {"service-networkd", Severity::note, [](Facts& f, Subject&) { f.services = {"systemd-networkd"}; },
         "ManageForeignRoutingPolicyRules", "networkd.conf.d"},
        {"service-networkd", Severity::warning,
         [](Facts& f, Subject& s) {
             f.services = {"systemd-networkd"};
             s.settings.route_protocol = 99;
         },
         "networkd.conf", "networkd.conf.d"},
        {"service-docker", Severity::note, [](Facts& f, Subject&) { f.services = {"dockerd"}; }, "dockerd", "iptables"},
        {"iptables-legacy", Severity::note, [](Facts& f, Subject&) { f.legacy_tables = {"nat"}; }, "nat",
         "iptables-legacy-save"},
    };
}

std::vector<Row> rows_of_routing()
{
    return {
        {"mark-in-policy-rule", Severity::error,
         [](Facts& f, Subject&) { f.rules.push_back(rule_with(0x01000000, 0x01000000, 500)); },
         "fwmark 0x1000000/0x1000000", "ip -4 rule del priority 500 fwmark 0x1000000/0x1000000 lookup 52"},
        {"mark-in-policy-rule", Severity::error,
         [](Facts& f, Subject&) { f.rules.push_back(rule_with(0x02000000, 0xff000000, 5000)); }, "0x2000000",
         "ip -4 rule del"},
        {"mark-in-policy-rule", Severity::warning,
         [](Facts& f, Subject&) { f.rules.push_back(rule_with(0x03000000, 0x03000000, 500)); }, "0x3000000",
         "ip -4 rule del"},
        {"mark-in-policy-rule", Severity::note,
         [](Facts& f, Subject&) { f.rules.push_back(rule_with(1, 0xffffffff, 500)); }, "0x1/0xffffffff",
         "ip -4 rule del"},
        {"rule-priority", Severity::warning,
         [](Facts& f, Subject&) {
             auto made = rule_with(0, 0, 500);
             made.mark.reset();
             f.rules.push_back(made);
         },
         "priority 500 lookup 52", "priority 774"},
        {"route-table", Severity::error, [](Facts& f, Subject&) { f.foreign_routes = 2; }, "table 7373",
         "ip route flush table 7373"},
        {"captured-not-delivered", Severity::error,
         [](Facts& f, Subject&) { f.journeys[1] = journey(Purpose::captured, Kind::refused, "", "inside", EINVAL); },
         "iif inside", "rp_filter"},
        {"captured-not-delivered", Severity::error,
         [](Facts& f, Subject&) { f.journeys[1] = journey(Purpose::captured, Kind::forwarded, "outside", "inside"); },
         "iif inside", "route replace local default"},
        {"server-route", Severity::error,
         [](Facts& f, Subject&) { f.journeys[0] = journey(Purpose::to_server, Kind::refused, "", "", ENETUNREACH); },
         "ip route get 192.0.2.1", "ip -4 route add 192.0.2.1 via"},
        {"destination-is-own", Severity::warning,
         [](Facts& f, Subject&) { f.journeys[0] = journey(Purpose::to_server, Kind::delivered, "lo"); }, "local", ""},
        {"server-on-client-segment", Severity::error,
         [](Facts&, Subject& s) { s.listeners[0].intercept.interfaces = {"outside"}; }, "outside has 192.0.2.254/24",
         "client_address: gateway"},
        {"server-on-client-segment", Severity::warning,
         [](Facts&, Subject& s) {
             s.listeners[0].intercept.interfaces = {"outside"};
             s.listeners[0].intercept.to = {Network::parse("0.0.0.0/0").value()};
         },
         "outside has", "client_address: gateway"},
        {"policy-rule-missing", Severity::error, [](Facts& f, Subject&) { f.rules.pop_back(); }, "priority 773",
         "ip -4 rule add fwmark 0x1000000/0x3000000 iif outside lookup 7373 priority 773 protocol 2"},
        {"policy-route-missing", Severity::error, [](Facts&, Subject& s) { s.missing = "IPv4 local route"; },
         "table 7373", "ip -4 route replace local default dev lo table 7373 protocol 2"},
        {"rules-missing", Severity::error, [](Facts&, Subject& s) { s.missing = "rule own"; }, "nft list table",
         "gatewayctl reload"},
        {"interface-left-out", Severity::warning, [](Facts&, Subject& s) { s.plan->left_out = {"wan'\"1"}; },
         "ip link show", R"(ip link set dev 'wan'\''"1' name NEW)"},
        {"listener-socket-missing", Severity::error, [](Facts& f, Subject&) { f.sockets->clear(); }, "40001",
         "systemctl restart gateway"},
        {"left-behind", Severity::note,
         [](Facts&, Subject& s) {
             s.daemon_runs = false;
             s.plan.reset();
         },
         "priority 773", "ip -4 rule del priority 773"},
    };
}

const std::string drop_80 =
    R"({"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":80}},{"drop":null})";
const std::string drop_one =
    R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"203.0.113.7"}},{"drop":null})";
const std::string set_mark = R"({"mangle":{"key":{"meta":{"key":"mark"}},"value":33554432}})";

std::vector<Row> rows_of_chains()
{
    return {
        {"prerouting-drops", Severity::error,
         [](Facts& f, Subject&) { has_rules(f, base_chain("t", "c", "prerouting") + "," + rule("t", "c", drop_80)); },
         "chain inet t c", "nft delete rule inet t c handle 7"},
        {"prerouting-drops", Severity::note,
         [](Facts& f, Subject&) { has_rules(f, base_chain("t", "c", "prerouting") + "," + rule("t", "c", drop_one)); },
         "handle 7", "nft delete rule inet t c handle 7"},
        {"prerouting-redirects", Severity::error,
         [](Facts& f, Subject&) {
             has_rules(f, base_chain("t", "c", "prerouting", -100, "accept", "nat") + "," +
                              rule("t", "c", R"({"redirect":{"port":3128}})"));
         },
         "chain inet t c", "nft delete rule inet t c handle 7"},
        {"mark-overwritten", Severity::error,
         [](Facts& f, Subject&) {
             has_rules(f, base_chain("t", "c", "prerouting", -140) + "," + rule("t", "c", set_mark));
         },
         "0x01000000/0x03000000", "nft delete rule"},
        {"mark-overwritten", Severity::error,
         [](Facts& f, Subject&) {
             has_rules(f, base_chain("t", "c", "prerouting", -200) + "," + rule("t", "c", set_mark));
         },
         "chain inet t c", "nft delete rule"},
        {"input-drops", Severity::error,
         [](Facts& f, Subject&) { has_rules(f, base_chain("t", "c", "input", 0, "drop")); },
         "chain inet t c: policy drop", "nft insert rule inet t c meta mark and 0x3000000 == 0x1000000 accept"},
        {"input-drops", Severity::error,
         [](Facts& f, Subject&) { has_rules(f, base_chain("filter", "INPUT", "input", 0, "drop", "filter", "ip")); },
         "policy drop", "iptables -t filter -I INPUT -m mark --mark 0x1000000/0x3000000 -j ACCEPT"},
        {"input-drops", Severity::error,
         [](Facts& f, Subject& s) {
             s.listeners[0].intercept.mode = netfilter::Mode::redirect;
             has_rules(f, base_chain("t", "c", "input", 0, "drop"));
         },
         "policy drop", "ct status dnat accept"},
        {"input-drops", Severity::error,
         [](Facts& f, Subject& s) {
             s.bound = {{"public", {Address{}, 8080}}};
             has_rules(f, base_chain("t", "c", "input", 0, "drop") + "," +
                              rule("t", "c",
                                   R"({"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},)"
                                   R"("right":80}},{"accept":null})"));
         },
         "policy drop", "nft insert rule inet t c tcp dport 8080 accept"},
        {"forward-drops", Severity::warning,
         [](Facts& f, Subject&) { has_rules(f, base_chain("t", "c", "forward", 0, "drop")); }, "policy drop",
         "nft insert rule inet t c iifname inside oifname outside accept && nft insert rule inet t c iifname outside "
         "oifname inside ct state established,related accept"},
        {"forward-drops", Severity::note,
         [](Facts& f, Subject& s) {
             s.listeners[0].intercept.when_down = netfilter::WhenDown::drop;
             has_rules(f, base_chain("t", "c", "forward", 0, "drop"));
         },
         "policy drop", "nft insert"},
        {"forward-drops", Severity::warning,
         [](Facts& f, Subject&) {
             f.docker_user_chain = true;
             has_rules(f, base_chain("filter", "FORWARD", "forward", 0, "drop", "filter", "ip"));
         },
         "policy drop", "iptables -I DOCKER-USER -i inside -o outside -j ACCEPT"},
        {"output-drops", Severity::error,
         [](Facts& f, Subject&) { has_rules(f, base_chain("t", "c", "output", 0, "drop")); }, "policy drop",
         "meta mark and 0x3000000 == 0x2000000 accept"},
        {"source-rewritten", Severity::warning,
         [](Facts& f, Subject&) {
             has_rules(f, base_chain("t", "c", "postrouting", 100, "accept", "nat") + "," +
                              rule("t", "c", R"({"masquerade":null})"));
         },
         "chain inet t c", "nft insert rule inet t c meta mark and 0x3000000 == 0x2000000 accept"},
        {"source-rewritten", Severity::warning,
         [](Facts& f, Subject& s) {
             s.listeners[0].keeps_port = true;
             has_rules(f, base_chain("t", "c", "postrouting", 100, "accept", "nat") + "," +
                              rule("t", "c", R"({"masquerade":null})"));
         },
         "chain inet t c", "nft insert rule inet t c meta mark and 0x3000000 == 0x3000000 accept"},
    };
}

void check(const std::vector<Row>& rows)
{
    for (const auto& row : rows) {
        auto facts = healthy_facts();
        auto subject = subject_for();
        row.breaks(facts, subject);
        const auto findings = diagnose(facts, subject);
        const auto of = found(findings, row.id);
        ASSERT_FALSE(of.empty()) << row.id << " was not found";
        EXPECT_EQ(of[0].severity, row.severity) << row.id << ": " << of[0].found;
        EXPECT_NE((of[0].evidence + of[0].found).find(row.evidence), std::string::npos)
            << row.id << ": " << of[0].evidence;
        EXPECT_NE(of[0].mend.find(row.mend), std::string::npos) << row.id << ": " << of[0].mend;
        EXPECT_FALSE(of[0].breaks.empty()) << row.id;
        for (const auto& one : findings)
            EXPECT_TRUE(one.id == row.id || one.severity <= Severity::note) << row.id << " also gives " << one.id;
    }
}

TEST(Diagnosis, NamesWhatIsWrongWithTheHost) { check(rows_of_the_host()); }
TEST(Diagnosis, NamesWhatIsWrongWithRouting) { check(rows_of_routing()); }
TEST(Diagnosis, NamesRulesOfOthersThatTakeTheTraffic) { check(rows_of_chains()); }

TEST(Diagnosis, IsQuietAboutWhatDoesNotConcernIt)
{
    struct Quiet {
        std::string id;
        std::function<void(Facts&, Subject&)> change;
    };
    const Quiet rows[] = {
        {"tcp-timestamps", [](Facts& f, Subject&) { set(f, "net/ipv4/tcp_timestamps", "0"); }},
        {"bridge-netfilter", [](Facts& f, Subject&) { set(f, "net/bridge/bridge-nf-call-iptables", "1"); }},
        {"mark-in-policy-rule", [](Facts& f, Subject&) { f.rules.push_back(rule_with(0x80000, 0xff0000, 5210)); }},
        {"source-rewritten",
         [](Facts& f, Subject& s) {
             s.listeners[0].keeps_address = false;
             has_rules(f, base_chain("t", "c", "postrouting", 100, "accept", "nat") + "," +
                              rule("t", "c", R"({"masquerade":null})"));
         }},
        {"server-on-client-segment",
         [](Facts&, Subject& s) {
             s.listeners[0].intercept.interfaces = {"outside"};
             s.listeners[0].keeps_address = false;
         }},
        {"server-on-client-segment", [](Facts&, Subject&) {}}, // two interfaces, none named: clients may be on either
        {"mark-overwritten",
         [](Facts& f, Subject&) {
             has_rules(f, base_chain("t", "c", "prerouting", -140) + "," +
                              rule("t", "c",
                                   R"({"mangle":{"key":{"meta":{"key":"mark"}},"value":{"|":[{"meta":{"key":"mark"}},)"
                                   R"(4096]}}})"));
         }},
        {"rule-priority",
         [](Facts& f, Subject&) {
             auto made = rule_with(0, 0, 500);
             made.mark.reset();
             made.narrowed = true;
             f.rules.push_back(made);
         }},
        {"service-networkd",
         [](Facts& f, Subject&) {
             f.services = {"systemd-networkd"};
             f.networkd_keeps_foreign_rules = true;
         }},
        {"forwarding-ipv4",
         [](Facts& f, Subject& s) {
             set(f, "net/ipv4/ip_forward", "0");
             s.listeners.clear();
             s.plan.reset();
         }},
        {"policy-rule-missing",
         [](Facts& f, Subject&) {
             f.rules.pop_back();
             f.interfaces.pop_back();
         }},
    };
    for (const auto& row : rows) {
        auto facts = healthy_facts();
        auto subject = subject_for();
        row.change(facts, subject);
        EXPECT_TRUE(found(diagnose(facts, subject), row.id).empty()) << row.id;
    }
}

TEST(Diagnosis, SaysNothingAboutWhatCouldNotBeRead)
{
    auto facts = healthy_facts();
    facts.privileged = false;
    facts.ruleset.reset();
    facts.features.reset();
    facts.sockets.reset();
    facts.sysctls.clear();
    for (const auto& one : diagnose(facts, subject_for()))
        for (const char* id : {"input-drops", "kernel-nftables", "listener-socket-missing", "forwarding-ipv4"})
            EXPECT_NE(one.id, id);
}

TEST(Diagnosis, PutsTheWorstFirst)
{
    auto facts = healthy_facts();
    set(facts, "net/core/somaxconn", "1");
    set(facts, "net/ipv4/ip_forward", "0");
    set(facts, "net/ipv4/conf/all/rp_filter", "1");
    const auto findings = diagnose(facts, subject_for());
    EXPECT_EQ(findings[0].id, "forwarding-ipv4");
    EXPECT_EQ(findings[1].id, "accept-queue");
    EXPECT_EQ(findings[2].id, "rp-filter");
    EXPECT_EQ(worst_of(findings), Severity::error);
}

TEST(Diagnosis, FindsTheSameThingOnce)
{
    auto facts = healthy_facts();
    auto subject = subject_for();
    subject.listeners[0].intercept.ports = {{80, 80}, {81, 81}, {82, 82}};
    has_rules(facts, base_chain("t", "c", "input", 0, "drop"));
    EXPECT_EQ(found(diagnose(facts, subject), "input-drops").size(), 1U);
}

TEST(Facts, ChooseAnAddressThatStandsForANetwork)
{
    const auto own = healthy_facts().interfaces; // 198.51.100.1 and 192.0.2.254
    const auto chosen = [&](const char* network) {
        return address_standing_for(Network::parse(network).value(), own).text();
    };
    EXPECT_EQ(chosen("192.0.2.0/24"), "192.0.2.1");
    EXPECT_EQ(chosen("198.51.100.0/24"), "198.51.100.2") << "not our own";
    EXPECT_EQ(chosen("198.51.100.0/30"), "198.51.100.2");
    EXPECT_EQ(chosen("192.0.2.4/30"), "192.0.2.5");
    EXPECT_EQ(chosen("192.0.2.8/31"), "192.0.2.8");
    EXPECT_EQ(chosen("198.51.100.1"), "198.51.100.1") << "there is no other";
    EXPECT_EQ(chosen("0.0.0.0/0"), "1.0.0.1");
    EXPECT_EQ(chosen("::/0"), "2000::1");
    EXPECT_EQ(chosen("2001:db8::/32"), "2001:db8::1");
}

TEST(Checks, AreDescribedOneByOneInTheManual)
{
    std::ifstream manual(std::string(GW_SOURCE_DIR) + "/docs/doctor.md");
    ASSERT_TRUE(manual.is_open());
    std::vector<std::string> described, known;
    for (std::string line; std::getline(manual, line);)
        if (line.starts_with("### ")) described.push_back(line.substr(4));
    for (const auto& one : checks()) known.emplace_back(one.id);
    EXPECT_EQ(described, known);
    EXPECT_EQ(std::set<std::string>(known.begin(), known.end()).size(), known.size());
}

} // namespace
