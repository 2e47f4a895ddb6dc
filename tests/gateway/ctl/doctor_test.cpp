// What doctor prints, and which upstreams it tries.

#include "gateway/ctl/configuration.h"
#include "gateway/ctl/doctor.h"
#include "gateway/ctl/doctor_upstreams.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gw::ctl {
namespace {

using doctor::Finding;
using doctor::Severity;
using ::testing::HasSubstr;
using ::testing::Not;

Examination examination()
{
    Examination made;
    made.file = "gateway.yaml";
    made.daemon = true;
    made.findings = {{"forwarding-ipv4", Severity::error, "this host forwards no IPv4 packets",
                      "/proc/sys/net/ipv4/ip_forward is 0", "when_down: pass", "sysctl -w net.ipv4.ip_forward=1"},
                     {"rp-filter", Severity::note, "evil \x1b[2J name", "see", "breaks", ""},
                     {"sysctls", Severity::ok, "the kernel's settings can be read", "", "", ""}};
    return made;
}

TEST(DoctorView, ShowsTheWorstWithItsCommandAndCountsTheRest)
{
    const auto text = examination_text(examination(), false, {});
    EXPECT_EQ(text, "error    forwarding-ipv4\n"
                    "found    this host forwards no IPv4 packets\n"
                    "see      /proc/sys/net/ipv4/ip_forward is 0\n"
                    "breaks   when_down: pass\n"
                    "mend     sysctl -w net.ipv4.ip_forward=1\n"
                    "\n"
                    "note     rp-filter\n"
                    "found    evil ?[2J name\n"
                    "see      see\n"
                    "breaks   breaks\n"
                    "\n"
                    "one error, 0 warnings, one note, 1 ok; configuration gateway.yaml, gatewayd asked\n");
    EXPECT_THAT(examination_text(examination(), true, {}), HasSubstr("ok       sysctls: the kernel's settings"));
}

TEST(DoctorView, WrapsWordsButNeverACommand)
{
    auto made = examination();
    made.findings[0].mend = std::string(100, 'x');
    const auto text = examination_text(made, false, {false, 40});
    EXPECT_THAT(text, HasSubstr("found    this host forwards no IPv4\n         packets\n"));
    EXPECT_THAT(text, HasSubstr("mend     " + std::string(100, 'x') + '\n'));
}

TEST(DoctorView, GivesProgramsStableMembers)
{
    const auto json = examination_json(examination());
    EXPECT_EQ(json.at("ok"), false);
    EXPECT_EQ(json.at("worst"), "error");
    EXPECT_EQ(json.at("daemon"), true);
    EXPECT_EQ(json.at("counts").at("error"), 1);
    EXPECT_EQ(json.at("counts").at("ok"), 1);
    EXPECT_EQ(json.at("findings").size(), 3U);
    for (const char* member : {"id", "severity", "found", "evidence", "breaks", "mend"})
        EXPECT_TRUE(json.at("findings")[0].at(member).is_string()) << member;
}

config::Settings settings_with(const std::string& routes)
{
    const config::Sources sources{{"gateway.yaml", "listeners: [{bind: [\"127.0.0.1:1\"]}]\nroutes:\n" + routes}};
    auto parsed = config::parse(sources);
    const auto* settings = std::get_if<config::Settings>(&parsed);
    EXPECT_NE(settings, nullptr);
    return settings == nullptr ? config::Settings{} : *settings;
}

TEST(DoctorUpstreams, AreThoseThatNoClientHasASayIn)
{
    const auto upstreams = upstreams_of(settings_with(R"(
  - {host: a.example, to: "http://10.0.0.11:8080/x"}
  - {host: b.example, to: "https://shop.internal/"}
  - {host: c.example, to: "http://10.0.0.11:8080/y"}
  - {host: ":t.example", to: "http://:t.internal/"}
  - {host: d.example, to: "http://[2001:db8::1]:81/"}
  - {host: e.example, to: "respond:404 no"}
)"));
    ASSERT_EQ(upstreams.size(), 3U);
    EXPECT_EQ(upstreams[0].host, "10.0.0.11");
    EXPECT_EQ(upstreams[0].port, 8080);
    EXPECT_FALSE(upstreams[0].tls);
    EXPECT_THAT(upstreams[0].where, HasSubstr("gateway.yaml:4"));
    EXPECT_EQ(upstreams[1].host, "shop.internal");
    EXPECT_EQ(upstreams[1].port, 443);
    EXPECT_TRUE(upstreams[1].tls);
    EXPECT_EQ(upstreams[2].host, "2001:db8::1");
}

TEST(DoctorUpstreams, ThatRefuseAreFound)
{
    // A port that is bound and does not listen refuses.
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&name), size), 0);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size);
    const Upstream refusing{false, "127.0.0.1", ntohs(name.sin_port), "gateway.yaml:3:5"};

    auto found = try_upstreams({refusing}, 0, std::chrono::seconds(2));
    doctor::sort_findings(found);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found[0].id, "upstream-unreachable");
    EXPECT_EQ(found[0].severity, Severity::error);
    EXPECT_THAT(found[0].found, HasSubstr("Connection refused"));

    ::listen(socket, 1);
    found = try_upstreams({refusing}, 0, std::chrono::seconds(2));
    EXPECT_EQ(doctor::worst_of(found), Severity::ok);
    EXPECT_EQ(found.size(), 3U);
    ::close(socket);
}

} // namespace
} // namespace gw::ctl
