#include "tests/gateway/config/support.h"

#include <gmock/gmock.h>

namespace gw::config::testing {

namespace {

using ::testing::HasSubstr;

/// A file with one mistake, and what is said of it. Listeners are there unless the row has its own.
struct Row {
    const char* text;
    const char* told;
};

std::string with_listeners(const std::string& text)
{
    return text.find("listeners: ") < 3 || text.starts_with("listeners:\n") ? text : text + "\nlisteners: []\n";
}

constexpr Row rows[] = {
    // Keys
    {"listeners:\n  - intercept: {to: [192.0.2.1], prots: [80], ports: [80]}\n",
     "2:34 listeners[0].intercept.prots: unknown key; did you mean \"ports\"?"},
    {"listeners:\n  - ports: [80]\n    bind: [\"127.0.0.1:80\"]\n",
     "2:5 listeners[0].ports: unknown key; it belongs under \"intercept\""},
    {"wafs: off", "1:1 wafs: unknown key; did you mean \"waf\"?"},
    {"pool: {}", "1:1 pool: unknown key; did you mean \"pools\"?"},
    {"zzz: 1", "1:1 zzz: unknown key; known here: include, listeners, routes, pools, waf"},
    {"max-body: 1", "1:1 max-body: unknown key; known here:"},
    {"routes: [{to: original, max-body: 1}]", "routes[0].max-body: unknown key; did you mean \"max_body\"?"},
    {"waf: off\nwaf: off", "2:1 waf: stands here twice; first in line 1"},
    {"waf: {mode: off, mode: block}", "1:18 waf.mode: stands here twice; first in line 1"},
    {"routes: [{path: /}]", "1:10 routes[0]: \"to\" is missing:"},
    {"routes: [{to: original, request_headers: {set: {A: b, A: c}}}]", "set.A: stands here twice"},
    // Kinds of values
    {"routes:", "1:1 routes: must be a list, not nothing"},
    {"routes: {to: original}", "1:9 routes: must be a list, not a mapping"},
    {"waf: [off]", "1:6 waf: must be a mapping, not a list"},
    {"listeners:\n  - bind: 127.0.0.1:80\n",
     "2:11 listeners[0].bind: must be a list, not \"127.0.0.1:80\"; write [127.0.0.1:80]"},
    {"routes: [{to: {a: b}}]", "a text that begins with \"{\" or \"[\" or holds \": \" needs quotes"},
    {"admin: {socket: {file: /etc/x}}", "1:17 admin.socket: not supported yet: a value that is read from a file"},
    {"routes: [{to: original, request_headers: {set: {A: {file: /etc/x}}}}]",
     "not supported yet: a value that is read from a file"},
    {"listeners: []\n--- \na: b\n", "2:1 : not readable: this does not continue what stands above"},
    {"- listeners: []\n", "1:1 : must be a mapping, not a list"},
    {"workers: [1]", "1:10 workers: must be a number or auto, not a list"},
    {"workers: ~", "workers: must be a number or auto, not nothing"},
    // Words
    {"waf: blok", "1:6 waf: must be one of off, detect, block, not \"blok\"; did you mean \"block\"?"},
    {"waf: {mode: on}", "1:13 waf.mode: must be one of off, detect, block, not \"on\""},
    {"logs: {level: warn}", "must be one of debug, info, warning, error, not \"warn\""},
    // Numbers, sizes, times
    {"waf: {paranoia: 5}", "1:17 waf.paranoia: must be 1 to 4, not 5"},
    {"waf: {paranoia: two}", "must be a number, not \"two\""},
    {"waf: {paranoia: 1.0}", "must be a number, not \"1.0\""},
    {"waf: {paranoia: -1}", "must be a number, not \"-1\""},
    {"waf: {paranoia: 01}", "must be a number, not \"01\""},
    {"waf: {paranoia: 99999999999999999999999}", "must be a number, not \"99999999999999999999999\""},
    {"workers: aut", "did you mean \"auto\"?"},
    {"limits: {header_bytes: 32KB}", "not \"32KB\"; did you mean \"32KiB\"?"},
    {"limits: {header_bytes: 32 k}", "did you mean \"32KiB\"?"},
    {"limits: {header_bytes: 1}", "must be 1KiB to 1MiB, not 1"},
    {"limits: {header_bytes: 9999999999999GiB}", "must be a size in B, KiB, MiB or GiB such as 8MiB"},
    {"routes: [{to: original, max_body: unlimitted}]", "did you mean \"unlimited\"?"},
    {"timeouts: {connect: 5}", "must be a time in ms, s, m or h such as 5s, not \"5\"; did you mean \"5s\"?"},
    {"timeouts: {connect: 5 min}", "did you mean \"5m\"?"},
    {"timeouts: {connect: 5msec}", "did you mean \"5ms\"?"},
    {"timeouts: {connect: 1ms}", "must be 10ms to 24h, not 1ms"},
    {"timeouts: {connect: 25h}", "must be 10ms to 24h, not 25h"},
    // Addresses
    {"listeners: [{intercept: {to: [192.0.2.5/24], ports: [80]}}]",
     "to[0]: must be an address or network such as 192.0.2.0/24 or \"2001:db8::/32\", not \"192.0.2.5/24\"; bits after "
     "the "
     "prefix are set; did you mean \"192.0.2.0/24\"?"},
    {"listeners: [{intercept: {to: [\"2001:db8::1/32\"], ports: [80]}}]", "did you mean \"2001:db8::/32\"?"},
    {"listeners: [{intercept: {to: [example.org], ports: [80]}}]", "to[0]: must be an address or network"},
    {"listeners: [{intercept: {to: [127.0.0.1], ports: [80]}}]", "loopback addresses never pass through"},
    {"listeners: [{intercept: {to: [224.0.0.0/8], ports: [80]}}]", "connections do not go to multicast addresses"},
    {"listeners: [{intercept: {to: [0.0.0.0], ports: [80]}}]", "did you mean \"0.0.0.0/0\"?"},
    {"listeners: [{intercept: {to: [\"::ffff:192.0.2.0/120\"], ports: [80]}}]", "as an IPv4 network"},
    {"listeners: [{intercept: {to: [], ports: [80]}}]", "to: must not be empty"},
    {"listeners: [{intercept: {to: [192.0.2.1], ports: []}}]", "ports: must not be empty"},
    {"listeners: [{intercept: {to: [192.0.2.1], ports: [0]}}]", "ports[0]: must be a port from 1 to 65535"},
    {"listeners: [{intercept: {to: [192.0.2.1], ports: [70000]}}]", "ports[0]: must be a port from 1 to 65535"},
    {"listeners: [{intercept: {to: [192.0.2.1], ports: [90-80]}}]",
     "the range goes backwards; did you mean \"80-90\"?"},
    {"listeners: [{intercept: {to: [192.0.2.1], ports: [80], interfaces: [lo]}}]", "\"lo\" cannot be intercepted"},
    {"listeners: [{intercept: {to: [192.0.2.1], ports: [80], interfaces: [\"eth*\"]}}]", "named one by one"},
    {"listeners: [{intercept: {to: [192.0.2.1], ports: [80], interfaces: [\"a\\\"b\"]}}]",
     "must be the name of a network interface"},
    {"listeners: [{intercept: {ports: [80]}}]", "\"to\" is missing"},
    {"listeners: [{intercept: {to: [192.0.2.1]}}]", "\"ports\" is missing"},
    {"listeners: [{bind: [\":80\"]}]", "did you mean \"0.0.0.0:80\"? and \"[::]:80\" for IPv6"},
    {"listeners: [{bind: [80]}]", "did you mean \"0.0.0.0:80\"?"},
    {"listeners: [{bind: [\"2001:db8::1:80\"]}]", "did you mean \"[2001:db8::1]:80\"?"},
    {"listeners: [{bind: [\"localhost:80\"]}]", "an address is wanted, not a name"},
    {"listeners: [{bind: [127.0.0.1]}]", "the port is missing"},
    {"listeners: [{bind: [[::]:80]}]", "needs quotes"},
    {"listeners: [{bind: []}]", "bind: must not be empty"},
    {"admin: {metrics: localhost}", "metrics: must be an address and port"},
    // Texts
    {"listeners: [{name: \"a b\", bind: [\"127.0.0.1:80\"]}]", "must be a name of at most 64 letters"},
    {"routes: [{to: localhost:8080}]", "did you mean \"http://localhost:8080\"?"},
    {"routes: [{to: htp://a/}]", "did you mean \"http://\"?"},
    {"routes: [{to: orginal}]", "did you mean \"original\"?"},
    {"routes: [{to: \"redirct:/x\"}]", "did you mean \"redirect:\"?"},
    {"routes: [{to: \"http://\"}]", "ends after \"http://\""},
    {"routes: [{to: original, host: \"http://a/\"}]", "must be a host name only"},
    {"routes: [{to: original, host: \"*.example\"}]", "\":name\" stands for any label"},
    {"routes: [{to: original, host: \"b\xc3\xbc"
     "cher.example\"}]",
     "in their xn-- form"},
    {"routes: [{to: original, path: admin}]", "must begin with \"/\", or be \"_\" for any; did you mean \"/admin\"?"},
    {"routes: [{to: original, path: \"/a b\"}]", "percent-encoded"},
    {"routes: [{to: original, method: get}]", "did you mean \"GET\"?"},
    {"routes: [{to: original, request_headers: {set: {\"a b\": c}}}]", "must be the name of a header field"},
    {"routes: [{to: original, request_headers: {remove: [Content-Length]}}]",
     "the gateway writes it anew on each side"},
    {"routes: [{to: original, request_headers: {set: {transfer-encoding: chunked}}}]", "the gateway writes it anew"},
    {"routes: [{to: original, request_headers: {set: {A: \"b\\r\\nC: d\"}}}]", "has a control character"},
    {"routes: [{to: original, request_headers: {set: {A: \"{cleint.address}\"}}}]",
     "stands for nothing; did you mean \"client.address\"?"},
    {"routes: [{to: original, request_headers: {set: {A: \"{cookie}\"}}}]",
     "stands for nothing; known: {client.address}"},
    {"admin: {socket: run/x}", "must be an absolute file name"},
    {"admin: {socket: "
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaa}",
     "107 bytes"},
    {"admin: {group: \"a b\"}", "must be the name of a group"},
    {"logs: {access: {to: stdot}}", "did you mean \"stdout\"?"},
    {"waf: {rules: crss}", "must be crs or a list of files"},
    {"waf: {rules: [a.conf]}", "must be an absolute file name"},
    {"waf: {disable_rules: [abc]}", "waf.disable_rules[0]: must be a number"},
    {"waf: {disable_targets: {abc: [ARGS]}}", "must be the number of a rule"},
    {"waf: {disable_targets: {1: [\"ARGS:a\\\" b\"]}}", "must be what a rule looks at"},
    {"waf: {disable_targets: {1: [\"ARGS,REQUEST_URI\"]}}", "must be what a rule looks at"},
    {"kernel: {table: \"a b\"}", "must be a name of letters"},
    // What only the whole can have wrong
    {"listeners:\n  - {name: a, bind: [\"127.0.0.1:80\"]}\n  - {name: a, bind: [\"127.0.0.1:81\"]}\n",
     "3:12 listeners[1].name: the name \"a\" belongs to the listener at gateway.yaml:2:5 already"},
    {"listeners:\n  - {name: listener-2, bind: [\"127.0.0.1:80\"]}\n  - bind: [\"127.0.0.1:81\"]\n",
     "give this one a name"},
    {"listeners:\n  - bind: [\"127.0.0.1:80\"]\n  - bind: [\"[::1]:80\", \"127.0.0.1:80\"]\n",
     "3:24 listeners[1].bind[1]: 127.0.0.1:80 is taken already, at gateway.yaml:2:12"},
    {"listeners:\n  - bind: [\"127.0.0.1:80\"]\nadmin: {metrics: \"127.0.0.1:80\"}\n",
     "admin.metrics: 127.0.0.1:80 is taken already"},
    {"listeners:\n  - {}\n", "2:5 listeners[0]: needs one of: intercept, bind"},
    {"listeners:\n  - {bind: [\"127.0.0.1:80\"], intercept: {to: [192.0.2.1], ports: [80]}}\n",
     "2:12 listeners[0].bind: goes with \"intercept\" only where others' rules lead (mode: external)"},
    {"listeners:\n  - {bind: [\"127.0.0.1:80\"], intercept: {mode: redirect, to: [192.0.2.1], ports: [80]}}\n",
     "listeners[0].bind: goes with \"intercept\" only where others' rules lead (mode: external)"},
    {"listeners: [{intercept: {mode: external, to: [192.0.2.1], ports: [80]}}]",
     "1:25 listeners[0]: mode: external needs \"bind\": the addresses of this host that the rules made elsewhere lead "
     "to"},
    {"listeners:\n  - bind: [\"0.0.0.0:15001\"]\n"
     "    intercept: {mode: external, interfaces: [eth0], to: [192.0.2.1], ports: [80]}\n",
     "3:45 listeners[0].intercept.interfaces: has no meaning with mode: external"},
    {"listeners:\n  - {bind: [\"0.0.0.0:0\"], intercept: {mode: external, to: [192.0.2.1], ports: [80]}}\n",
     "2:13 listeners[0].bind[0]: needs a port"},
    {"listeners:\n  - {bind: [\"[::]:80\"], intercept: {mode: external, to: [192.0.2.1], ports: [80]}}\n"
     "  - bind: [\"0.0.0.0:80\"]\n",
     "3:12 listeners[1].bind[0]: 0.0.0.0:80 is taken already, at gateway.yaml:2:13"},
    {"kernel: {captured_mark: 0}", "must be 1 to 4294967295, not 0"},
    {"kernel: {captured_mark: 0x04000000}", "1:25 kernel.captured_mark: has bits that are not in mark_mask"},
    {"listeners:\n  - {bind: [\"127.0.0.1:80\"], default: original}\n",
     "listeners[0].default: \"original\" needs a destination"},
    {"listeners: [{bind: [\"127.0.0.1:80\"], default: pool:xmpp}]",
     "listeners[0].default: no pool is called \"xmpp\"; there are none under \"pools\""},
    {"listeners: [{bind: [\"127.0.0.1:80\"], default: pool:xmp}]\npools: {xmpp: {servers: [\"10.0.0.1:80\"]}}",
     "listeners[0].default: no pool is called \"xmp\"; did you mean \"xmpp\"?"},
    {"listeners: [{bind: [\"127.0.0.1:80\"], default: \"pool:\"}]", "needs the name of a pool"},
    {"listeners: [{bind: [\"127.0.0.1:80\"], default: pol:x}]", "must be original, deny or pool:NAME"},
    {"routes: [{to: pool:shop}]\npools: {shup: {servers: [\"10.0.0.1:80\"]}}",
     "routes[0].to: no pool is called \"shop\"; did you mean \"shup\"?"},
    {"pools: {a: {}}", "1:12 pools.a: \"servers\" is missing"},
    {"pools: {a: {servers: []}}", "pools.a.servers: must not be empty"},
    {"pools: {a: {servers: [shop.example:80]}}", "pools.a.servers[0]: must be an address and port"},
    {"pools: {a: {servers: [\"10.0.0.1:0\"]}}", "needs a port"},
    {"pools: {a: {servers: [\"0.0.0.0:80\"]}}", "is no address that a server can be reached at"},
    {"pools: {a: {servers: [{address: \"10.0.0.1:80\", weight: 0}]}}", "pools.a.servers[0].weight: must be 1 to 1000"},
    {"pools: {a b: {servers: [\"10.0.0.1:80\"]}}", "must be a name"},
    {"pools: {a: {servers: [\"10.0.0.1:80\"], send_proxy: v3}}", "must be one of none, v1, v2"},
    {"listeners: [{bind: [\"127.0.0.1:80\"], proxy_protocol: {required: true}}]",
     "listeners[0].proxy_protocol: \"trusted\" is missing"},
    {"listeners: [{bind: [\"127.0.0.1:80\"], proxy_protocol: {required: false, trusted: []}}]",
     "listeners[0].proxy_protocol.required: must be true: where a header may be left out"},
    {"listeners: [{bind: [\"127.0.0.1:80\"], proxy_protocol: {trusted: [proxy.example]}}]",
     "listeners[0].proxy_protocol.trusted[0]: must be an address or network"},
    {"listeners: [{intercept: {to: [192.0.2.1], ports: [80]}, proxy_protocol: {trusted: [10.0.0.1]}}]",
     "listeners[0].proxy_protocol: needs \"bind\""},
    {"listeners: [{bind: [\"127.0.0.1:80\"], client_address: keep, proxy_protocol: {trusted: [10.0.0.1]}}]",
     "\"keep\" is not supported yet with \"proxy_protocol\""},
    {"listeners: [{bind: [\"127.0.0.1:80\"], client_address: keep_with_port, proxy_protocol: {trusted: [10.0.0.1]}}]",
     "\"keep_with_port\" is not supported yet with \"proxy_protocol\""},
    {"listeners: [{bind: [\"127.0.0.1:80\"], client_address: keep}]", "\"keep\" needs \"intercept\""},
    {"listeners: [{bind: [\"127.0.0.1:80\"], client_address: keep_with_port}]",
     "\"keep_with_port\" needs \"intercept\""},
    {"listeners:\n  - intercept: {to: [192.0.2.0/24], ports: [1-100]}\n  - intercept: {to: [192.0.2.1], ports: [80]}\n",
     "3:5 listeners[1]: never gets a connection: the listener \"listener-1\" at gateway.yaml:2:5 takes all of them"},
    {"listeners:\n  - {name: web, bind: [\"127.0.0.1:80\"]}\nroutes: [{to: \"http://a/\", listeners: [wbe]}]\n",
     "routes[0].listeners[0]: no listener is called \"wbe\"; did you mean \"web\"?"},
    {"listeners:\n  - {name: web, bind: [\"127.0.0.1:80\"]}\nroutes: [{to: original}]\n",
     "routes[0].to: \"original\" needs a listener with \"intercept\""},
    {"kernel: {own_mark: 0x04000000}", "1:20 kernel.own_mark: has bits that are not in mark_mask"},
    {"kernel: {captured_mark: 0x02000000}", "own_mark: must differ from captured_mark"},
    {"kernel: {route_table: 254}", "the kernel's own tables"},
    {"kernel: {own_mark: 0}", "must be 1 to 4294967295, not 0"},
    // UDP
    {"listeners: [{intercept: {to: [192.0.2.1], ports: [80]}, protocol: udp}]",
     "1:67 listeners[0].protocol: \"udp\" goes with \"transport: udp\" in \"intercept\""},
    {"listeners: [{intercept: {transport: udp, to: [192.0.2.1], ports: [80]}, protocol: http}]",
     "listeners[0].protocol: \"http\" does not go with \"transport: udp\"; leave it out, or write udp"},
    {"listeners: [{name: dns, intercept: {transport: udp, to: [192.0.2.1], ports: [53]}}]\n"
     "routes: [{to: \"http://a/\", listeners: [dns]}]",
     "2:40 routes[0].listeners[0]: \"dns\" takes UDP, and routes are for HTTP and TLS"},
};

/// What the contract names and the program does not have.
constexpr Row not_yet[] = {
    {"listeners: [{bind: [\"127.0.0.1:80\"], protocol: udp}]",
     "1:48 listeners[0].protocol: \"udp\" with \"bind\" is not supported yet; take UDP over with"},
    {"listeners: [{bind: [\"127.0.0.1:80\"], certificates: []}]", "1:38 listeners[0].certificates:"},
    {"listeners: [{bind: [\"127.0.0.1:80\"], default: tunnel:x}]", "listeners[0].default: \"tunnel:x\" is"},
    {"routes: [{to: tunnel:home}]", "routes[0].to: \"tunnel:home\" is"},
    {"routes: [{to: original, rewrite: {html: true}}]", "routes[0].rewrite:"},
    {"routes: [{to: original, compress: [gzip]}]", "routes[0].compress:"},
    {"routes: [{to: original, cache: {max_size: 1GiB}}]", "routes[0].cache:"},
    {"routes: [{to: original, limits: {burst: 1}}]", "routes[0].limits:"},
    {"pools: {a: {servers: [\"10.0.0.1:80\"], tls: {}}}", "1:39 pools.a.tls:"},
    {"pools: {a: {servers: [\"10.0.0.1:80\"], http: auto}}", "pools.a.http:"},
    {"pools: {a: {servers: [\"10.0.0.1:80\"], health: {}}}", "pools.a.health:"},
    {"pools: {a: {servers: [\"10.0.0.1:80\"], retries: {}}}", "pools.a.retries:"},
    {"pools: {a: {servers: [{address: \"10.0.0.1:80\", backup: true}]}}", "pools.a.servers[0].backup:"},
    {"pools: {a: {servers: [\"10.0.0.1:80\"], balance: least_requests}}", "pools.a.balance: \"least_requests\" is"},
    {"pools: {a: {servers: [\"10.0.0.1:80\"], balance: \"hash:client.address\"}}",
     "pools.a.balance: \"hash:client.address\" is"},
    {"tunnels: {}", "1:1 tunnels:"},
    {"admission: {mode: off}", "1:1 admission:"},
    {"certificates: []", "1:1 certificates:"},
    {"waf: {ban: {after: 5}}", "1:7 waf.ban:"},
    {"waf: {audit: {file: /x}}", "1:7 waf.audit:"},
};

} // namespace

