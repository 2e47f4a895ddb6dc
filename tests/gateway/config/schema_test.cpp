#include "gateway/config/reading.h"
#include "gateway/config/yaml.h"
#include "tests/gateway/config/json_schema.h"
#include "tests/gateway/config/leaves.h"
#include "tests/gateway/config/support.h"

#include <cstdio>
#include <fstream>
#include <random>

namespace gw::config::testing {

namespace {

/// A tree as one line of YAML that reads back as the same tree.
std::string text_of(const Node& node)
{
    if (node.kind == Node::Kind::null) return "~";
    if (node.is_scalar() && node.plain) return node.text;
    std::string out;
    if (node.is_scalar()) {
        for (const char c : node.text) out += (c == '"' || c == '\\') ? std::string{'\\', c} : std::string{c};
        return "\"" + out + "\"";
    }
    for (std::size_t at = 0; at < node.items.size(); ++at) {
        const bool value = node.is_mapping() && at % 2 == 1;
        out += (value ? ": " : at > 0 ? ", " : "") + text_of(node.items[at]);
    }
    return node.is_mapping() ? "{" + out + "}" : "[" + out + "]";
}

/// Changes one place of a tree.
class Mutator {
public:
    void mutate(Node& root)
    {
        std::vector<Node*> all;
        collect(root, all);
        auto& node = *all[below(all.size())];
        switch (below(6)) {
        case 0: node = scalar(values[below(std::size(values))], below(4) > 0); break;
        case 1: node = scalar(words_[below(words_.size())], true); break;
        case 2:
            if (node.is_mapping() && !node.items.empty())
                node.items[below(node.items.size() / 2) * 2] = scalar(words_[below(words_.size())], true);
            break;
        case 3:
            if (node.items.size() >= 2) node.items.resize(node.items.size() - 2);
            break;
        case 4: {
            Node other = *all[below(all.size())]; // a part of `node`, maybe: it would die while it is copied
            node = std::move(other);
            break;
        }
        default:
            if (node.is_mapping())
                node.items.insert(node.items.end(),
                                  {scalar(words_[below(words_.size())], true), *all[below(all.size())]});
        }
    }

private:
    static constexpr const char* values[] = {
        "off",       "detect",   "0",      "1",        "4",         "5",   "80",        "8080-8090",  "8MiB",
        "1KiB",      "5s",       "10",     "99h",      "true",      "1.5", "1.0",       "x",          "/a",
        "http://a/", "original", "pool:x", "auto",     "unlimited", "crs", "192.0.2.1", "10.0.0.0/8", "127.0.0.1:80",
        "0x10",      "007",      "_",      "redirect", "json"};

    static Node scalar(std::string text, bool plain)
    {
        Node node;
        node.kind = Node::Kind::scalar;
        node.plain = plain;
        node.text = std::move(text);
        return node;
    }
    static std::vector<std::string> known_words()
    {
        std::vector<std::string> words{"from", "to", "request", "response", "request_max"};
        for (const auto& leaf : leaves()) words.emplace_back(leaf.key->name);
        for (const auto& key : vocabulary().keys) words.emplace_back(key.name);
        return words;
    }
    static void collect(Node& node, std::vector<Node*>& into)
    {
        into.push_back(&node);
        for (std::size_t at = 0; at < node.items.size(); ++at)
            if (!node.is_mapping() || at % 2 == 1) collect(node.items[at], into);
    }
    std::size_t below(std::size_t limit)
    {
        return static_cast<std::size_t>(random_() % std::max<std::size_t>(limit, 1));
    }

    std::mt19937 random_{20'261};
    std::vector<std::string> words_ = known_words();
};

constexpr const char* whole = R"({
listeners: [{name: web, intercept: {mode: tproxy, interfaces: [eth0], to: [192.0.2.0/24, "2001:db8:1::/64"],
  ports: [80, 443, 8000-8080], except: {from: [192.0.2.250], to: [192.0.2.53]}, when_down: pass}, protocol: auto,
  client_address: keep, default: original}, {name: public, bind: ["0.0.0.0:80"], protocol: http},
  {name: behind, bind: ["0.0.0.0:81"], proxy_protocol: {required: true, trusted: [10.0.0.5]}, default: pool:shop}],
pools: {shop: {servers: ["10.0.0.11:80", {address: "10.0.0.12:80", weight: 2}], balance: round_robin, send_proxy: v2}},
routes: [{host: shop.example.org, path: /a, method: GET, listeners: [web], to: original, timeout: 5s, max_body: 8MiB,
  request_headers: {set: {X-Real-IP: "{client.address}"}, add: {A: 1}, remove: [X-Debug]}, response_headers: {remove: [Server]},
  waf: {mode: block, paranoia: 2, disable_rules: [942100], disable_targets: {941100: ["ARGS:html"]}}}],
waf: {mode: detect, rules: crs, paranoia: 1, thresholds: {request: 5, response: 4}, on_failure: block,
  bodies: {request_max: 1MiB, response_max: 512KiB, over_limit: reject}},
admin: {socket: /run/gateway/control.sock, group: gateway, metrics: "127.0.0.1:9901"}, workers: auto,
logs: {access: {format: json, to: journal}, level: info}, limits: {connections: 100000, header_bytes: 32KiB, headers: 100},
timeouts: {connect: 5s, drain: 30s}, kernel: {table: gateway, own_mark: 0x02000000}
})";

class Agreement {
public:
    Agreement() : schema_{std::get<Node>(parse_yaml(json_schema()))} {}

