#include "tests/gateway/config/support.h"

namespace gw::config::testing {

namespace {

using namespace std::chrono_literals;

constexpr const char* least = "listeners:\n"
                              "  - intercept: {to: [192.0.2.0/24], ports: [80, 443]}\n"
                              "waf: {mode: detect}\n";

/// What of the contract's vocabulary is supported, as it stands there.
constexpr const char* contract = R"(listeners:
  - name: web
    intercept:
      mode: tproxy                      # tproxy | redirect | external
      interfaces: [eth0]                # where it arrives
      to: [192.0.2.0/24, "2001:db8:1::/64"]
      ports: [80, 443, 8000-8080]
      transport: tcp                    # tcp | udp
      except: {from: [192.0.2.250], to: [192.0.2.53]}
      when_down: pass                   # pass | reject | drop
    protocol: auto                      # auto | http | tls | tcp | udp
    client_address: keep                # keep | keep_with_port | gateway
    default: original

  - name: public
    bind: ["0.0.0.0:80", "[::]:80"]
    protocol: http

routes:                                 # first match wins
  - {host: www.erlang-solutions.com, path: /admin, method: "_", to: "https://www.erlang-solutions.com/"}
  - {host: ":var.com",    path: "/:var", to: "http://localhost:8080/"}
  - {host: ":domain.com", path: "/",     to: "http://localhost:8080/:domain"}
  - host: shop.example.org
    listeners: [web]
    to: original
    timeout: 5s
    max_body: 8MiB
    request_headers:  {set: {X-Real-IP: "{client.address}"}, add: {}, remove: [X-Debug]}
    response_headers: {set: {}, remove: [Server, X-Powered-By]}
    waf: {mode: block, paranoia: 2, disable_rules: [942100], disable_targets: {941100: ["ARGS:html"]}}

waf:
  mode: detect
  rules: crs
  paranoia: 1
  thresholds: {request: 5, response: 4}
  bodies: {request_max: 1MiB, response_max: 512KiB, over_limit: reject}
  on_failure: block

admin: {socket: /run/gateway/control.sock, group: gateway, metrics: "127.0.0.1:9901"}
logs:  {access: {format: json, to: journal}, level: info}
limits: {connections: 100000, per_client: 1000, header_bytes: 32KiB, headers: 100, memory: 2GiB}
)";

} // namespace

TEST(Config, TakesTheLeastThatWorks)
{
    const auto settings = settings_of(least);

    ASSERT_EQ(settings.listeners.size(), 1u);
    const auto& listener = settings.listeners[0];
    EXPECT_EQ(listener.name, "listener-1");
    ASSERT_TRUE(listener.intercept);
    EXPECT_EQ(listener.intercept->to.at(0).text(), "192.0.2.0/24");
    EXPECT_EQ(listener.intercept->ports, (std::vector<netfilter::PortRange>{{80, 80}, {443, 443}}));
    EXPECT_EQ(listener.client_address, intake::ClientAddress::keep);
    EXPECT_EQ(listener.otherwise, intake::Otherwise::original);
    EXPECT_EQ(settings.waf.policies.at(0).mode, waf::Mode::detect);
}

TEST(Config, TakesTheContractsVocabulary)
{
    const auto settings = settings_of(contract);

    const auto& web = settings.listeners.at(0);
    EXPECT_EQ(web.intercept->interfaces, std::vector<std::string>{"eth0"});
    EXPECT_EQ(web.intercept->ports.at(2), (netfilter::PortRange{8000, 8080}));
    EXPECT_EQ(web.intercept->except_from.at(0).text(), "192.0.2.250/32");
    EXPECT_EQ(web.intercept->except_to.at(0).text(), "192.0.2.53/32");
    EXPECT_EQ(settings.listeners.at(1).bind.at(1).text(), "[::]:80");
    EXPECT_EQ(settings.routes.at(1).host, ":var.com");
    EXPECT_EQ(settings.routes.at(0).method, "_");
    const auto& shop = settings.routes.at(3);
    EXPECT_EQ(shop.listeners, std::vector<std::string>{"web"});
    EXPECT_EQ(shop.timeout, 5s);
    EXPECT_EQ(shop.max_body_bytes, 8u * 1024 * 1024);
    const auto& extras = settings.route_extras.at(3);
    EXPECT_EQ(extras.request_headers.set.at(0), (std::pair<std::string, std::string>{"X-Real-IP", "{client.address}"}));
    EXPECT_EQ(extras.request_headers.remove.at(0), "X-Debug");
    EXPECT_EQ(extras.response_headers.remove.size(), 2u);
    EXPECT_EQ(settings.control.metrics->text(), "127.0.0.1:9901");
    EXPECT_EQ(settings.session.access.to, "stdout");
}

