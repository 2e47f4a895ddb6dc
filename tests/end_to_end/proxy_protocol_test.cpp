// PROXY headers that come in, and the services behind mapped ports: mod_net_proxy's example with our gateway in its
// place, between Debian's HAProxy and servers that talk like XMPP's.

#include "tests/end_to_end/header_lines.h"
#include "tests/end_to_end/neighbours.h"
#include "tests/end_to_end/scene.h"

namespace gw::lab {
namespace {

constexpr std::string_view mapped_ports = R"(
listeners:
  - {name: c2s, bind: ["0.0.0.0:15222", "[::]:15222"], protocol: tcp, default: pool:c2s,
     proxy_protocol: {required: true, trusted: [10.0.1.5, "fd00:1::5"]}}
  - {name: s2s, bind: ["0.0.0.0:15269", "[::]:15269"], default: pool:s2s,
     proxy_protocol: {required: true, trusted: [10.0.1.5, "fd00:1::5"]}}
pools:
  c2s: {servers: ["10.0.2.11:5222"], send_proxy: v2}
  s2s: {servers: ["10.0.2.11:5269"], send_proxy: v1}
)";

/// XMPP's ports at the balancer, 10.0.1.5 and fd00:1::5, passed on to the gateway's mapped ones.
std::string balancer(const std::string& header)
{
    std::string text;
    for (const auto* port : {"5222", "5269"}) {
        const auto to = "1" + std::string{port};
        text += "listen v4-" + to + "\n    bind 10.0.1.5:" + port + "\n    server gateway 10.0.1.1:" + to +
                " source 10.0.1.5 " + header + "\n";
        text += "listen v6-" + to + "\n    bind [fd00:1::5]:" + port + "\n    server gateway [fd00:1::1]:" + to +
                " source [fd00:1::5] " + header + "\n";
    }
    return text;
}

class ProxyProtocol : public Appliance {
protected:
    void SetUp() override
    {
        Appliance::SetUp();
        if (const auto why = why_no_haproxy(); !why.empty()) {
            if (std::getenv("CI")) FAIL() << why;
            GTEST_SKIP() << why;
        }
    }