TEST(ConfigRefuses, EachMistakeWithItsPlaceAndWhatToDo)
{
    for (const auto& row : rows) {
        const auto told = wrong_with(with_listeners(row.text));
        EXPECT_THAT(told, HasSubstr(row.told)) << row.text;
        EXPECT_EQ(told.find('\n'), told.size() - 1) << row.text << "\nmore than one problem:\n" << told;
    }
}

TEST(ConfigRefuses, WhatIsNotSupportedYetByItsName)
{
    for (const auto& row : not_yet) {
        const auto told = wrong_with(with_listeners(row.text));
        EXPECT_THAT(told, HasSubstr(row.told)) << row.text;
        EXPECT_THAT(told, HasSubstr("not supported yet")) << row.text;
        EXPECT_EQ(told.find('\n'), told.size() - 1) << row.text << "\nmore than one problem:\n" << told;
    }
}

TEST(ConfigRefuses, EverythingAtOnceInOrder)
{
    const auto told = wrong_with("listeners:\n"
                                 "  - name: web\n"
                                 "    intercept: {to: [192.0.2.1/8], ports: [0], mod: tproxy}\n"
                                 "routes:\n"
                                 "  - {to: pool:x, listeners: [nowhere], timeout: 5}\n"
                                 "tunnels: {}\n"
                                 "waf: {paranoia: 9, mode: blok}\n");

    EXPECT_THAT(told, ::testing::MatchesRegex(
                          "3:22 [^\n]*\n3:44 [^\n]*\n3:48 [^\n]*mod[^\n]*\n5:10 [^\n]*\n5:30 [^\n]*\n5:49 [^\n]*\n"
                          "6:1 [^\n]*\n7:17 [^\n]*\n7:26 [^\n]*\n"));
}

