// firewalld and ufw themselves beside us: nobody's work suffers from the other's, and where their rules stop what is
// taken over, the doctor says which.

#include "tests/end_to_end/firewalls.h"
#include "tests/end_to_end/load.h"
#include "tests/end_to_end/mechanisms.h"
#include "tests/end_to_end/reload_load.h"

#include <cstdlib>
#include <regex>
#include <sstream>

namespace gw::lab {
namespace {

/// While it exchanges its rules firewalld drops what is new, with or without us: clients have to send their SYN again.
constexpr Milliseconds patient{8'000};

class Firewalls : public Appliance {
protected:
    void SetUp() override
    {
        Appliance::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        const auto why = why_not();
        if (why.empty()) return;
        if (std::getenv("CI") != nullptr) FAIL() << why;
        GTEST_SKIP() << why;
    }
    virtual std::string why_not() const = 0;

    static std::string listener(const std::string& more = "")
    {
        return "listeners: [{name: web, intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: [80]" + more + "}}]\n" +
               "limits: {connections: 5000}\n" + std::string(CountingSite::marking);
    }
    std::string does(const std::string& command) const
    {
        return run_well({"sh", "-c", command}, network.gateway().place());
    }
    /// Every table that is not ours, of nft and of both forms of iptables, without counters.
    std::string rules_of_others() const
    {
        std::string text;
        std::istringstream tables(does("nft list tables"));
        for (std::string table; std::getline(tables, table);)
            if (table.find(" gateway") == std::string::npos) text += does("nft -s list " + table);
        static const std::regex changing("\\[[0-9]+:[0-9]+\\]|#[^\n]*\n");
        return text + std::regex_replace(does("iptables-legacy-save; ip6tables-legacy-save"), changing, "");
    }
    Json rules_status() const { return Json::parse(gateway.ctl({"status", "--json"}).out)["rules"]; }

    /// What the doctor calls an error.
    /// The one thing it finds is a rule there, and the command it gives helps.
    void the_doctor_mends(const char* chain)
    {
        const auto found = errors_found();
        ASSERT_EQ(found.size(), 1U);
        EXPECT_EQ(found[0].value("id", ""), "input-drops");
        EXPECT_THAT(found[0].value("evidence", ""), HasSubstr(chain));
        does(found[0].value("mend", "false"));
        EXPECT_TRUE(errors_found().empty());
    }
    std::vector<Json> errors_found() const
    {
        const auto output = gateway.ctl({"doctor", "--json", "--config", gateway.configuration_file()});
        const auto json = Json::parse(output.out, nullptr, false);
        EXPECT_TRUE(json.is_object()) << output.out << output.err;
        std::vector<Json> found;
        for (const auto& one : json.value("findings", Json::array()))
            if (one.value("severity", "") == "error") found.push_back(one);
        return found;
    }
    int status_for(const char* client, const char* url) const
    {
        return network.client(client).asks(url, {"--max-time", "1"}).status;
    }
    static constexpr const char* v4_site = "http://10.0.2.11/";
    static constexpr const char* v6_site = "http://[fd00:2::11]/";
};

/// Requests through the gateway all the time: of both families with a connection each, and over a kept one.
struct Clients {
    explicit Clients(const Network& network) : fresh(network, patient), kept(network, true) {}
    /// Ends them. Every request was answered, and every one inspected.
    void were_all_served(const char* beside)
    {
        fresh.end();
        kept.ends();
        std::printf("%s: %d requests inspected, %d not; %d failed; the longest over a kept connection took %.0f ms\n",
                    beside, fresh.sites[0].inspected() + fresh.sites[1].inspected(), fresh.uninspected(),
                    fresh.failed() + kept.bad(), kept.worst_ms());
        EXPECT_EQ(fresh.failed(), 0) << beside;
        EXPECT_EQ(kept.bad(), 0) << beside << ": " << kept.first_failure();
        EXPECT_EQ(fresh.uninspected(), 0) << beside;
    }
    BothFamilies fresh;
    SoakClient kept;
};

// --- firewalld

class BesideFirewalld : public Firewalls {
    std::string why_not() const override { return Firewalld::why_not(); }
};

class WithFirewalld : public BesideFirewalld,
                      public ::testing::WithParamInterface<std::pair<const char*, const char*>> {};

INSTANTIATE_TEST_SUITE_P(Modes, WithFirewalld,
                         ::testing::Values(std::pair{"tproxy", ""}, std::pair{"redirect", ", mode: redirect"},
                                           std::pair{"reject", ", when_down: reject"}),
                         [](const auto& row) { return std::string(row.param.first); });

TEST_P(WithFirewalld, ServesThroughItsWholeLife)
{
    tracks_connections(
        network.gateway()); // else firewalld would take answers under way at its start for new connections
    Firewalld firewalld(network.gateway(), true);
    gateway.runs_with(listener(GetParam().second));
    const auto ours = gateway.rules();
    Clients clients(network);
    const auto after = [&](const std::string& step) {
        EXPECT_TRUE(clients.fresh.are_inspected(3)) << step << gateway.log();
        EXPECT_EQ(gateway.rules(), ours) << step;
        EXPECT_EQ(rules_status().value("missing", "?"), "") << step;
    };
    after("start of ours");

    firewalld.starts();
    after("start");
    EXPECT_EQ(errors_found(), std::vector<Json>{});
    firewalld.does({"--reload"});
    after("reload");
    firewalld.does({"--zone=internal", "--add-port=8443/tcp"});
    firewalld.does({"--zone=external", "--add-masquerade"});
    after("another port and masquerading");
    firewalld.does({"--complete-reload"});
    after("complete reload");
    firewalld.stops();
    after("end");

    EXPECT_EQ(rules_status().value("healed", 7), 0) << "something of ours was hurt";
    clients.were_all_served("firewalld");
}

TEST_P(WithFirewalld, LeavesItsRulesAsTheyAre)
{
    Firewalld firewalld(network.gateway(), true);
    firewalld.starts();
    const auto alone = rules_of_others();
    EXPECT_NE(alone.find("table inet firewalld"), std::string::npos);
    gateway.runs_with(listener(GetParam().second));
    BothFamilies load(network);
    EXPECT_TRUE(load.are_inspected(3));
    EXPECT_EQ(rules_of_others(), alone);
    firewalld.does({"--reload"});
    EXPECT_EQ(rules_of_others(), alone);
    gateway.stops();
    EXPECT_EQ(rules_of_others(), alone);

    gateway.runs_again();
    EXPECT_TRUE(load.are_inspected(3));
    gateway.is_killed();
    EXPECT_EQ(rules_of_others(), alone);
    const bool closed = std::string_view(GetParam().first) == "reject";
    EXPECT_TRUE(closed ? load.are_refused(3) : load.pass_by(3));
    const int passed = load.uninspected();
    firewalld.does({"--reload"});
    EXPECT_EQ(rules_of_others(), alone);
    EXPECT_TRUE(closed ? load.are_refused(3) : load.pass_by(3));
    EXPECT_TRUE(!closed || load.uninspected() == passed) << "a reload of firewalld opened what is to be closed";
}

TEST_F(BesideFirewalld, HasTheDoctorNameTheRuleThatRefusesWhatIsTakenOver)
{
    Firewalld firewalld(network.gateway(), false);
    firewalld.starts();
    CountingSite v4(network.servers(), "10.0.2.11:80"), v6(network.servers(), "[fd00:2::11]:80");
    gateway.runs_with(listener());
    EXPECT_EQ(status_for("10.0.1.2", v4_site), 0);
    EXPECT_EQ(status_for("fd00:1::2", v6_site), 0);

    the_doctor_mends("inet firewalld filter_IN_internal");
    EXPECT_EQ(status_for("10.0.1.2", v4_site), 200);
    EXPECT_EQ(status_for("fd00:1::2", v6_site), 200);

    firewalld.does({"--reload"}); // takes that rule away; what lasts is said in its own words
    EXPECT_EQ(errors_found().size(), 1U);
    firewalld.does({"--zone=internal", "--add-service=http"});
    EXPECT_TRUE(errors_found().empty());
    EXPECT_EQ(status_for("10.0.1.2", v4_site), 200);
    EXPECT_EQ(status_for("fd00:1::2", v6_site), 200);
}

// In chains that both share, what others flush is back when the keeper looks: each second. What is under way in that
// moment can be lost.
TEST_F(BesideFirewalld, IsPutRightAfterWhereBothUseIptables)
{
    Firewalld firewalld(network.gateway(), true);
    firewalld.uses_iptables();
    firewalld.starts();
    gateway.runs_with(listener() + "kernel: {backend: iptables}\n");
    BothFamilies load(network, patient);
    EXPECT_TRUE(load.are_inspected(3)) << gateway.log();
    firewalld.does({"--reload"});
    EXPECT_TRUE(load.are_inspected(3)) << gateway.log();
    firewalld.stops();
    EXPECT_TRUE(load.are_inspected(3)) << gateway.log();
    EXPECT_TRUE(eventually([&] { return rules_status().value("missing", "?").empty(); }));
    EXPECT_GT(rules_status().value("healed", 0), 0) << "firewalld flushed nothing of ours";
    load.end();
    std::printf("firewalld: %d requests inspected, %d not; %d failed\n",
                load.sites[0].inspected() + load.sites[1].inspected(), load.uninspected(), load.failed());
}

// --- ufw

class BesideUfw : public Firewalls {
protected:
    std::string why_not() const override { return Ufw::why_not(); }
    /// Lets through what clients ask servers, and what of it is taken over: rules for ports do not, as ufw drops in
    /// front of them what is for an address that is not the host's.
    static void lets_through(const Ufw& ufw)
    {
        for (const std::string six : {"", "6"}) {
            const auto file = "etc/ufw/before" + six + ".rules";
            auto rules = read_file(ufw.host().path(file));
            const auto chain = "-A ufw" + six + "-before-input ";
            rules.insert(rules.find(chain), chain + "-m mark --mark 0x01000000/0x03000000 -j ACCEPT\n" + chain +
                                                "-m conntrack --ctstate DNAT -j ACCEPT\n");
            ufw.host().write(file, rules);
        }
        ufw.does({"route", "allow", "in", "on", "inside", "out", "on", "outside"});
    }
};

struct UfwRow {
    const char* name;
    const char* iptables;
    const char* listener;
};

class WithUfw : public BesideUfw, public ::testing::WithParamInterface<UfwRow> {};

INSTANTIATE_TEST_SUITE_P(Variants, WithUfw,
                         ::testing::Values(UfwRow{"nft", "nft", ", when_down: reject"},
                                           UfwRow{"redirect", "nft", ", mode: redirect"},
                                           UfwRow{"legacy", "legacy", ""}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_P(WithUfw, ServesThroughItsWholeLifeAndLeavesItsRulesAsTheyAre)
{
    const auto program = std::string("iptables-") + GetParam().iptables;
    const auto listed = run({program, "-L"}, network.gateway().place());
    if (listed.exit_code != 0) GTEST_SKIP() << "no " << program << ": " << listed.err;
    tracks_connections(network.gateway()); // else ufw would take answers under way for new connections when enabled
    Ufw ufw(network.gateway(), GetParam().iptables);
    lets_through(ufw);
    ufw.does({"--force", "enable"});
    const auto alone = rules_of_others();
    EXPECT_NE(alone.find("ufw-before-forward"), std::string::npos);

    gateway.runs_with(listener(GetParam().listener));
    const auto ours = gateway.rules();
    {
        Clients clients(network);
        const auto after = [&](const char* step) {
            EXPECT_TRUE(clients.fresh.are_inspected(3)) << step << gateway.log();
            EXPECT_EQ(gateway.rules(), ours) << step;
        };
        after("start of ours");
        EXPECT_EQ(rules_of_others(), alone);
        EXPECT_EQ(errors_found(), std::vector<Json>{});
        ufw.does({"reload"});
        after("reload");
        EXPECT_EQ(rules_of_others(), alone);
        ufw.does({"disable"});
        after("disable");
        ufw.does({"--force", "enable"});
        after("enable");
        EXPECT_EQ(rules_of_others(), alone);
        EXPECT_EQ(rules_status().value("healed", 7), 0) << "something of ours was hurt";
        clients.were_all_served("ufw");
    }
    gateway.stops();
    EXPECT_EQ(rules_of_others(), alone);
    gateway.runs_again();
    gateway.is_killed();
    EXPECT_EQ(rules_of_others(), alone);
}

TEST_F(BesideUfw, HasTheDoctorNameTheRuleThatDropsWhatIsTakenOver)
{
    Ufw ufw(network.gateway(), "nft");
    ufw.does({"allow", "80/tcp"}); // enough for IPv6
    ufw.does({"--force", "enable"});
    CountingSite v4(network.servers(), "10.0.2.11:80"), v6(network.servers(), "[fd00:2::11]:80");
    gateway.runs_with(listener());
    EXPECT_EQ(status_for("10.0.1.2", v4_site), 0);
    EXPECT_EQ(status_for("fd00:1::2", v6_site), 200);

    the_doctor_mends("ip filter ufw-not-local");
    EXPECT_EQ(status_for("10.0.1.2", v4_site), 200);
}

TEST_F(BesideUfw, IsPutRightAfterWhereBothUseIptables)
{
    Ufw ufw(network.gateway(), "nft");
    lets_through(ufw);
    ufw.does({"--force", "enable"});
    gateway.runs_with(listener() + "kernel: {backend: iptables}\n");
    BothFamilies load(network, patient);
    EXPECT_TRUE(load.are_inspected(3)) << gateway.log();
    ufw.does({"reload"});
    EXPECT_TRUE(load.are_inspected(3)) << gateway.log();
    EXPECT_EQ(rules_status().value("healed", 7), 0) << "something of ours was hurt";
    ufw.host().runs_well({"/lib/ufw/ufw-init", "flush-all"}); // mangle and nat of everybody
    EXPECT_TRUE(load.are_inspected(3)) << gateway.log();
    EXPECT_TRUE(eventually([&] { return rules_status().value("missing", "?").empty(); }));
    EXPECT_GT(rules_status().value("healed", 0), 0) << "ufw flushed nothing of ours";
    load.end();
    std::printf("ufw: %d requests inspected, %d not; %d failed\n",
                load.sites[0].inspected() + load.sites[1].inspected(), load.uninspected(), load.failed());
}

} // namespace
} // namespace gw::lab