    void check(const std::string& text)
    {
        const auto document = parse_yaml(text);
        if (!std::holds_alternative<Node>(document)) return;
        const bool fits_schema = checker_.accepts(schema_, std::get<Node>(document));
        const auto answer = read_settings(one(text));
        const auto* findings = std::get_if<std::vector<Finding>>(&answer);
        bool schema_says = false;
        for (std::size_t at = 0; findings && at < findings->size(); ++at)
            schema_says = schema_says || findings->at(at).schema_says;
        EXPECT_TRUE(fits_schema || findings) << "only the parser takes: " << text;
        EXPECT_FALSE(fits_schema && schema_says) << "only the schema takes: " << text << "\n" << wrong_with(text);
        ASSERT_EQ(checker_.unknown, "");
        ++(findings ? schema_says ? both_refuse : parser_refuses : both_take);
    }

    int both_take = 0, both_refuse = 0, parser_refuses = 0;

private:
    Node schema_;
    SchemaChecker checker_;
};

std::string output_of(const std::string& command, int& code)
{
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (!pipe) return out;
    char block[4096];
    while (const auto size = std::fread(block, 1, sizeof block, pipe)) out.append(block, size);
    code = ::pclose(pipe);
    return out;
}

std::string file_of(const std::string& name, const std::string& text)
{
    const auto path = ::testing::TempDir() + name + std::to_string(::getpid());
    std::ofstream{path, std::ios::binary} << text;
    return path;
}

} // namespace

TEST(Schema, AgreesWithTheParserOnEveryKey)
{
    Agreement agreement;
    for (const auto& leaf : leaves()) {
        for (const auto& word : leaf.key->type.words) agreement.check(leaf.file("\"" + std::string{word.text} + "\""));
        for (const auto* value : {"",
                                  "~",
                                  "[]",
                                  "{}",
                                  "[[]]",
                                  "{a: b}",
                                  "0",
                                  "1",
                                  "\"1\"",
                                  "-1",
                                  "1.5",
                                  "99999999999999999",
                                  "5s",
                                  "8MiB",
                                  "true",
                                  "x",
                                  "/x",
                                  "[x]",
                                  "[1]",
                                  "[/x]",
                                  "{1: [ARGS]}",
                                  "[192.0.2.1]",
                                  "\"127.0.0.1:80\"",
                                  "{file: /x}"})
            agreement.check(leaf.file(value));
    }
    EXPECT_GT(agreement.both_take, 100);
    EXPECT_GT(agreement.both_refuse, 500);
}

TEST(Schema, AgreesWithTheParserOnDamagedFiles)
{
    Agreement agreement;
    Mutator mutator;
    agreement.check(whole);
    ASSERT_EQ(agreement.both_take, 1);
    for (int round = 0; round < 1'500; ++round) {
        auto document = std::get<Node>(parse_yaml(whole));
        for (int damage = 0; damage <= round % 3; ++damage) mutator.mutate(document);
        agreement.check(text_of(document));
    }
    EXPECT_GT(agreement.both_take, 100);
    EXPECT_GT(agreement.both_refuse, 500);
    RecordProperty("both_take", agreement.both_take);
    RecordProperty("both_refuse", agreement.both_refuse);
    RecordProperty("parser_refuses", agreement.parser_refuses);
}

TEST(Schema, IsJsonToAnotherReader)
{
    int code = 0;
    output_of("python3 -c pass 2>&1", code);
    if (code != 0) GTEST_SKIP() << "no python3";
    const auto file = file_of("schema.json", json_schema());
    const auto out = output_of("python3 -m json.tool " + file + " /dev/null 2>&1", code);
    EXPECT_EQ(code, 0) << out;
    std::remove(file.c_str());
}

TEST(Schema, SaysTheSameToAnotherChecker)
{
    int code = 0;
    output_of("python3 -c 'import jsonschema, yaml' 2>&1", code);
    if (code != 0) GTEST_SKIP() << "no python3-jsonschema or no python3-yaml";
    const auto schema = file_of("schema.json", json_schema());
    const auto right = file_of("right.yaml", whole);
    const auto wrong = file_of("wrong.yaml", "listeners: [{bind: [\"127.0.0.1:80\"], prots: [80]}]\n");
    const auto script = "python3 -c 'import json, sys, yaml, jsonschema\n"
                        "schema = json.load(open(sys.argv[1]))\n"
                        "jsonschema.Draft202012Validator.check_schema(schema)\n"
                        "check = jsonschema.Draft202012Validator(schema)\n"
                        "for name in sys.argv[2:]: print(len(list(check.iter_errors(yaml.safe_load(open(name))))))' ";
    EXPECT_EQ(output_of(script + schema + " " + right + " " + wrong + " 2>&1", code), "0\n1\n");
    for (const auto& file : {schema, right, wrong}) std::remove(file.c_str());
}

} // namespace gw::config::testing