TEST(ConfigRefuses, AnEmptyFileAndShowsTheLeastThatWorks)
{
    for (const auto* text : {"", "# nothing\n", "---\n", "~", "waf: off\n", "\xef\xbb\xbf"}) {
        const auto told = wrong_with(text);
        EXPECT_THAT(told, HasSubstr("1:1 listeners: no listeners")) << text;
        EXPECT_THAT(told, HasSubstr("- intercept: {to: [192.0.2.0/24], ports: [80, 443]}")) << text;
    }
}

TEST(ConfigRefuses, NoListenerThatStillGetsSomething)
{
    for (const auto* second : {"{to: [192.0.3.1], ports: [80]}", "{to: [192.0.2.1], ports: [80, 101]}",
                               "{to: [192.0.2.0/23], ports: [80]}", "{to: [\"2001:db8::1\"], ports: [80]}"})
        EXPECT_EQ(wrong_with("listeners:\n  - intercept: {to: [192.0.2.0/24], ports: [1-100]}\n  - intercept: " +
                             std::string{second} + "\n"),
                  "");
    EXPECT_EQ(wrong_with("listeners:\n  - intercept: {to: [192.0.2.0/24], ports: [80], interfaces: [eth0]}\n"
                         "  - intercept: {to: [192.0.2.0/24], ports: [80]}\n"),
              "");
    EXPECT_EQ(wrong_with("listeners:\n  - intercept: {to: [192.0.2.0/24], ports: [80], except: {from: [192.0.2.9]}}\n"
                         "  - intercept: {to: [192.0.2.0/24], ports: [80]}\n"),
              "");
}

TEST(ConfigRefuses, NoTextInBracesThatIsNoPlaceholder)
{
    EXPECT_EQ(wrong_with("listeners: []\nroutes: [{to: original, response_headers: {add: {Report-To: "
                         "'{\"group\": \"default\", \"max_age\": 10}'}}}]\n"),
              "");
}

} // namespace gw::config::testing