TEST(Config, GivesEachRouteItsPolicyAndSharesEqualOnes)
{
    const auto settings = settings_of(R"(
listeners: []
waf: {mode: detect, paranoia: 2, disable_rules: [920300]}
routes:
  - {to: "http://a.example/"}
  - {to: "http://a.example/", waf: {mode: block, disable_rules: [942100, 920300, 942100]}}
  - {to: "http://a.example/", waf: {disable_rules: [942100], mode: block}}
  - {to: "http://a.example/", waf: off}
  - {to: "http://a.example/", waf: {mode: off, paranoia: 4}}
  - {to: "http://a.example/", waf: detect}
)");

    ASSERT_EQ(settings.waf.policies.size(), 3u);
    std::vector<std::size_t> numbers;
    for (const auto& extras : settings.route_extras) numbers.push_back(extras.waf_policy);
    EXPECT_EQ(numbers, (std::vector<std::size_t>{0, 1, 1, 2, 2, 0}));
    EXPECT_EQ(settings.waf.policies[1].paranoia, 2);
    EXPECT_EQ(settings.waf.policies[1].disable_rules, (std::vector<std::uint32_t>{920300, 942100}));
    EXPECT_EQ(settings.waf.policies[2], waf::Policy{});
}

TEST(Config, LetsTheGlobalPolicyStandBehindTheRoutes)
{
    const auto settings = settings_of("listeners: []\nroutes: [{to: original, waf: {paranoia: 3}}]\nwaf: block\n");

    EXPECT_EQ(settings.waf.policies.at(settings.route_extras[0].waf_policy).mode, waf::Mode::block);
    EXPECT_EQ(settings.waf.policies.at(settings.route_extras[0].waf_policy).paranoia, 3);
}

TEST(Config, GivesBindListenersTheirOwnDefaults)
{
    const auto settings = settings_of("listeners: [{bind: [\"127.0.0.1:0\"]}]\n");

    EXPECT_EQ(settings.listeners[0].otherwise, intake::Otherwise::deny);
    EXPECT_EQ(settings.listeners[0].client_address, intake::ClientAddress::gateway);
    EXPECT_FALSE(settings.listeners[0].intercept);
}

TEST(Config, KnowsWhereListenersAndRoutesStand)
{
    const auto settings = settings_of("listeners:\n  - name: a\n    intercept: {to: [192.0.2.1], ports: [80]}\n"
                                      "routes:\n  - {to: original}\n");

    EXPECT_EQ(settings.listeners[0].where.text(), "gateway.yaml:2:5");
    EXPECT_EQ(settings.listeners[0].intercept->where.text(), "gateway.yaml:3:16");
    EXPECT_EQ(settings.routes[0].where.text(), "gateway.yaml:5:5");
}

TEST(Config, GivesNetfilterAndUpstreamTheSameMark)
{
    const auto settings =
        settings_of("listeners: []\nkernel: {mark_mask: 0xff, captured_mark: 0x10, own_mark: 0x20, table: gw2}\n");

    EXPECT_EQ(settings.netfilter.own_mark, 0x20u);
    EXPECT_EQ(settings.upstream.own_mark, 0x20u);
}