    /// What the server learned of a client that talks to it through the balancer.
    std::string learned(const std::string& client, const std::string& at)
    {
        auto socket = network.client(client).dials(at);
        EXPECT_TRUE(socket.connected()) << at;
        if (!socket.connected()) return {};
        const auto own = socket.name().text();
        socket.sends("<stream to='example'>");
        const auto opening = socket.receives_until(">");
        socket.sends("<ping/>");
        EXPECT_EQ(socket.receives_until("/>"), "<ping/>");
        EXPECT_EQ(opening, "<stream client='" + own + " to " + at + "'>");
        return own;
    }
    /// The `number`th connection of the listener that has ended.
    Json record_of(const std::string& listener, std::size_t number = 0)
    {
        std::vector<Json> found;
        EXPECT_TRUE(eventually([&] {
            found.clear();
            for (const auto& each : gateway.records())
                if (each.value("kind", "") == "connection" && each.value("listener", "") == listener)
                    found.push_back(each);
            return found.size() > number;
        })) << gateway.log();
        return found.size() > number ? found[number] : Json::object();
    }
    double headers_counted(const std::string& result)
    {
        const auto text = gateway.ctl({"metrics"}).out;
        const auto line = "gateway_proxy_headers_total{result=\"" + result + "\"} ";
        const auto at = text.find(line);
        return at == std::string::npos ? -1 : std::atof(text.c_str() + at + line.size());
    }
    Socket trusted_sender(std::string_view to) { return network.client("10.0.1.5").dials(to); }
};

TEST_F(ProxyProtocol, CountsTheClientsOfABalancerNotTheBalancer)
{
    gateway.runs_with("listeners: [{bind: [\"10.0.1.1:8000\"], protocol: http, limits: {per_client: 2},\n"
                      "             proxy_protocol: {required: true, trusted: [10.0.1.5]}}]\n"
                      "routes: [{to: \"respond:200 hello\"}]\n");
    std::vector<Socket> open;
    const auto status_for = [&](const std::string& client) {
        auto& socket = open.emplace_back(trusted_sender("10.0.1.1:8000"));
        socket.sends("PROXY TCP4 " + client + " 10.0.1.1 40000 80\r\n" + request("GET", "/", "a.example"));
        return socket.receives_until("\r\n");
    };
    for (const auto* client : {"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"})
        EXPECT_EQ(status_for(client), "HTTP/1.1 200 OK\r\n") << client;
    EXPECT_EQ(status_for("192.0.2.1"), "") << "his third";
    EXPECT_EQ(status_for("192.0.2.3"), "HTTP/1.1 200 OK\r\n");
    open.front().closes();
    EXPECT_TRUE(eventually([&] { return status_for("192.0.2.1") == "HTTP/1.1 200 OK\r\n"; }));
}

TEST_F(ProxyProtocol, TellsTheServersOfMappedPortsWhoTheirClientsAre)
{
    Origin c2s(network.servers(), "10.0.2.11:5222", speaks_lines(Header::v2));
    Origin s2s(network.servers(), "10.0.2.11:5269", speaks_lines(Header::v1));
    gateway.runs_with(mapped_ports);
    for (const auto* header : {"send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"}) {
        SCOPED_TRACE(header);
        Haproxy haproxy(network.clients(), balancer(header));
        learned("10.0.1.2", "10.0.1.5:5222");
        learned("10.0.1.3", "10.0.1.5:5269");
        learned("fd00:1::2", "[fd00:1::5]:5222");
        learned("fd00:1::3", "[fd00:1::5]:5269");
    }
    EXPECT_EQ(c2s.connections() + s2s.connections(), 12u);
}

TEST_F(ProxyProtocol, PutsTheSenderAndTheClientIntoTheRecord)
{
    Origin c2s(network.servers(), "10.0.2.11:5222", speaks_lines(Header::v2));
    gateway.runs_with(mapped_ports);
    Haproxy haproxy(network.clients(), balancer("send-proxy-v2"));
    const auto client = learned("10.0.1.2", "10.0.1.5:5222");

    const auto record = gateway.connection_record("10.0.1.2");
    EXPECT_EQ(record.value("client", ""), client);
    EXPECT_EQ(record.value("destination", ""), "10.0.1.5:5222");
    EXPECT_EQ(record.value("recovered", ""), "proxy_header");
    EXPECT_THAT(record.value("sender", ""), StartsWith("10.0.1.5:"));
    EXPECT_EQ(record.value("proxy_header", ""), "client");
    EXPECT_EQ(record.value("proxy_version", 0), 2);
    EXPECT_EQ(record.value("upstream", ""), "10.0.2.11:5222");
    EXPECT_EQ(record.value("action", ""), "forward_pool");
    EXPECT_EQ(record.value("end", ""), "ok") << record;
    EXPECT_TRUE(eventually([&] { return headers_counted("client") == 1; }));
}

TEST_F(ProxyProtocol, BelievesNobodyWhoIsNotTrusted)
{
    Origin c2s(network.servers(), "10.0.2.11:5222", speaks_lines(Header::v2));
    gateway.runs_with(mapped_ports);
    for (const auto* sender : {"10.0.1.2", "10.0.1.6", "fd00:1::2"}) {
        const bool v6 = std::string_view{sender}.find(':') != std::string_view::npos;
        auto socket = network.client(sender).dials(v6 ? "[fd00:1::1]:15222" : "10.0.1.1:15222");
        if (socket.connected()) { // not reset yet
            socket.sends("PROXY TCP4 10.0.1.5 10.0.1.1 1000 5222\r\n<stream>");
            EXPECT_EQ(socket.receives_all(), "");
        }
        const auto record = gateway.connection_record(sender);
        EXPECT_EQ(record.value("proxy_header", ""), "untrusted");
        EXPECT_EQ(record.value("end", ""), "denied");
        EXPECT_THAT(record.value("what", ""), HasSubstr("is not trusted to send a PROXY header"));
    }
    EXPECT_EQ(c2s.connections(), 0u);
    EXPECT_TRUE(eventually([&] { return headers_counted("untrusted") == 3; }));
    EXPECT_EQ(gateway.records().size(), 3u) << "logged more than once";
}

TEST_F(ProxyProtocol, ClosesWhatComesWithoutAHeaderOrWithABrokenOne)
{
    struct Row {
        std::string bytes;
        const char* fate;
    };
    const std::vector<Row> rows{
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "absent"},
        {"<stream to='example'>", "absent"},
        {"PROXY TCP4 10.0.1.2 10.0.1.5 1000\r\n<stream>", "malformed"},
        {"PROXY TCP4 10.0.1.2 10.0.1.5 1000 5222\n<stream>", "malformed"},
        {"PROXY " + std::string(200, 'x'), "malformed"},
        {"PROXY UNKNOWN " + std::string(200, 'x'), "malformed"},
        {v2_header('\x21', '\x11', "short"), "malformed"},
        {v2_header('\x21', '\x11', tcp4_block() + "\x02"), "malformed"},
        {v2_header('\x21', '\x11', tcp4_block() + std::string{"\x03\0\4bad!", 7}), "malformed"},
    };
    Origin c2s(network.servers(), "10.0.2.11:5222", speaks_lines(Header::v2));
    gateway.runs_with(mapped_ports);
    for (std::size_t at = 0; at < rows.size(); ++at) {
        SCOPED_TRACE(at);
        auto socket = trusted_sender("10.0.1.1:15222");
        socket.sends(rows[at].bytes);
        EXPECT_EQ(socket.receives_all(), "");
        const auto record = record_of("c2s", at);
        EXPECT_EQ(record.value("proxy_header", ""), rows[at].fate) << record;
        EXPECT_EQ(record.value("client", ""), record.value("sender", "-"));
    }
    EXPECT_EQ(c2s.connections(), 0u);
    EXPECT_EQ(gateway.records().size(), rows.size());
}

