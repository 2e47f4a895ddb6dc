// What passes through in confidence is told by nothing the gateway writes, shows or leaves behind.

#include "tests/end_to_end/scene.h"

#include <filesystem>
#include <sys/stat.h>

namespace gw::lab {
namespace {

const std::string canary = "c4n4ry";

class Secrets : public Appliance {
protected:
    /// Everything that somebody may look at, by what it is.
    std::vector<std::pair<std::string, std::string>> everything_told() const
    {
        std::vector<std::pair<std::string, std::string>> told{{"access log", gateway.process().out()},
                                                              {"service log", gateway.log()}};
        for (const Command& words : std::vector<Command>{{"status"},
                                                         {"status", "--json"},
                                                         {"connections"},
                                                         {"connections", "--json"},
                                                         {"log"},
                                                         {"log", "--json"},
                                                         {"routes"},
                                                         {"routes", "--json"},
                                                         {"rules", "show"},
                                                         {"rules", "show", "--json"},
                                                         {"version"}}) {
            const auto output = gateway.ctl(words);
            told.emplace_back("gatewayctl " + words[0], output.out + output.err);
        }
        told.emplace_back(
            "metrics",
            run({"curl", "--silent", "--unix-socket", gateway.socket_file(), "http://gatewayd/v1/metrics"}).out);
        for (const int id : gateway.process_ids())
            for (const auto* file : {"cmdline", "environ", "comm"})
                told.emplace_back(std::string(file) + " of " + std::to_string(id),
                                  read_file("/proc/" + std::to_string(id) + "/" + file));
        return told;
    }
    void sends_raw(std::string_view endpoint, const std::string& bytes) const { status_of(someone(), endpoint, bytes); }
    Client someone() const { return network.client("10.0.1.2"); }
};

TEST_F(Secrets, OfRequestsAndResponsesAreToldNowhere)
{
    WebServer tls(network, "site.example", 10);
    Origin origin(network.servers(), "10.0.2.11:80",
                  answers(answer(200, "your token is " + canary, "Set-Cookie: session=" + canary + "\r\n")));
    Origin plain(network.servers(), "10.0.2.11:25", [](Origin::Connection& connection) { connection.receives_all(); });
    gateway.runs_with(intercepting(R"(
routes:
  - {path: /gone, to: "http://10.0.2.19:8099/"}
  - {path: /keyed, to: original, request_headers: {set: {X-Api-Key: c4n4ry}}}
waf: {mode: block}
logs: {level: debug}
)"));
    const std::string fields = "Authorization: Bearer " + canary + "\r\nProxy-Authorization: Basic " + canary +
                               "\r\nCookie: session=" + canary + "\r\nX-Api-Key: " + canary +
                               "\r\nReferer: http://a.example/?token=" + canary + "\r\nConnection: close\r\n";
    const auto form = "user=me&password=" + canary;
    const auto length = "Content-Length: " + std::to_string(form.size()) + "\r\n";
    const auto type = std::string("Content-Type: application/x-www-form-urlencoded\r\n");

    sends_raw("10.0.2.11:80", request("GET", "/login?password=" + canary + "&" + canary, "a.example", fields));
    sends_raw("10.0.2.11:80", request("POST", "/login", "a.example", fields + type + length) + form);
    sends_raw("10.0.2.11:80", request("GET", "/gone?token=" + canary, "a.example", fields));
    sends_raw("10.0.2.11:80", request("GET", "/keyed", "a.example", fields));
    // Blocked and refused ones, whose reasons are told.
    sends_raw("10.0.2.11:80", request("GET", "/?q=%27+or+1%3D1--+" + canary + "&t=" + canary, "a.example", fields));
    sends_raw("10.0.2.11:80", request("POST", "/blocked", "a.example",
                                      fields + type + "Content-Length: " + std::to_string(form.size() + 16) + "\r\n") +
                                  form + "' or 1=1 -- /**/");
    sends_raw("10.0.2.11:80", request("GET", "http://me:" + canary + "@a.example/", "a.example", fields));
    sends_raw("10.0.2.11:80", request("GET", "/", "me:" + canary + "@a.example", fields));
    sends_raw("10.0.2.11:80", request("GET", "/", "a.example", "Authorization: " + canary + "\x01\r\n"));
    sends_raw("10.0.2.11:80", request("GET", "/", "a.example", "Authorization " + canary + "\r\n"));
    sends_raw("10.0.2.11:80", request("GET", "/#" + canary, "a.example", fields));
    sends_raw("10.0.2.11:80", request("GET", "/", "a.example", "Content-Length: " + canary + "\r\n"));
    sends_raw("10.0.2.11:80", request("GET", "/", "a.example", "Transfer-Encoding: " + canary + "\r\n"));
    sends_raw("10.0.2.11:80", "GET /?" + canary + " HTTP/" + canary + "\r\n\r\n");
    sends_raw("10.0.2.11:25", "AUTH PLAIN " + canary + "\r\n");
    someone().asks("https://site.example/?token=" + canary, {"-H", "Cookie: " + canary});
    // One under way, for `connections`.
    auto waiting = someone().dials("10.0.2.11:80");
    waiting.sends(request("POST", "/wait?t=" + canary, "a.example", fields + type + "Content-Length: 1000\r\n") + form);
    sends_raw("10.0.2.11:80", request("GET", "/last", "a.example", fields));

    gateway.request_record("/last");
    EXPECT_EQ(gateway.request_record("/login?password=***&***").value("status", 0), 200);
    EXPECT_EQ(gateway.request_record("/gone?token=***").value("status", 0), 502);
    for (const auto& [what, text] : everything_told()) EXPECT_THAT(text, Not(HasSubstr(canary))) << what;
}

TEST_F(Secrets, InAQueryAreToldWhereAskedTo)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());
    gateway.runs_with(intercepting("logs: {access: {query: full}}"));
    someone().asks("http://10.0.2.11/find?q=shoes");
    EXPECT_EQ(gateway.request_record("/find?q=shoes").value("status", 0), 200);
}

TEST_F(Secrets, StayInMemoryThatNobodyReadsAndNoCoreKeeps)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());
    gateway.runs_unprivileged_with(intercepting("waf: {mode: detect}"));
    EXPECT_EQ(someone().asks("http://10.0.2.11/").status, 200);
    std::size_t looked_at = 0;
    for (const int id : gateway.process_ids()) {
        const auto folder = "/proc/" + std::to_string(id);
        auto name = read_file(folder + "/comm");
        if (!name.starts_with("gatewa")) continue;
        ++looked_at;
        EXPECT_THAT(read_file(folder + "/limits"), ::testing::ContainsRegex("Max core file size +0 +0 "));
        // What belongs to root here is what the kernel calls not dumpable; another process of the same user is refused.
        struct stat owner {};
        ASSERT_EQ(::stat((folder + "/mem").c_str(), &owner), 0);
        EXPECT_EQ(owner.st_uid, 0u) << name;
        Process::Place same_user;
        same_user.user = 64'321;
        for (const auto* file : {"/environ", "/mem", "/maps"})
            EXPECT_NE(run({"dd", "if=" + folder + file, "of=/dev/null", "count=1"}, same_user).exit_code, 0)
                << name << file;
    }
    EXPECT_GE(looked_at, 3u) << "keeper, data process, inspectors";
}

} // namespace
} // namespace gw::lab
