// What gatewayctl doctor finds: each test breaks one thing, sees it named with the command that mends it, runs that
// command, and sees the finding gone.

#include "tests/end_to_end/scene.h"

#include <chrono>
#include <csignal>

namespace gw::lab {
namespace {

constexpr auto within_limits = "limits: {connections: 5000}\n";

class Doctor : public Appliance {
protected:
    Json examines(Command more = {}) const
    {
        Command words{"doctor", "--json", "--config", gateway.configuration_file()};
        words.insert(words.end(), more.begin(), more.end());
        const auto output = gateway.ctl(words);
        auto json = Json::parse(output.out, nullptr, false);
        EXPECT_TRUE(json.is_object()) << output.out << output.err;
        return json.is_object() ? json : Json::object();
    }

    /// The findings of that name that are worse than `ok`.
    static std::vector<Json> of(const Json& examination, const std::string& id)
    {
        std::vector<Json> found;
        for (const auto& one : examination.value("findings", Json::array()))
            if (one.value("id", "") == id && one.value("severity", "") != "ok") found.push_back(one);
        return found;
    }
    static std::string worse_than_notes(const Json& examination)
    {
        std::string text;
        for (const auto& one : examination.value("findings", Json::array()))
            if (one.value("severity", "") == "error" || one.value("severity", "") == "warning")
                text += one.dump() + '\n';
        return text;
    }

    void runs(const std::string& command) const { run_well({"sh", "-c", command}, network.gateway().place()); }