TEST_F(ProxyProtocol, WaitsForTheHeaderOnlySoLong)
{
    Origin c2s(network.servers(), "10.0.2.11:5222", speaks_lines(Header::v2));
    gateway.runs_with(std::string{mapped_ports} + "timeouts: {proxy_header: 300ms}\n");
    auto silent = trusted_sender("10.0.1.1:15222");
    auto slow = trusted_sender("10.0.1.1:15222");
    slow.sends("PROXY TCP4 10.0.1.2 ");
    EXPECT_EQ(silent.receives_all(), "");
    EXPECT_EQ(slow.receives_all(), "");
    EXPECT_EQ(record_of("c2s", 0).value("proxy_header", ""), "late");
    EXPECT_EQ(record_of("c2s", 1).value("proxy_header", ""), "late");
    auto gone = trusted_sender("10.0.1.1:15222");
    gone.sends("PROXY TCP4 10.0.1.2 ");
    gone.ends_writing();
    EXPECT_EQ(record_of("c2s", 2).value("proxy_header", ""), "cut");
    EXPECT_EQ(c2s.connections(), 0u);
}

TEST_F(ProxyProtocol, ReadsAHeaderHoweverItArrives)
{
    Origin s2s(network.servers(), "10.0.2.11:5269", speaks_lines(Header::v1));
    gateway.runs_with(mapped_ports);
    auto drops = trusted_sender("10.0.1.1:15269");
    drops.sends_byte_by_byte("PROXY TCP4 10.9.9.9 10.8.8.8 1234 5269\r\n<stream>");
    EXPECT_EQ(drops.receives_until(">"), "<stream client='10.9.9.9:1234 to 10.8.8.8:5269'>");
    auto at_once = trusted_sender("10.0.1.1:15269");
    at_once.sends(v2_header('\x21', '\x11', tcp4_block()) + "<stream><ping/>");
    EXPECT_EQ(at_once.receives_until(">"), "<stream client='192.0.2.7:40000 to 198.51.100.1:443'>");
    EXPECT_EQ(at_once.receives_until("/>"), "<ping/>");
}

TEST_F(ProxyProtocol, TakesASecondHeaderForPayload)
{
    Origin c2s(network.servers(), "10.0.2.11:5222", speaks_lines(Header::v2));
    gateway.runs_with(mapped_ports);
    auto socket = trusted_sender("10.0.1.1:15222");
    const std::string forged = "PROXY TCP4 10.7.7.7 10.8.8.8 1 2\r\n";
    socket.sends("PROXY TCP4 10.9.9.9 10.8.8.8 1234 5222\r\n" + forged + "<stream>");
    EXPECT_EQ(socket.receives_until(">"), "<stream client='10.9.9.9:1234 to 10.8.8.8:5222'>");
    EXPECT_THAT(c2s.received_on(0), HasSubstr(forged + "<stream>"));
}

