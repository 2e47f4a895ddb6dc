#include "tests/waf/inspection_lab.h"

#include <thread>

namespace gw::waf {

RequestView Asked::view(std::vector<http::Field>& fields) const
{
    fields = {{"Host", "shop.example"},
              {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"},
              {"Accept", "text/html,application/xhtml+xml"},
              {"Accept-Language", "en-US,en;q=0.5"},
              {"Cookie", "session=abc123def; theme=dark; lang=en"}};
    if (!type.empty()) fields.push_back({"Content-Type", type});
    if (!body.empty()) fields.push_back({"Content-Length", "1"});
    RequestView view;
    view.client = *Endpoint::parse("192.0.2.1:4000");
    view.destination = *Endpoint::parse("198.51.100.1:80");
    view.method = method;
    view.target = target;
    view.fields = fields;
    view.body = body;
    return view;
}

Asked get(std::string target)
{
    Asked asked;
    asked.target = std::move(target);
    return asked;
}

Asked post(std::string type, std::string body) { return {"POST", "/", std::move(type), std::move(body)}; }

std::string repeated(std::string_view unit, std::size_t size_bytes)
{
    std::string text;
    while (text.size() < size_bytes) text += unit;
    return text;
}

Settings settings_with(Mode mode)
{
    Settings settings;
    settings.policies[0].mode = mode;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    settings.request_cpu_limit = std::chrono::milliseconds(1'000);
    settings.deadline = std::chrono::milliseconds(10'000);
#endif
    return settings;
}

bool has_hit(const Verdict& verdict, std::uint32_t id)
{
    return std::any_of(verdict.hits.begin(), verdict.hits.end(), [id](const Hit& hit) { return hit.id == id; });
}

void InspectionLab::start(const Settings& settings)
{
    auto started = InspectorProcesses::start(settings, GW_PROGRAM_DIR "/gateway-inspector");
    ASSERT_TRUE(started) << describe(started.error());
    processes = std::static_pointer_cast<Processes>(*started);
    inspector = processes->for_worker(io, wheel);
}

void InspectionLab::TearDown()
{
    inspector.reset();
    wheel.stop();
    processes.reset();
}

Verdict InspectionLab::inspect(const Asked& asked, std::size_t policy)
{
    Verdict verdict;
    const auto work = [&]() -> Task<> {
        std::vector<http::Field> fields;
        const auto view = asked.view(fields);
        const auto inspection = inspector->begin(policy);
        verdict = co_await inspection->request(view);
    };
    run(work);
    return verdict;
}

Verdict InspectionLab::inspect_response(const Asked& asked, const ResponseView& response)
{
    Verdict verdict;
    const auto work = [&]() -> Task<> {
        std::vector<http::Field> fields;
        const auto view = asked.view(fields);
        const auto inspection = inspector->begin(0);
        const auto first = co_await inspection->request(view);
        EXPECT_FALSE(first.refuse);
        verdict = co_await inspection->response(response);
    };
    run(work);
    return verdict;
}

int InspectionLab::one_inspector()
{
    for (;;) {
        const auto ids = processes->process_ids();
        if (ids.size() == 1) return ids.front();
        std::this_thread::yield();
    }
}

} // namespace gw::waf