    /// Finds just this, mends it with the command that the finding names, and finds it gone.
    void finds_and_mends(const std::string& id, const std::string& severity, const std::string& evidence)
    {
        const auto before = examines();
        const auto found = of(before, id);
        ASSERT_FALSE(found.empty()) << id << " was not found: " << before;
        EXPECT_EQ(found[0].value("severity", ""), severity) << found[0];
        EXPECT_THAT(found[0].value("evidence", "") + found[0].value("found", ""), HasSubstr(evidence));
        EXPECT_FALSE(found[0].value("breaks", "").empty());
        EXPECT_EQ(gateway.ctl({"doctor", "--config", gateway.configuration_file()}).exit_code,
                  before.value("worst", "") == "error"     ? 1
                  : before.value("worst", "") == "warning" ? 6
                                                           : 0);
        for (const auto& one : of(before, id)) {
            ASSERT_FALSE(one.value("mend", "").empty()) << one;
            runs(one.value("mend", ""));
        }
        EXPECT_TRUE(of(examines(), id).empty()) << "still there after: " << found[0].value("mend", "") << '\n'
                                                << of(examines(), id)[0];
    }
};

TEST_F(Doctor, FindsNothingWrongWithAGatewayThatIsWell)
{
    gateway.runs_with(intercepting(within_limits));

    const auto examination = examines();

    EXPECT_EQ(worse_than_notes(examination), "");
    EXPECT_TRUE(examination.value("daemon", false));
    EXPECT_TRUE(examination.value("ok", false));
    for (const auto* id : {"kernel-tproxy-ipv4", "kernel-tproxy-ipv6", "kernel-nat-redirect", "kernel-set-timeout",
                           "kernel-transparent-sockets", "forwarding-ipv4", "forwarding-ipv6", "input-drops",
                           "captured-not-delivered", "server-route", "rules-missing", "policy-rule-missing",
                           "listener-socket-missing", "mark-in-policy-rule", "descriptors"}) {
        const auto& list = examination["findings"];
        const bool there = std::any_of(list.begin(), list.end(), [&](const Json& one) {
            return one.value("id", "") == id && one.value("severity", "") == "ok";
        });
        EXPECT_TRUE(there) << id << " was not looked at";
    }
    EXPECT_EQ(gateway.ctl({"doctor"}).exit_code, 0);
    RecordProperty("took_ms", examination.value("took_ms", 0));
    std::printf("doctor took %d ms\n", examination.value("took_ms", 0));
}

TEST_F(Doctor, WorksWithoutADaemon)
{
    gateway.is_given(intercepting(within_limits));
    auto examination = examines();
    EXPECT_EQ(worse_than_notes(examination), "");
    EXPECT_FALSE(examination.value("daemon", true));
    EXPECT_EQ(of(examination, "daemon").size(), 1U);

    network.gateway().sets("net/ipv4/ip_forward", "0");
    finds_and_mends("forwarding-ipv4", "error", "/proc/sys/net/ipv4/ip_forward is 0");
}

TEST_F(Doctor, SaysWhatIsWrongWithTheFile)
{
    gateway.is_given("listeners: [{intercept: {to: [10.0.2.0/24], prots: [80]}}]\n");
    const auto found = of(examines(), "configuration");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_THAT(found[0].value("found", ""), HasSubstr("gateway.yaml:1:"));
    EXPECT_EQ(gateway.ctl({"doctor", "--config", gateway.configuration_file()}).exit_code, 1);
}

TEST_F(Doctor, FindsForwardingOff)
{
    gateway.runs_with(intercepting(within_limits));
    network.gateway().sets("net/ipv4/ip_forward", "0");
    finds_and_mends("forwarding-ipv4", "error", "/proc/sys/net/ipv4/ip_forward is 0");
    network.gateway().sets("net/ipv6/conf/all/forwarding", "0");
    finds_and_mends("forwarding-ipv6", "error", "/proc/sys/net/ipv6/conf/all/forwarding is 0");
    network.gateway().sets("net/ipv4/conf/inside/forwarding", "0");
    finds_and_mends("forwarding-interface", "note", "inside");
}

TEST_F(Doctor, FindsLoopbackOpenToTheNetwork)
{
    gateway.runs_with(intercepting(within_limits));
    network.gateway().sets("net/ipv4/conf/inside/route_localnet", "1");
    finds_and_mends("route-localnet", "warning", "/proc/sys/net/ipv4/conf/inside/route_localnet is 1");
}

// The mark then takes part in judging sources. Our policy rules name their interface, so it does no harm: the
// experiment that the note of the doctor rests on.
TEST_F(Doctor, ShowsThatMarksMayDecideOnSourcesWithoutHarm)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting(within_limits));
    for (const auto* filter : {"0", "1", "2"}) {
        network.gateway().sets("net/ipv4/conf/all/src_valid_mark", "1");
        network.gateway().sets("net/ipv4/conf/all/rp_filter", filter);
        for (const auto* name : {"inside", "outside"})
            network.gateway().sets("net/ipv4/conf/" + std::string(name) + "/rp_filter", filter);

        EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200) << "rp_filter " << filter;

        EXPECT_EQ(site.last_client(), "10.0.1.2");
        EXPECT_EQ(worse_than_notes(examines()), "");
    }
    finds_and_mends("src-valid-mark", "note", "src_valid_mark is 1");
    for (const auto* name : {"inside", "outside"})
        network.gateway().sets("net/ipv4/conf/" + std::string(name) + "/rp_filter", "0");
    network.gateway().sets("net/ipv4/conf/all/rp_filter", "1");
    finds_and_mends("rp-filter", "note", "/proc/sys/net/ipv4/conf/all/rp_filter is 1");
}

TEST_F(Doctor, FindsTooLittleRoom)
{
    gateway.runs_with(intercepting("limits: {connections: 10000000}\n"));
    EXPECT_EQ(of(examines(), "descriptors").size(), 1U);
    network.gateway().sets("net/ipv4/ip_local_port_range", "40000 41000");
    finds_and_mends("port-range", "warning", "40000 41000");
    network.gateway().sets("net/core/somaxconn", "16");
    finds_and_mends("accept-queue", "warning", "/proc/sys/net/core/somaxconn is 16");
}

