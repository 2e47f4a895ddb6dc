#include "waf/engine/engine.h"

#include "gateway/http/path.h"
#include "waf/engine/cost.h"
#include "waf/engine/match_guard.h"
#include "waf/seclang.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rule_message.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>
#include <unistd.h>

namespace gw::waf {

namespace {

constexpr std::size_t max_hits = 64;
constexpr std::size_t max_message_bytes = 300;
constexpr std::size_t max_matched_bytes = 200;

bool readable(std::string_view file) { return ::access(std::string(file).c_str(), R_OK) == 0; }

// "...[id "949110"]..." -> 949110
std::string_view tagged(std::string_view log, std::string_view tag)
{
    const auto at = log.find(tag);
    if (at == std::string_view::npos) return {};
    const auto text = log.substr(at + tag.size());
    return text.substr(0, text.find('"'));
}

// "    ver:'OWASP_CRS/3.3.4',\\" -> OWASP_CRS/3.3.4; empty: the line is no such action.
std::string_view version_in(std::string_view line)
{
    constexpr std::string_view action = "ver:'OWASP_CRS/";
    const auto begin = line.find_first_not_of(" \t\"");
    if (begin == std::string_view::npos || !line.substr(begin).starts_with(action)) return {};
    const auto name = line.substr(begin + action.find('\'') + 1);
    return name.substr(0, name.find('\''));
}

int number_of(std::string_view text)
{
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

int variable(const modsecurity::Transaction& transaction, const char* name)
{
    const auto text = transaction.m_collections.m_tx_collection->resolveFirst(name);
    return text ? number_of(*text) : 0;
}

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

struct InterventionText {
    modsecurity::ModSecurityIntervention said{};
    InterventionText() { modsecurity::intervention::clean(&said); }
    InterventionText(const InterventionText&) = delete;
    InterventionText& operator=(const InterventionText&) = delete;
    ~InterventionText() { modsecurity::intervention::free(&said); }
};

class ModTransaction final : public Transaction {
public:
    ModTransaction(modsecurity::ModSecurity& engine, modsecurity::RulesSet& rules, std::chrono::milliseconds cpu_limit)
        : transaction_(&engine, &rules, this), cpu_limit_(cpu_limit)
    {}

    Findings request(const RequestView& request) override;
    Findings response(const ResponseView& response) override;

    void note(const modsecurity::RuleMessage& message);

private:
    bool stopped();
    void run_request(const RequestView& request);
    void run_response(const ResponseView& response);
    void conclude(const char* score);

    modsecurity::Transaction transaction_;
    std::chrono::milliseconds cpu_limit_;
    Findings findings_;
};

void ModTransaction::note(const modsecurity::RuleMessage& message)
{
    if (findings_.hits.size() >= max_hits) return;
    Hit hit;
    hit.id = static_cast<std::uint32_t>(message.m_ruleId);
    hit.message = message.m_message.substr(0, max_message_bytes);
    const auto matched = transaction_.m_variableMatchedVarName.resolveFirst();
    if (matched) hit.matched = matched->substr(0, max_matched_bytes);
    hit.severity = message.m_severity;
    findings_.hits.push_back(std::move(hit));
}

// A disruptive rule ends the inspection. It is told in the intervention's text, not to the log callback.
bool ModTransaction::stopped()
{
    InterventionText text;
    if (!transaction_.intervention(&text.said) || text.said.disruptive == 0) return false;
    findings_.blocked = true;
    const std::string_view log = text.said.log == nullptr ? "" : text.said.log;
    const auto id = static_cast<std::uint32_t>(number_of(tagged(log, "[id \"")));
    const auto known = [id](const Hit& hit) { return hit.id == id; };
    if (id != 0 && std::none_of(findings_.hits.begin(), findings_.hits.end(), known)) {
        Hit hit{id, std::string(tagged(log, "[msg \"").substr(0, max_message_bytes)), {}, 0};
        hit.severity = number_of(tagged(log, "[severity \""));
        findings_.hits.push_back(std::move(hit));
    }
    return true;
}

void ModTransaction::conclude(const char* score)
{
    const auto report = guard_report();
    findings_.score = variable(transaction_, score);
    if (report.out_of_budget)
        findings_.limit = "CPU limit reached";
    else if (report.limit_hits > 0)
        findings_.limit = "matching limit reached";
}

void ModTransaction::run_request(const RequestView& request)
{
    transaction_.processConnection(request.client.address.text().c_str(), request.client.port,
                                   request.destination.address.text().c_str(), request.destination.port);
    const auto path_end = std::min(request.target.find('?'), request.target.size());
    std::string scratch;
    std::string uri{http::path_for_inspection(request.target.substr(0, path_end), scratch)};
    uri += request.target.substr(path_end);
    transaction_.processURI(uri.c_str(), std::string(request.method).c_str(),
                            request.minor_version == 0 ? "1.0" : "1.1");
    for (const auto& field : request.fields) {
        transaction_.addRequestHeader(bytes(field.name), field.name.size(), bytes(field.value), field.value.size());
    }
    transaction_.processRequestHeaders();
    if (stopped()) return;
    if (!request.body.empty()) transaction_.appendRequestBody(bytes(request.body), request.body.size());
    if (stopped()) return;
    transaction_.processRequestBody();
    stopped();
}

Findings ModTransaction::request(const RequestView& request)
{
    findings_ = {};
    if (const auto cost = count_inputs(request); cost > max_inputs) {
        findings_.limit = "too many arguments";
        return std::move(findings_);
    }
    begin_guarded(cpu_limit_);
    run_request(request);
    end_guarded();
    conclude("anomaly_score");
    return std::move(findings_);
}

void ModTransaction::run_response(const ResponseView& response)
{
    for (const auto& field : response.fields) {
        transaction_.addResponseHeader(bytes(field.name), field.name.size(), bytes(field.value), field.value.size());
    }
    transaction_.processResponseHeaders(response.status, response.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1");
    if (stopped()) return;
    if (!response.body.empty()) transaction_.appendResponseBody(bytes(response.body), response.body.size());
    if (stopped()) return;
    transaction_.processResponseBody();
    stopped();
}

Findings ModTransaction::response(const ResponseView& response)
{
    findings_ = {};
    begin_guarded(cpu_limit_);
    run_response(response);
    end_guarded();
    conclude("outbound_anomaly_score");
    return std::move(findings_);
}

void on_rule(void* data, const void* message) noexcept
{
    static_cast<ModTransaction*>(data)->note(*static_cast<const modsecurity::RuleMessage*>(message));
}

class ModEngine final : public Engine {
public:
    explicit ModEngine(const Settings& settings) : settings_(settings)
    {
        engine_.setConnectorInformation("gateway-inspector");
        engine_.setServerLogCb(on_rule, modsecurity::RuleMessageLogProperty);
    }

    Result<> load();
    std::unique_ptr<Transaction> begin(std::size_t policy) override;
    std::string description() const override;

private:
    struct Compiled {
        Policy policy;
        std::unique_ptr<modsecurity::RulesSet> rules;
    };
    Result<std::size_t> compile(const Policy& policy);

    Settings settings_;
    modsecurity::ModSecurity engine_;
    std::vector<Compiled> compiled_;
    std::vector<std::size_t> by_number_; ///< policy number -> place in compiled_; past the end: off
    int rule_count_ = 0;
    std::string crs_version_;
};

Result<std::size_t> ModEngine::compile(const Policy& policy)
{
    const CrsFiles present{readable(crs_setup_file), readable(crs_before_file), readable(crs_after_file)};
    auto rules = std::make_unique<modsecurity::RulesSet>();
    const auto text = seclang_of(settings_, policy, present);
    const int count = rules->load(text.c_str(), "waf policy");
    if (count < 0) return Error{Fault::malformed, Side::gateway, rules->getParserError()};
    rule_count_ = std::max(rule_count_, count);
    compiled_.push_back({policy, std::move(rules)});
    return compiled_.size() - 1;
}

// What the packaged rules call themselves: each says ver:'OWASP_CRS/3.3.4'. All are of one version; the first will do.
std::string crs_version()
{
    std::error_code ignored;
    for (const auto& file : std::filesystem::directory_iterator(crs_rules_folder, ignored)) {
        if (file.path().extension() != ".conf") continue;
        std::ifstream text{file.path()};
        for (std::string line; std::getline(text, line);) {
            const auto name = version_in(line);
            if (!name.empty()) return std::string(name);
        }
    }
    return "OWASP_CRS";
}

// The engine's own answer to an `Include` of something that is not a file is to end the process.
Result<> check_files(const Settings& settings)
{
    if (settings.crs && !readable(crs_rules_folder))
        return Error{Fault::malformed, Side::gateway, "the CRS is not installed: no " + std::string(crs_rules_folder)};
    if (settings.crs) return {};
    for (const auto& file : settings.rule_files) {
        std::error_code ignored;
        if (!readable(file)) return Error{Fault::malformed, Side::gateway, "rule file " + file + " cannot be read"};
        if (!std::filesystem::is_regular_file(file, ignored))
            return Error{Fault::malformed, Side::gateway, "rule file " + file + " is not a file"};
    }
    return {};
}

Result<> ModEngine::load()
{
    if (auto checked = check_files(settings_); !checked) return checked;
    if (settings_.crs) crs_version_ = crs_version();
    for (const auto& policy : settings_.policies) {
        if (policy.mode == Mode::off) {
            by_number_.push_back(SIZE_MAX);
            continue;
        }
        const auto same = std::find_if(compiled_.begin(), compiled_.end(),
                                       [&](const Compiled& other) { return other.policy == policy; });
        if (same != compiled_.end()) {
            by_number_.push_back(static_cast<std::size_t>(same - compiled_.begin()));
            continue;
        }
        const auto place = compile(policy);
        if (!place) return place.error();
        by_number_.push_back(*place);
    }
    return {};
}

std::unique_ptr<Transaction> ModEngine::begin(std::size_t policy)
{
    if (policy >= by_number_.size() || by_number_[policy] >= compiled_.size()) return nullptr;
    return std::make_unique<ModTransaction>(engine_, *compiled_[by_number_[policy]].rules, settings_.request_cpu_limit);
}

std::string ModEngine::description() const
{
    const auto files = settings_.rule_files.size();
    const auto source = settings_.crs ? crs_version_ : std::to_string(files) + (files == 1 ? " file" : " files");
    return source + ", " + std::to_string(rule_count_) + " rules";
}

} // namespace

Result<std::unique_ptr<Engine>> Engine::compile(const Settings& settings)
{
    auto engine = std::make_unique<ModEngine>(settings);
    if (auto loaded = engine->load(); !loaded) return loaded.error();
    return Result<std::unique_ptr<Engine>>(std::move(engine));
}

} // namespace gw::waf
