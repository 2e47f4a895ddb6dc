#include "waf/worker_inspector.h"

#include "waf/connections.h"

namespace gw::waf {

namespace {

// Inspectors that were gone before they could begin, one after another, for one request.
constexpr int most_attempts = 3;

// What both phases of one exchange share.
struct Exchange {
    std::uint64_t number = 0;
    std::string request;            // the encoded frame: kept while a response may follow
    std::weak_ptr<Connection> home; // whose inspector holds the transaction
};

Task<Result<Answer>> run_on(Connection& connection, const Exchange& exchanged, bool replay, std::string_view response,
                            std::chrono::milliseconds limit)
{
    if (replay || response.empty()) {
        auto answer = co_await exchange(connection, exchanged.request, limit);
        if (!answer || response.empty() || answer->blocked || !answer->limit.empty()) co_return answer;
    }
    co_return co_await exchange(connection, response, limit);
}

// The answer to the request, or to `response` when there is one: then the request is replayed where it is not known.
Task<Result<Answer>> ask(Connections& connections, Exchange& exchanged, std::string_view response)
{
    const auto limit = connections.processes().settings().deadline;
    bool forgotten = false;
    bool stillborn = false;
    for (int attempt = 1;; ++attempt) {
        auto home = forgotten ? nullptr : exchanged.home.lock();
        auto lease = co_await connections.acquire(home);
        if (!lease) co_return lease.error();
        const auto connection = lease->connection();
        const bool replay = forgotten || connection != home;
        const bool fresh = connection->answered == 0;
        auto answer = co_await run_on(*connection, exchanged, replay, response, limit);
        if (answer && answer->unknown) {
            lease->finish(answer->leaving);
            if (std::exchange(forgotten, true)) co_return Error{Fault::malformed, Side::gateway, "inspector forgets"};
            continue;
        }
        if (answer) {
            exchanged.home = connection;
            lease->finish(answer->leaving);
            co_return answer;
        }
        // Gone before it began; or it never lived, because the template that was to make it died: forgiven once,
        // for the request itself may be what kills.
        const auto fault = answer.error().fault;
        const bool unborn = fault == Fault::system && fresh && !std::exchange(stillborn, true);
        const bool innocent = fault == Fault::closed || unborn;
        if (!innocent || attempt >= most_attempts) co_return answer;
        connections.drop_dead();
    }
}

class WorkerInspection final : public Inspection {
public:
    WorkerInspection(std::shared_ptr<Connections> connections, std::size_t policy, std::uint64_t number)
        : connections_(std::move(connections)), settings_(connections_->processes().settings()), policy_(policy)
    {
        exchange_.number = number;
    }
    ~WorkerInspection() override { forget(); }

    Task<Verdict> request(const RequestView& request) override;
    Task<Verdict> response(const ResponseView& response) override;

private:
    bool blocks() const { return settings_.policies[policy_].mode == Mode::block; }
    Verdict verdict_of(Result<Answer>& answer);
    Verdict failure(std::string what, bool refuse);
    Verdict over_limit();
    void forget();

    std::shared_ptr<Connections> connections_;
    const Settings& settings_;
    std::size_t policy_;
    Exchange exchange_;
    bool open_ = false; // the engine holds a transaction of ours
};

void WorkerInspection::forget()
{
    const auto home = exchange_.home.lock();
    if (std::exchange(open_, false) && home && home->alive) home->ended.push_back(exchange_.number);
    exchange_.request = {};
}

Verdict WorkerInspection::failure(std::string what, bool refuse)
{
    ++connections_->processes().counters.failed;
    Verdict verdict;
    verdict.action = Verdict::Action::failed;
    verdict.refuse = refuse && blocks();
    verdict.failure = std::move(what);
    return verdict;
}

Verdict WorkerInspection::over_limit()
{
    return failure("body over the limit", settings_.over_limit == OverLimit::reject);
}

// A bound that was hit is refused whatever `on_failure` says: else anyone could switch the inspection off.
Verdict WorkerInspection::verdict_of(Result<Answer>& answer)
{
    if (!answer) return failure(answer.error().what, settings_.on_failure == OnFailure::block);
    Verdict verdict;
    if (!answer->limit.empty()) {
        verdict = failure(std::move(answer->limit), true);
    } else if (answer->blocked && blocks()) {
        ++connections_->processes().counters.blocked;
        verdict.action = Verdict::Action::block;
        verdict.refuse = true;
    }
    verdict.score = answer->score;
    verdict.hits = std::move(answer->hits);
    return verdict;
}

Task<Verdict> WorkerInspection::request(const RequestView& request)
{
    ++connections_->processes().counters.inspected;
    if (request.body.size() > settings_.request_max_bytes) co_return over_limit();
    forget();
    encode_request(exchange_.request, exchange_.number, policy_, request);
    auto answer = co_await ask(*connections_, exchange_, {});
    auto verdict = verdict_of(answer);
    open_ = verdict.action == Verdict::Action::pass && answer && !answer->leaving;
    if (verdict.refuse) forget();
    co_return verdict;
}

Task<Verdict> WorkerInspection::response(const ResponseView& response)
{
    ResponseView part = response;
    part.body = part.body.substr(0, settings_.response_max_bytes);
    std::string frame;
    encode_response(frame, exchange_.number, part);
    auto answer = co_await ask(*connections_, exchange_, frame);
    open_ = false; // the response was the end of it, wherever it ran
    forget();
    co_return verdict_of(answer);
}

class WorkerInspector final : public Inspector {
public:
    explicit WorkerInspector(std::shared_ptr<Connections> connections) : connections_(std::move(connections)) {}

    std::unique_ptr<Inspection> begin(std::size_t policy) override
    {
        return std::make_unique<WorkerInspection>(connections_, policy, ++last_number_);
    }

private:
    std::shared_ptr<Connections> connections_;
    std::uint64_t last_number_ = 0;
};

} // namespace

std::unique_ptr<Inspector> make_worker_inspector(asio::io_context& io, DeadlineWheel& wheel,
                                                 std::shared_ptr<Processes> processes)
{
    return std::make_unique<WorkerInspector>(std::make_shared<Connections>(io, wheel, std::move(processes)));
}

} // namespace gw::waf