TEST_F(Doctor, FindsMarksOfOthersThatOverlapOurs)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting(within_limits));
    runs("ip rule add fwmark 0x1000000/0x1000000 lookup 52 priority 500");
    finds_and_mends("mark-in-policy-rule", "error", "0x01000000/0x01000000");
    runs("ip rule add fwmark 0x1 lookup 52 priority 500");
    finds_and_mends("mark-in-policy-rule", "note", "0x00000001/0xffffffff");
    runs("ip rule add fwmark 0x80000/0xff0000 lookup 52 priority 5210");
    EXPECT_EQ(of(examines(), "mark-in-policy-rule").size(), 0U) << "Tailscale's bits are not ours";
}

TEST_F(Doctor, FindsRulesOfOthersThatChangeOurMark)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting(within_limits));
    runs("nft 'add table inet foreign; add chain inet foreign c { type filter hook prerouting priority -140; }; "
         "add rule inet foreign c iifname \"inside\" meta mark set 0x17'");
    EXPECT_NE(network.client("10.0.1.2").asks("http://site.example/", {"--max-time", "1"}).status, 200);
    finds_and_mends("mark-overwritten", "error",
                    "chain inet foreign c: \"iifname \"inside\" meta mark set 0x00000017\"");
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/mended").status, 200);
    gateway.request_record("/mended");
}

TEST_F(Doctor, FindsRulesThatDropWhatIsToBeCaptured)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting(within_limits));
    runs("nft 'add table ip foreign; add chain ip foreign c { type filter hook prerouting priority -300; }; "
         "add rule ip foreign c tcp dport { 79-81, 443 } drop'");
    EXPECT_NE(network.client("10.0.1.2").asks("http://site.example/", {"--max-time", "1"}).status, 200);
    finds_and_mends("prerouting-drops", "error", "chain ip foreign c: \"tcp dport { 79-81, 443 } drop\"");
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/mended").status, 200);
}

TEST_F(Doctor, FindsRulesThatRedirectWhatIsToBeCaptured)
{
    gateway.runs_with(intercepting(within_limits));
    runs("iptables -t nat -A PREROUTING -p tcp -m multiport --dports 80,443 -j REDIRECT --to-ports 3128");
    finds_and_mends("prerouting-redirects", "error", "chain ip nat PREROUTING");
}

TEST_F(Doctor, FindsAnInputPolicyThatDropsWhatIsCaptured)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting(within_limits));
    runs("nft 'add table inet filter; add chain inet filter input { type filter hook input priority 0; policy drop; }; "
         "add rule inet filter input ct state established,related accept; "
         "add rule inet filter input meta l4proto ipv6-icmp accept; "
         "add rule inet filter input iif lo accept; add rule inet filter input tcp dport 22 accept'");
    EXPECT_NE(network.client("10.0.1.2").asks("http://site.example/", {"--max-time", "1"}).status, 200);

    finds_and_mends("input-drops", "error", "chain inet filter input: policy drop");

    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/mended").status, 200);
    EXPECT_EQ(network.client("fd00:1::2").asks("http://site.example/mended6").status, 200);
    gateway.request_record("/mended6");
}

TEST_F(Doctor, FindsAnInputPolicyMadeWithIptables)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting(within_limits));
    runs("iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -A INPUT -p tcp --dport 22 "
         "-j "
         "ACCEPT; iptables -P INPUT DROP");
    EXPECT_NE(network.client("10.0.1.2").asks("http://site.example/", {"--max-time", "1"}).status, 200);
    finds_and_mends("input-drops", "error", "chain ip filter INPUT: policy drop");
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/mended").status, 200);
}

TEST_F(Doctor, FindsAForwardPolicyThatDropsWhatIsPassedOn)
{
    gateway.runs_with(intercepting(within_limits));
    runs("iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER; iptables -P FORWARD DROP");
    finds_and_mends("forward-drops", "warning", "chain ip filter FORWARD: policy drop");
}