TEST_F(ProxyProtocol, MeansTheConnectionsOwnAddressesByLocalAndUnknown)
{
    Origin s2s(network.servers(), "10.0.2.11:5269", speaks_lines(Header::v1));
    gateway.runs_with(mapped_ports);
    for (const auto& header : {std::string{"PROXY UNKNOWN\r\n"}, std::string{"PROXY UNKNOWN a b c\r\n"},
                               v2_header('\x20', '\x11', tcp4_block()), v2_header('\x21', '\x12', tcp4_block()),
                               v2_header('\x21', '\0', "")}) {
        auto socket = trusted_sender("10.0.1.1:15269");
        socket.sends(header + "<stream>");
        EXPECT_EQ(socket.receives_until(">"), "<stream client='" + socket.name().text() + " to 10.0.1.1:15269'>");
    }
}

TEST_F(ProxyProtocol, DropsWhatNoServiceStandsBehindAndWarnsOfIt)
{
    const std::string lonely = "listeners: [{name: lonely, bind: [\"0.0.0.0:15280\"], proxy_protocol: {trusted: "
                               "[10.0.1.5]}}]\n";
    gateway.runs_with(lonely);
    EXPECT_THAT(gateway.log(), HasSubstr("no service stands behind the listener \"lonely\""));
    auto socket = trusted_sender("10.0.1.1:15280");
    socket.sends("PROXY TCP4 10.9.9.9 10.8.8.8 1234 15280\r\n");
    EXPECT_EQ(socket.receives_all(), "");
    const auto record = gateway.connection_record("10.9.9.9");
    EXPECT_EQ(record.value("end", ""), "denied");
    EXPECT_EQ(record.value("what", ""), "no service stands behind the listener");

    const auto check = gateway.ctl({"check", gateway.configuration_file()});
    EXPECT_EQ(check.exit_code, 0) << check.err;
    EXPECT_THAT(check.out, HasSubstr("warning: no service stands behind the listener \"lonely\""));
    EXPECT_THAT(check.out, HasSubstr(", one warning\n"));
    const auto json = Json::parse(gateway.ctl({"check", gateway.configuration_file(), "--json"}).out);
    EXPECT_EQ(json.value("ok", false), true);
    EXPECT_EQ(json["warnings"].size(), 1u);

    gateway.reloads(lonely + "pools: {some: {servers: [\"10.0.2.11:80\"]}}\n");
    EXPECT_TRUE(eventually([&] {
        const auto log = gateway.log();
        const auto first = log.find("no service stands behind");
        return log.find("no service stands behind", first + 1) != std::string::npos;
    })) << gateway.log();
}

TEST_F(ProxyProtocol, GoesOnToWhereTheClientWasGoing)
{
    Origin origin(network.servers(), "10.0.2.11:8000", speaks_lines(Header::none));
    gateway.runs_with("listeners: [{name: on, bind: [\"0.0.0.0:15300\"], default: original, protocol: tcp, "
                      "proxy_protocol: {trusted: [10.0.1.5]}}]\n");
    auto socket = trusted_sender("10.0.1.1:15300");
    socket.sends("PROXY TCP4 10.9.9.9 10.0.2.11 1234 8000\r\n<stream>");
    EXPECT_THAT(socket.receives_until(">"), StartsWith("<stream client='10.0.2.1:"));
    for (const auto* own : {"10.0.1.1 1234 15300", "127.0.0.1 1234 22", "10.0.2.1 1 15300", "0.0.0.0 1 15300"}) {
        auto loop = trusted_sender("10.0.1.1:15300");
        loop.sends("PROXY TCP4 10.9.9.8 " + std::string{own} + "\r\n<stream>");
        EXPECT_EQ(loop.receives_all(), "") << own;
    }
    for (std::size_t loop = 0; loop < 4; ++loop) EXPECT_EQ(record_of("on", loop).value("end", ""), "denied");
}

