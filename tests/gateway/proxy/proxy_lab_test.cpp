#include "tests/gateway/proxy/proxy_lab.h"

#include "gateway/http/body.h"

namespace gw::proxy::testing {

using gw::testing::MemoryStream;

std::string Asked::field(std::string_view name) const
{
    for (const auto& [known, value] : fields)
        if (http::same_name(known, name)) return value;
    return {};
}

std::size_t Asked::count(std::string_view name) const
{
    return static_cast<std::size_t>(
        std::count_if(fields.begin(), fields.end(), [&](const auto& f) { return http::same_name(f.first, name); }));
}

// --- the upstream

Task<Result<upstream::ConnectionPtr>> MemoryDialer::dial(upstream::Target target, bool fresh)
{
    targets.push_back(target);
    if (failure) co_return *failure;
    for (auto kept_one = kept.begin(); !fresh && kept_one != kept.end(); ++kept_one) {
        if ((*kept_one)->target != target) continue;
        auto connection = std::move(*kept_one);
        kept.erase(kept_one);
        co_return connection;
    }
    auto [ours, theirs] = MemoryStream::pair(io_.get_executor(), Side::upstream, Side::client, origin_.max_read_bytes,
                                             origin_.capacity_bytes);
    auto connection = std::make_unique<upstream::Connection>(wheel_);
    connection->target = target;
    connection->remote = target.endpoint;
    connection->stream = std::move(ours);
    ++origin_.connections;
    asio::co_spawn(io_, serve(std::move(theirs)), [](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
    });
    co_return connection;
}

void MemoryDialer::give_back(upstream::ConnectionPtr connection) { kept.push_back(std::move(connection)); }

Task<void> MemoryDialer::serve(std::unique_ptr<MemoryStream> stream)
{
    Buffer received{4 * 1024 * 1024};
    const auto read = [&]() -> Task<bool> {
        auto into = received.prepare(64 * 1024);
        auto count = co_await stream->read_some(into);
        if (!count || *count == 0) co_return false;
        origin_.raw.append(static_cast<const char*>(into.data()), *count);
        received.commit(*count);
        co_return true;
    };
    http::RequestHead head;
    for (;;) {
        auto parsed = http::parse_request_head(received.view(), {}, head);
        while (std::holds_alternative<http::NeedMore>(parsed)) {
            const bool more = co_await read();
            if (!more) co_return;
            parsed = http::parse_request_head(received.view(), {}, head);
        }
        const auto* complete = std::get_if<http::Complete>(&parsed);
        EXPECT_NE(complete, nullptr) << "the gateway sent what the strict parser refuses:\n" << received.view();
        if (complete == nullptr) co_return;
        Asked asked;
        asked.raw_head = received.view().substr(0, complete->size_bytes);
        asked.method = head.method;
        asked.target = head.target;
        for (const auto& field : head.fields) asked.fields.emplace_back(field.name, field.value);
        const auto framing = head.framing;
        received.consume(complete->size_bytes);
        if (origin_.reply_to_head) {
            const auto early = origin_.reply_to_head(asked);
            if (!early.empty()) {
                const auto written = co_await write_all(*stream, asio::buffer(early));
                (void)written;
            }
        }
        if (origin_.close_on_head) co_return;
        if (origin_.reads_no_body) {
            asio::steady_timer never{io_, std::chrono::seconds{8}};
            auto outcome = co_await never.async_wait(as_outcome);
            (void)outcome;
            co_return;
        }
        http::BodyReader body{Side::client};
        body.restart(framing);
        while (!body.ended()) {
            const auto piece = body.next(received.view());
            EXPECT_TRUE(piece) << "framing";
            if (!piece) co_return;
            asked.body.append(received.view().substr(piece->skip_bytes, piece->content_bytes));
            const auto used = piece->skip_bytes + piece->content_bytes + piece->after_bytes;
            received.consume(used);
            if (used > 0 || body.ended()) continue;
            const bool more = co_await read();
            if (!more) co_return;
        }
        asked.trailers = body.trailers();
        origin_.asked.push_back(asked);
        const auto reply = origin_.reply_to_head ? std::string{} : origin_.reply(asked);
        if (reply.empty() && !origin_.reply_to_head) co_return;
        const auto written = co_await write_all(*stream, asio::buffer(reply));
        (void)written;
        if (origin_.close_after_reply) co_return;
    }
}

// --- the engine

namespace {

class ScriptedInspection final : public waf::Inspection {
public:
    explicit ScriptedInspection(ScriptedInspector& script) : script_(script) { ++script_.under_way; }
    ~ScriptedInspection() override { --script_.under_way; }
    Task<waf::Verdict> request(const waf::RequestView& request) override
    {
        script_.request_bodies.emplace_back(request.body);
        co_return script_.on_request(request);
    }
    Task<waf::Verdict> response(const waf::ResponseView& response) override
    {
        script_.response_bodies.emplace_back(response.body);
        co_return script_.on_response(response);
    }

private:
    ScriptedInspector& script_;
};

} // namespace

std::unique_ptr<waf::Inspection> ScriptedInspector::begin(std::size_t)
{
    return std::make_unique<ScriptedInspection>(*this);
}

// --- the client

ProxyTest::ProxyTest()
{
    flow.client = *Endpoint::parse("192.0.2.7:40000");
    flow.destination = *Endpoint::parse("198.51.100.1:80");
    flow.recovered = Recovered::socket_name;
    flow.listener = "web";
    waf.policies = {waf::Policy{}};
}

void ProxyTest::ended(const ExchangeRecord& record)
{
    seen.push_back({std::string{record.method}, std::string{record.host}, std::string{record.target}, record.status,
                    record.request_bytes, record.response_bytes, record.reused, record.error});
}

void ProxyTest::routes(std::vector<route::RouteSettings> list)
{
    route_list = std::move(list);
    plans.resize(route_list.size());
}

std::string ProxyTest::answer_to(std::string_view bytes, std::size_t cut)
{
    bool sent = false;
    return talk(
        bytes,
        [&](const std::string&) -> std::string {
            if (sent) return {};
            sent = true;
            return "END";
        },
        cut);
}

std::string ProxyTest::talk(std::string_view first, std::function<std::string(const std::string&)> next,
                            std::size_t cut)
{
    auto table = route::Table::build(route_list);
    EXPECT_TRUE(std::holds_alternative<route::Table>(table));
    const Site site{std::move(std::get<route::Table>(table)), plans, {}, waf, settings, {}, instance};
    auto [ours, theirs] = MemoryStream::pair(io.get_executor(), Side::client, Side::upstream, cut);
    Buffer received{settings.limits.head_bytes + 32 * 1024};
    live = {};
    int ended_sides = 0;
    const Client client{*ours, received, flow, "c1", false, {}, otherwise};
    const Surroundings around{site, inspect ? &inspector : nullptr, dialer, draining, &shedding};

    auto gateway = [&]() -> Task<Result<Served>> {
        auto result = co_await run(client, around, nullptr, live, *this);
        ours->end_writing();
        co_return result;
    };
    asio::co_spawn(io, gateway(), [&](std::exception_ptr bug, Result<Served> result) {
        if (bug) std::rethrow_exception(bug);
        if (!result)
            end = result.error();
        else
            upgraded = result->upgraded != nullptr;
        ours->close();
        ++ended_sides;
    });
    std::string answer;
    auto other_side = [&]() -> Task<void> {
        auto written = co_await write_all(*theirs, asio::buffer(first));
        bool ended = false;
        for (;;) {
            const auto more = ended ? std::string{} : next(answer);
            if (more == "END") {
                theirs->end_writing();
                ended = true;
            } else if (!more.empty()) {
                written = co_await write_all(*theirs, asio::buffer(more));
            }
            std::array<char, 4096> into;
            auto count = co_await theirs->read_some(asio::buffer(into));
            if (!count || *count == 0) co_return;
            answer.append(into.data(), *count);
        }
    };
    asio::co_spawn(io, other_side(), [&](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
        ++ended_sides;
    });
    io.restart();
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (ended_sides < 2 && std::chrono::steady_clock::now() < limit) io.run_one_for(std::chrono::milliseconds{100});
    EXPECT_EQ(ended_sides, 2) << "somebody still waits";
    return answer;
}

} // namespace gw::proxy::testing