TEST_F(Doctor, FindsRulesThatHideTheClientFromTheServer)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting(within_limits));
    runs("nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; "
         "add rule ip nat post oifname \"outside\" masquerade'");
    EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
    EXPECT_EQ(site.last_client(), "10.0.2.1") << "the rule does what the finding says";

    finds_and_mends("source-rewritten", "warning", "chain ip nat post");

    EXPECT_EQ(network.client("10.0.1.3").asks("http://site.example/").status, 200);
    EXPECT_EQ(site.log(2)[1].value("client", ""), "10.0.1.3");
}

TEST_F(Doctor, FindsRulesThatStopWhatTheGatewaySends)
{
    gateway.runs_with(intercepting(within_limits));
    runs("nft 'add table inet filter; add chain inet filter output { type filter hook output priority 0; policy drop; "
         "}'");
    finds_and_mends("output-drops", "error", "chain inet filter output: policy drop");
}

TEST_F(Doctor, TakesRulesForSomeClientsAsWhatAFirewallIsFor)
{
    gateway.runs_with(intercepting(within_limits));
    runs("nft 'add table inet filter; add chain inet filter pre { type filter hook prerouting priority -300; }; "
         "add rule inet filter pre ip saddr 203.0.113.0/24 drop; "
         "add chain inet filter input { type filter hook input priority 0; policy drop; }; "
         "add rule inet filter input iifname { inside, outside } accept; add rule inet filter input tcp dport 1-79 "
         "drop'");
    const auto examination = examines();
    EXPECT_EQ(worse_than_notes(examination), "");
    ASSERT_EQ(of(examination, "prerouting-drops").size(), 1U);
    EXPECT_TRUE(of(examination, "input-drops").empty());
}

TEST_F(Doctor, FindsAForeignPolicyRuleBeforeOurs)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(intercepting(within_limits));
    runs("ip route add default via 10.0.2.10 table 52; ip rule add lookup 52 priority 500");
    const auto found = of(examines(), "captured-not-delivered");
    ASSERT_FALSE(found.empty());
    EXPECT_THAT(found[0].value("found", ""), HasSubstr("table 52"));
    finds_and_mends("rule-priority", "warning", "priority 500 lookup 52");
    EXPECT_TRUE(of(examines(), "captured-not-delivered").empty());
}