TEST_F(ProxyProtocol, IsReadBeforeTlsThatIsPassedOnByName)
{
    NginxBehindHeaders nginx(network);
    gateway.runs_with("listeners: [{name: tls, bind: [\"0.0.0.0:15443\"], protocol: tls, proxy_protocol: {trusted: "
                      "[10.0.1.5]}}]\n"
                      "routes: [{host: site.example, to: pool:site}]\n"
                      "pools: {site: {servers: [\"10.0.2.12:8443\"], send_proxy: v2}}\n");
    Haproxy haproxy(network.clients(), "listen tls\n    bind 10.0.1.5:443\n    server gateway 10.0.1.1:15443 source "
                                       "10.0.1.5 send-proxy-v2\n");
    const auto answer =
        network.client("10.0.1.2").asks("https://site.example/", {"--connect-to", "site.example:443:10.0.1.5:443"});
    EXPECT_EQ(answer.status, 200) << answer.said;
    EXPECT_THAT(answer.body, StartsWith("10.0.1.2:"));
    EXPECT_THAT(answer.body, HasSubstr(" > 10.0.1.5:443 "));
    EXPECT_EQ(gateway.connection_record("10.0.1.2").value("server_name", ""), "site.example");
    const auto other =
        network.client("10.0.1.2").asks("https://other.example/", {"--connect-to", "other.example:443:10.0.1.5:443"});
    EXPECT_NE(other.exit_code, 0);
}

TEST_F(ProxyProtocol, IsBelievedInHttpToo)
{
    Origin origin(network.servers(), "10.0.2.11:8000", echoes());
    gateway.runs_with("listeners: [{name: web, bind: [\"0.0.0.0:15080\"], default: pool:web, proxy_protocol: {trusted: "
                      "[10.0.1.5]}}]\n"
                      "pools: {web: {servers: [\"10.0.2.11:8000\"]}}\n");
    auto socket = trusted_sender("10.0.1.1:15080");
    socket.sends("PROXY TCP4 10.9.9.9 10.8.8.8 1234 80\r\n" +
                 request("GET", "/who", "a.example", "X-Forwarded-For: 6.6.6.6\r\n"));
    const auto answer = receive_message(socket);
    EXPECT_THAT(answer.body, HasSubstr("X-Forwarded-For: 10.9.9.9\r\n"));
    EXPECT_THAT(answer.body, HasSubstr("Forwarded: for=10.9.9.9;"));
    EXPECT_THAT(answer.body, HasSubstr("Host: a.example\r\n"));
    EXPECT_THAT(answer.body, Not(HasSubstr("6.6.6.6")));
    const auto record = gateway.request_record("/who");
    EXPECT_EQ(record.value("client", ""), "10.9.9.9:1234");
    EXPECT_THAT(record.value("sender", ""), StartsWith("10.0.1.5:"));
}

TEST_F(ProxyProtocol, PassesOnWhatElseTheHeaderSaid)
{
    Haproxy behind(network.servers(), R"(
frontend what-it-said
    bind 10.0.2.13:8000 accept-proxy
    mode http
    http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[fc_pp_unique_id] %[fc_pp_authority]"
)");
    gateway.runs_with("listeners: [{name: web, bind: [\"0.0.0.0:15080\"], default: pool:web, proxy_protocol: {trusted: "
                      "[10.0.1.5]}}]\n"
                      "pools: {web: {servers: [\"10.0.2.13:8000\"], send_proxy: v2}}\n");
    Haproxy before(network.clients(), R"(
frontend in
    bind 10.0.1.5:80
    unique-id-format id-of-%ci
    default_backend gateway
backend gateway
    server gateway 10.0.1.1:15080 source 10.0.1.5 send-proxy-v2 proxy-v2-options crc32c,unique-id
)");
    const auto answer = network.client("10.0.1.2").asks("http://10.0.1.5/");
    EXPECT_EQ(answer.status, 200) << answer.said;
    EXPECT_THAT(answer.body, StartsWith("10.0.1.2:"));
    EXPECT_THAT(answer.body, HasSubstr(" id-of-10.0.1.2"));
    auto record = gateway.connection_record("10.0.1.2");
    EXPECT_EQ(record.value("proxy_unique_id", ""), "69642d6f662d31302e302e312e32");
}

} // namespace
} // namespace gw::lab