TEST(Config, KeepsTheRequestTargetWithinTheHeader)
{
    EXPECT_EQ(settings_of("listeners: []\nlimits: {header_bytes: 4KiB}\n").proxy.limits.target_bytes, 4'096u);
    EXPECT_EQ(settings_of("listeners: []\n").proxy.limits.target_bytes, 8'192u);
}

TEST(Config, ReadsWordsThatOlderYamlTakesForTruth)
{
    const auto settings = settings_of("listeners: []\nwaf: {mode: off}\nlogs: {access: off}\n"
                                      "routes: [{host: yes, method: NO, to: original, waf: off}]\n");

    EXPECT_EQ(settings.session.access.format, session::AccessLog::Format::off);
    EXPECT_EQ(settings.routes[0].host, "yes");
    EXPECT_EQ(settings.routes[0].method, "NO");
}

TEST(Config, TakesNumbersInQuotes)
{
    EXPECT_EQ(settings_of("listeners: []\nworkers: \"3\"\n").control.workers, 3u);
    EXPECT_EQ(settings_of("listeners: [{intercept: {to: [192.0.2.1], ports: [\"80\", \"90-91\"]}}]\n")
                  .listeners[0]
                  .intercept->ports.size(),
              2u);
}

TEST(Config, IsTheSameAfterBeingWrittenAndReadAgain)
{
    for (const auto* text : {least, contract}) {
        const auto written = as_yaml(settings_of(text));
        EXPECT_EQ(as_yaml(settings_of(written)), written);
    }
}

TEST(Config, TakesAListenerListThatIsEmptyOnPurpose) { EXPECT_TRUE(settings_of("listeners: []\n").listeners.empty()); }

TEST(Config, ReadsTenThousandRoutes)
{
    std::string text = "listeners: [{name: web, intercept: {to: [192.0.2.0/24], ports: [80]}}]\nroutes:\n";
    for (int at = 0; at < 10'000; ++at)
        text += "  - {host: h" + std::to_string(at) +
                ".example.org, path: /a, method: GET, listeners: [web], to: \"http://10.0.0.1:8080/\", timeout: 5s}\n";
    const auto begin = std::chrono::steady_clock::now();
    const auto settings = settings_of(text);
    const auto took = std::chrono::steady_clock::now() - begin;

    EXPECT_EQ(settings.routes.size(), 10'000u);
    EXPECT_EQ(settings.routes.back().where.line, 10'002);
    RecordProperty("milliseconds", std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
    std::cout << "10,000 routes in " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms\n";
}

TEST(ConfigParse, TakesUdpBesideTcpOfTheSameDestinations)
{
    const auto settings = settings_of("listeners:\n"
                                      "  - intercept: {to: [192.0.2.0/24], ports: [53, 443]}\n"
                                      "  - intercept: {transport: udp, to: [192.0.2.0/24], ports: [53, 443]}\n"
                                      "    client_address: gateway\n"
                                      "    default: deny\n"
                                      "timeouts: {udp_idle: 60s, udp_unanswered: 10s, udp_dns_idle: 2s}\n"
                                      "limits: {udp_flows: 500}\n"
                                      "kernel: {own_mark: 0x01000000, captured_mark: 0x02000000}\n");

    EXPECT_FALSE(settings.listeners[0].takes_datagrams());
    EXPECT_TRUE(settings.listeners[1].takes_datagrams());
    EXPECT_EQ(settings.listeners[1].protocol, intake::Protocol::udp) << "implied";
    EXPECT_EQ(settings.listeners[1].otherwise, intake::Otherwise::deny);
    EXPECT_EQ(settings.datagram.idle_limit, std::chrono::seconds{60});
    EXPECT_EQ(settings.datagram.unanswered_limit, std::chrono::seconds{10});
    EXPECT_EQ(settings.datagram.dns_idle_limit, std::chrono::seconds{2});
    EXPECT_EQ(settings.datagram.flows, 500U);
    EXPECT_EQ(settings.datagram.own_mark, 0x01000000U);
}

} // namespace gw::config::testing