TEST_F(Doctor, TheDaemonSeesAChangeOfRoutingWithoutBeingAskedOrWaitingForItsNextTurn)
{
    gateway.runs_with(intercepting(within_limits));
    // Its turns are ten seconds apart, the first one is that of the start.
    const Milliseconds before_its_next_turn{7'000};
    const auto began = std::chrono::steady_clock::now();
    const auto says = [&](const std::string& what) {
        return eventually([&] { return gateway.log().find(what) != std::string::npos; }, before_its_next_turn);
    };
    runs("ip route add default via 10.0.2.10 table 52; ip rule add lookup 52 priority 500");
    EXPECT_TRUE(says("doctor: rule-priority")) << gateway.log();
    EXPECT_THAT(gateway.ctl({"status"}).out, HasSubstr("rule-priority"));
    runs("ip rule del lookup 52 priority 500");
    EXPECT_TRUE(says("doctor: no longer: rule-priority")) << gateway.log();
    std::printf("both after %.1f s\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
}

TEST_F(Doctor, TheDaemonLooksAgainAtOnceWhenAnotherConfigurationIsInForce)
{
    // Without rules: changes of those the kernel tells.
    const std::string bound =
        "listeners: [{name: web, bind: [\"10.0.1.1:8080\"], protocol: http, default: pool:site}]\n"
        "pools: {site: {servers: [\"10.0.2.11:80\"]}}\n";
    gateway.runs_with(bound + within_limits);
    const auto began = std::chrono::steady_clock::now();
    gateway.reloads(bound + "limits: {connections: 10000000}\n");
    const Milliseconds before_its_next_turn{7'000};
    EXPECT_TRUE(eventually([&] { return gateway.log().find("doctor: descriptors") != std::string::npos; },
                           before_its_next_turn))
        << gateway.log();
    std::printf("after %.1f s\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
}

TEST_F(Doctor, FindsRoutesOfOthersInOurTable)
{
    gateway.runs_with(intercepting(within_limits));
    runs("ip route add 10.0.2.0/24 via 10.0.2.10 dev outside table 7373");
    const auto found = of(examines(), "route-table");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_THAT(found[0].value("mend", ""), HasSubstr("ip route flush table 7373"));
    runs("ip route del 10.0.2.0/24 via 10.0.2.10 dev outside table 7373");
    EXPECT_TRUE(of(examines(), "route-table").empty());
}

TEST_F(Doctor, FindsAMissingRoute)
{
    gateway.runs_with(R"(
listeners: [{name: far, intercept: {to: [192.0.2.0/24], ports: [80]}}]
limits: {connections: 5000}
)");
    const auto found = of(examines(), "server-route");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].value("severity", ""), "error");
    EXPECT_THAT(found[0].value("found", ""), HasSubstr("192.0.2.1"));
    runs("ip route add 192.0.2.0/24 via 10.0.2.10");
    EXPECT_TRUE(of(examines(), "server-route").empty());
}

TEST_F(Doctor, FindsADestinationThatIsThisHost)
{
    gateway.runs_with(R"(
listeners: [{name: self, intercept: {to: [10.0.2.1], ports: [80]}}]
limits: {connections: 5000}
)");
    const auto found = of(examines(), "destination-is-own");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_THAT(found[0].value("breaks", ""), HasSubstr("bind:"));
}

TEST_F(Doctor, FindsServersOnTheNetworkOfTheClients)
{
    const std::string listener = "listeners:\n  - name: lan\n"
                                 "    intercept: {interfaces: [inside], to: [10.0.1.0/24], ports: [80]}\n";
    gateway.runs_with(listener + within_limits);
    const auto found = of(examines(), "server-on-client-segment");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].value("severity", ""), "error");
    EXPECT_THAT(found[0].value("evidence", ""), HasSubstr("inside has 10.0.1.1/24"));
    EXPECT_THAT(found[0].value("mend", ""), HasSubstr("client_address: gateway"));

    gateway.reloads(listener + "    client_address: gateway\n" + within_limits);

    EXPECT_TRUE(of(examines(), "server-on-client-segment").empty());
}

TEST_F(Doctor, FindsUpstreamsThatTakeNoConnection)
{
    const auto yaml = intercepting(std::string("routes:\n"
                                               "  - {host: shop.example, to: \"http://10.0.2.11:8090/\"}\n"
                                               "  - {host: named.example, to: \"http://nowhere.invalid:8090/\"}\n"
                                               "  - {host: \":x.example\", to: \"http://:x.internal:80/\"}\n") +
                                   within_limits);
    gateway.runs_with(yaml);
    const auto found = of(examines(), "upstream-unreachable");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_THAT(found[0].value("found", ""), HasSubstr("10.0.2.11:8090"));
    EXPECT_THAT(found[0].value("found", ""), HasSubstr("Connection refused"));
    EXPECT_EQ(of(examines(), "upstream-name").size(), 1U);

    Origin origin(network.servers(), "10.0.2.11:8090", echoes());
    EXPECT_TRUE(of(examines(), "upstream-unreachable").empty());
}

TEST_F(Doctor, ChecksTheCertificatesOfUpstreams)
{
    WebServer site(network, "site.example", 10);
    gateway.runs_with(
        intercepting("routes: [{host: a.example, to: \"https://10.0.2.10/\"}]\n" + std::string(within_limits)));
    const auto found = of(examines(), "upstream-certificate");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].value("severity", ""), "error");
    EXPECT_THAT(found[0].value("mend", ""), HasSubstr("openssl s_client -connect 10.0.2.10:443"));
}

