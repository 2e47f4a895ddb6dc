// fuzz-sources: gateway/route/*.cpp
// Lines of routes (host, path, method and destination, separated by spaces), an empty line, then lines of requests
// (method, host, path, query). Oracles: the index finds what looking at the routes in order finds; a decision is safe
// to put on the wire; a used Decision gives what a fresh one gives; messages are printable where clients' bytes are in
// them.
#include "gateway/route/table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace gw::route;

constexpr std::size_t max_routes = 32;
constexpr std::size_t max_requests = 32;

void must(bool holds)
{
    if (!holds) std::abort();
}

std::string_view cut(std::string_view& text, char at)
{
    const auto end = std::min(text.find(at), text.size());
    const auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

bool is_clean(std::string_view text)
{
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

bool is_host(std::string_view text)
{
    return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.' || c == ':';
    });
}

void check(const Decision& decision, const Request& request)
{
    if (decision.action == Action::forward_url) {
        must(is_host(decision.host) && decision.port != 0);
        must(is_clean(decision.target) && !decision.target.empty());
        must(request.path.empty() || request.path.front() != '/' || decision.target.front() == '/');
    }
    if (decision.action == Action::redirect) must(is_clean(decision.text) && !decision.text.starts_with("//"));
}

void ask(const Table& table, std::string_view line, Decision& used)
{
    Request request;
    request.method = cut(line, ' ');
    request.host = cut(line, ' ');
    request.path = cut(line, ' ');
    request.query = line;
    request.listener = "web";
    Decision fresh, in_order;
    table.decide(request, Action::deny, used);
    table.decide(request, Action::deny, fresh);
    const auto trials = table.explain(request, Action::deny, in_order);
    for (const auto* other : {&fresh, &in_order}) {
        must(used.route == other->route && used.action == other->action && used.tls == other->tls);
        must(used.host == other->host && used.port == other->port && used.target == other->target);
        must(used.text == other->text && used.status == other->status &&
             used.host_from_client == other->host_from_client);
    }
    check(used, request);
    for (const auto& trial : trials) must(trial.taken == (trial.route == used.route) && !trial.why.empty());
    table.decide_by_name(request.host, "web", Action::forward_original, fresh);
    must(fresh.action != Action::redirect && fresh.action != Action::respond);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text{reinterpret_cast<const char*>(data), size};
    std::vector<RouteSettings> routes;
    while (!text.empty() && routes.size() < max_routes) {
        auto line = cut(text, '\n');
        if (line.empty()) break;
        RouteSettings route;
        route.host = cut(line, ' ');
        route.path = cut(line, ' ');
        route.method = cut(line, ' ');
        route.to = line;
        // One that is wrong would hide the others: each is tried alone first.
        auto alone = Table::build({route});
        if (const auto* problems = std::get_if<gw::Problems>(&alone)) {
            must(!problems->empty() && !problems->front().what.empty());
            continue;
        }
        routes.push_back(std::move(route));
    }
    auto built = Table::build(std::move(routes));
    auto* table = std::get_if<Table>(&built);
    must(table != nullptr);
    Decision used;
    for (std::size_t count = 0; !text.empty() && count < max_requests; ++count) ask(*table, cut(text, '\n'), used);
    return 0;
}
