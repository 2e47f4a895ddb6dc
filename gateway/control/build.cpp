#include "gateway/control/build.h"

#include <filesystem>
#include <system_error>

namespace gw::control {

namespace {

void add(Problems& all, Problems more)
{
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

filters::HeaderEditor editor_of(const filters::HeaderEdits& edits, const Position& where, const std::string& path,
                                Problems& problems)
{
    add(problems, filters::problems_of(edits, where, path));
    auto made = filters::HeaderEditor::make(edits);
    return made ? std::move(*made) : filters::HeaderEditor{};
}

std::vector<proxy::RoutePlan> plans_of(const config::Settings& settings, Problems& problems)
{
    std::vector<proxy::RoutePlan> plans;
    plans.reserve(settings.routes.size());
    for (std::size_t i = 0; i < settings.routes.size(); ++i) {
        const auto& extras = settings.route_extras[i];
        const auto& where = settings.routes[i].where;
        const auto path = "routes[" + std::to_string(i) + "].";
        proxy::RoutePlan plan;
        plan.request_headers = editor_of(extras.request_headers, where, path + "request_headers", problems);
        plan.response_headers = editor_of(extras.response_headers, where, path + "response_headers", problems);
        plan.waf_policy = extras.waf_policy;
        plan.pool = extras.pool;
        plans.push_back(std::move(plan));
    }
    return plans;
}

bool inspects(const waf::Settings& settings)
{
    return std::any_of(settings.policies.begin(), settings.policies.end(),
                       [](const auto& policy) { return policy.mode != waf::Mode::off; });
}

bool introduces(const std::vector<upstream::PoolSettings>& pools)
{
    return std::any_of(pools.begin(), pools.end(),
                       [](const auto& pool) { return pool.send_proxy != upstream::SendProxy::none; });
}

std::shared_ptr<waf::InspectorProcesses> inspectors_of(const config::Settings& settings, const Surroundings& around,
                                                       Problems& problems)
{
    if (!inspects(settings.waf)) return nullptr;
    if (around.previous != nullptr && around.previous->inspectors != nullptr &&
        around.previous->site.waf == settings.waf)
        return around.previous->inspectors;
    auto begun = waf::InspectorProcesses::begin(settings.waf, around.inspector_program);
    if (begun) return *begun;
    problems.push_back({{}, "waf", describe(begun.error())});
    return nullptr;
}

Result<std::shared_ptr<const tls::DialContext>> tls_of(const Surroundings& around)
{
    if (around.tls != nullptr && around.tls->valid()) return around.tls->get();
    return tls::DialContext::make({});
}

} // namespace

Problems check(const config::Settings& settings)
{
    Problems problems;
    auto table = route::Table::build(settings.routes);
    if (auto* wrong = std::get_if<Problems>(&table)) add(problems, std::move(*wrong));
    const auto plans = plans_of(settings, problems);
    return problems;
}

std::variant<session::GenerationPtr, Problems> build(const config::Settings& settings, const Surroundings& around)
{
    Problems problems;
    auto table = route::Table::build(settings.routes);
    if (auto* wrong = std::get_if<Problems>(&table)) add(problems, std::move(*wrong));
    auto plans = plans_of(settings, problems);
    if (!problems.empty()) return problems;
    // The two that take long, side by side: rules are compiled in another process while certificates are read here.
    auto inspectors = inspectors_of(settings, around, problems);
    auto tls = tls_of(around);
    if (!tls) problems.push_back({{}, "tls", describe(tls.error())});
    if (inspectors != nullptr && problems.empty())
        if (const auto ready = inspectors->ready(); !ready) problems.push_back({{}, "waf", describe(ready.error())});
    if (!problems.empty()) return problems;

    proxy::Site site{
        std::move(std::get<route::Table>(table)), std::move(plans), {}, settings.waf, settings.proxy, settings.pools};
    site.instance = around.instance;
    auto guard = std::make_shared<const upstream::Guard>(around.local, around.own_sockets);
    auto generation = std::make_shared<session::Generation>(
        session::Generation{around.number, settings.listeners, std::move(site), std::move(inspectors), std::move(guard),
                            std::move(*tls), settings.intake, settings.relay, settings.upstream, settings.session,
                            settings.datagram, introduces(settings.pools)});
    return session::GenerationPtr{std::move(generation)};
}

Result<std::string> find_inspector_program()
{
    namespace fs = std::filesystem;
    std::error_code ignored;
    const auto beside = fs::read_symlink("/proc/self/exe", ignored).parent_path() / "gateway-inspector";
    for (const auto& candidate : {beside, fs::path{"/usr/lib/gateway/gateway-inspector"}})
        if (fs::exists(candidate, ignored)) return candidate.string();
    return Error{Fault::system,
                 Side::gateway,
                 "gateway-inspector is neither in " + beside.parent_path().string() +
                     " nor in /usr/lib/gateway: install it again",
                 {}};
}

} // namespace gw::control