TEST_F(Doctor, ShowsUpInTheStatusAndInTheMetrics)
{
    gateway.runs_with(intercepting(within_limits));
    EXPECT_EQ(gateway.ctl({"status"}).exit_code, 0);
    network.gateway().sets("net/ipv4/conf/inside/route_localnet", "1");
    EXPECT_TRUE(eventually([&] { return gateway.ctl({"status"}).out.find("route-localnet") != std::string::npos; }));
    EXPECT_EQ(gateway.ctl({"status"}).exit_code, 0) << "a warning does not degrade";

    network.gateway().sets("net/ipv4/ip_forward", "0");

    EXPECT_TRUE(eventually([&] { return gateway.ctl({"status"}).out.find("forwarding-ipv4") != std::string::npos; }));
    EXPECT_EQ(gateway.ctl({"status"}).exit_code, 1);
    EXPECT_THAT(gateway.ctl({"status"}).out, HasSubstr("sysctl -w net.ipv4.ip_forward=1"));
    EXPECT_THAT(gateway.ctl({"metrics"}).out, HasSubstr("gateway_doctor_findings{severity=\"error\"} 1"));
    network.gateway().sets("net/ipv4/ip_forward", "1");
    EXPECT_TRUE(eventually([&] { return gateway.ctl({"status"}).exit_code == 0; }));
}

TEST_F(Doctor, SendsAConnectionOfItsOwnThroughTheRules)
{
    Origin server(network.servers(), "10.0.2.10:8000", echoes());
    gateway.runs_with("listeners: [{name: web, intercept: {to: [10.0.2.10, \"fd00:2::10\"], ports: [8000]}}]\n" +
                      std::string(within_limits));
    const auto before = gateway.kernel_state();

    const auto examination = examines({"--probe"});

    std::vector<Json> probes;
    for (const auto& one : examination["findings"])
        if (one.value("id", "") == "probe") probes.push_back(one);
    ASSERT_EQ(probes.size(), 2U) << examination;
    for (const auto& one : probes) {
        EXPECT_EQ(one.value("severity", ""), "ok") << one;
        EXPECT_THAT(one.value("found", ""), HasSubstr("arrived at listener web with its destination (socket_name)"));
        std::printf("%s\n", one.value("found", "").c_str());
    }
    EXPECT_EQ(server.received(), "") << "no server hears of it";
    EXPECT_TRUE(eventually([&] { return gateway.kernel_state() == before; })) << gateway.kernel_state();
}

TEST_F(Doctor, LeavesNothingOfItsConnectionBehindWhenItIsKilled)
{
    gateway.runs_with(intercepting(within_limits));
    const auto before = gateway.kernel_state();
    const Command words{
        Gateway::program_file("gatewayctl"), "--socket", gateway.socket_file(), "doctor", "--probe", "--config",
        gateway.configuration_file()};
    for (const int signal : {SIGKILL, SIGINT}) {
        Process doctor(words, network.gateway().place());
        const auto links = [&] { return run_well({"ip", "-o", "link"}, network.gateway().place()); };
        EXPECT_TRUE(eventually([&] { return links().find("gwp") != std::string::npos || !doctor.running(); }));
        doctor.signal(signal);
        doctor.wait();
        EXPECT_TRUE(eventually([&] { return links().find("gwp") == std::string::npos; }));
        EXPECT_TRUE(eventually([&] { return gateway.kernel_state() == before; })) << gateway.kernel_state();
    }
}

TEST_F(Doctor, SaysWhatItCannotSeeWithoutPrivilege)
{
    gateway.is_given(intercepting(within_limits));
    auto place = network.gateway().place();
    place.user = 64'321;
    const auto output = run({Gateway::program_file("gatewayctl"), "doctor", "--offline", "--json", "--config",
                             gateway.configuration_file()},
                            place);
    const auto examination = Json::parse(output.out, nullptr, false);
    ASSERT_TRUE(examination.is_object()) << output.out << output.err;
    if (of(examination, "configuration").empty()) { // the file is readable for others
        EXPECT_EQ(of(examination, "privilege").size(), 1U);
    }
    EXPECT_NE(output.exit_code, 0);
}

} // namespace
} // namespace gw::lab
