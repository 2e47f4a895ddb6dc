#include "gateway/control/data_process.h"

#include "gateway/base/end_on_bug.h"
#include "gateway/base/log.h"
#include "gateway/base/log_thread.h"
#include "gateway/control/answers.h"
#include "gateway/control/build.h"
#include "gateway/control/confinement.h"
#include "gateway/control/explain_connection.h"
#include "gateway/control/self_protection.h"
#include "gateway/link/link.h"
#include "gateway/link/order.h"
#include "gateway/session/worker.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <csignal>
#include <fcntl.h>
#include <random>
#include <sys/prctl.h>

namespace gw::control {

namespace {

using namespace std::chrono_literals;

constexpr auto worker_answer_limit = 1s;
constexpr auto rate_interval = 2s;

/// A few letters that differ from start to start, so that ids of different runs do not meet in one log.
std::string id_prefix_of_this_run()
{
    std::random_device random;
    constexpr std::string_view letters = "abcdefghijkmnpqrstuvwxyz23456789";
    std::string prefix;
    for (int i = 0; i < 5; ++i) prefix += letters[random() % letters.size()];
    return prefix;
}

/// Collects one answer of each worker, and stops waiting for those that are stuck.
template <class Answer> struct Gathering {
    explicit Gathering(asio::io_context& io) : waiting(io, worker_answer_limit) {}
    std::vector<Answer> answers;
    std::size_t missing = 0;
    asio::steady_timer waiting;
};

// A bug ends the process: the keeper starts the next one, and says so in the log.
class DataProcess {
public:
    DataProcess(Descriptor link, std::string inspector_program)
        : link_(io_, std::move(link)), inspector_program_(std::move(inspector_program))
    {}

    /// Does not return: the process ends when the keeper wants it to, or is gone.
    [[noreturn]] void run()
    {
        watch_addresses();
        asio::co_spawn(io_, follow_link(), end_on_bug);
        asio::co_spawn(io_, measure_rate(), end_on_bug);
        asio::co_spawn(io_, protection_.watch(), end_on_bug);
        io_.run();
        for (auto& worker : workers_) worker->join();
        log_.finish();
        log::InBackground::finish();
        // A session that still waits for an upstream would be taken apart together with the worker it reports to.
        std::_Exit(0);
    }

private:
    // --- own addresses

    void watch_addresses()
    {
        auto opened = netfilter::LocalAddresses::open();
        if (!opened) { // nothing would keep clients from this host's own services: the keeper tries again
            log::error("own addresses cannot be known: " + describe(opened.error()));
            log::InBackground::finish();
            std::_Exit(1);
        }
        local_ = std::move(*opened);
        changes_.emplace(io_, ::dup(local_->changes()));
        asio::co_spawn(io_, follow_addresses(), end_on_bug);
    }

    Task<void> follow_addresses()
    {
        for (;;) {
            auto outcome = co_await changes_->async_wait(asio::posix::descriptor_base::wait_read, as_outcome);
            auto& [failed] = outcome;
            if (failed) co_return;
            const auto refreshed = local_->refresh();
            if (!refreshed) log::warning("own addresses: " + describe(refreshed.error()));
        }
    }

    // --- the keeper's orders

    Task<void> follow_link()
    {
        for (;;) {
            auto message = co_await link_.receive();
            if (!message) break; // the keeper has gone, and the rules with it
            if (message->kind == link::Kind::drain) {
                asio::co_spawn(io_, drain(std::move(*message)), end_on_bug);
                continue;
            }
            asio::co_spawn(io_, answer(std::move(*message)), end_on_bug);
        }
        io_.stop();
    }

    Task<void> answer(link::Message message)
    {
        link::Message reply;
        reply.number = message.number;
        auto result = co_await work_on(std::move(message));
        reply.kind = result ? link::Kind::done : link::Kind::failed;
        reply.text = result ? std::move(*result) : result.error().what;
        const auto sent = co_await link_.send(std::move(reply));
        (void)sent;
    }

    Task<Result<std::string>> work_on(link::Message message)
    {
        switch (message.kind) {
        case link::Kind::prepare: co_return co_await prepare(std::move(message.text));
        case link::Kind::commit: co_return co_await commit(std::move(message));
        case link::Kind::abandon: prepared_.reset(); co_return std::string{};
        case link::Kind::beat: co_return co_await beat();
        case link::Kind::ask: co_return co_await ask(std::move(message.text));
        default: co_return Error{Fault::malformed, Side::gateway, "unexpected message", {}};
        }
    }

    Task<Result<std::string>> prepare(std::string text)
    {
        const auto order = link::decode_order(text);
        if (!order) co_return order.error();
        log::set_level(static_cast<log::Level>(std::clamp(order->log_level, 0, 3)));
        config::Sources sources;
        for (const auto& source : order->sources) sources.push_back({source.name, source.text});
        Surroundings around{order->generation, generation_, local_, {}, {}};
        for (const auto& socket : order->sockets) around.own_sockets.push_back(socket.bound);
        around.inspector_program = inspector_program_;
        around.instance = instance_;
        around.tls = &first_tls_;

        // Rules take a tenth of a second to compile, a hundred thousand routes as long to parse; questions are answered
        // meanwhile.
        using Built = std::variant<session::GenerationPtr, Problems>;
        auto kernel = std::make_shared<netfilter::Settings>();
        auto building = [](config::Sources from, Surroundings with,
                           std::shared_ptr<netfilter::Settings> kernel_settings) -> Task<Built> {
            auto parsed = config::parse(from);
            if (auto* problems = std::get_if<Problems>(&parsed)) co_return std::move(*problems);
            const auto& settings = std::get<config::Settings>(parsed);
            *kernel_settings = settings.netfilter;
            if (settings.control.metrics) with.own_sockets.push_back(*settings.control.metrics);
            co_return build(settings, with);
        }(sources, std::move(around), kernel);
        auto outcome = co_await asio::co_spawn(builder_.get_executor(), std::move(building), as_outcome);
        auto& [bug, built] = outcome;
        if (bug) std::rethrow_exception(bug);
        if (const auto* problems = std::get_if<Problems>(&built)) co_return said(*problems, sources);
        prepared_ = std::move(std::get<session::GenerationPtr>(built));
        kernel_ = *kernel;
        co_return std::string{};
    }

    static Error said(const Problems& problems, const config::Sources& sources)
    {
        std::string text;
        for (const auto& problem : problems) {
            if (!text.empty()) text += '\n';
            text += config::describe(problem, sources);
        }
        return Error{Fault::malformed, Side::gateway, std::move(text), {}};
    }

    Task<Result<std::string>> commit(link::Message message)
    {
        const auto order = link::decode_order(message.text);
        if (!order) co_return order.error();
        if (prepared_ == nullptr || prepared_->number != order->generation)
            co_return Error{Fault::malformed, Side::gateway, "commit of what was not prepared", {}};
        if (order->added.size() + (order->log_file ? 1 : 0) != message.descriptors.size())
            co_return Error{Fault::malformed,
                            Side::gateway,
                            "not all listening sockets arrived: too many files are open already",
                            {}};
        log_.send_to(prepared_->session.access, order->log_file ? std::move(message.descriptors.back()) : Descriptor{});

        start_workers(order->workers);
        if (generation_ != nullptr) earlier_.emplace_back(generation_);
        generation_ = std::exchange(prepared_, nullptr);
        protection_.apply(generation_->session, order->sockets.size());
        std::vector<std::string> keep;
        for (const auto& socket : order->sockets) keep.push_back(socket.key());
        std::vector<std::vector<intake::ListeningSocket>> added(workers_.size());
        for (std::size_t i = 0; i < order->added.size(); ++i) {
            const auto& name = order->added[i];
            added[name.worker % workers_.size()].push_back(
                {name.listener, name.bound, name.worker, std::move(message.descriptors[i])});
        }
        auto theirs = added.begin();
        auto gathering = ask_workers<bool>([&](session::Worker& worker, auto done) {
            worker.adopt(generation_, std::move(*theirs++), keep, std::move(done));
        });
        co_await all_arrived(gathering);
        if (gathering->missing > 0) log::warning("not every worker has taken over the new configuration yet");
        co_return oldest();
    }

    /// The number of the oldest configuration that a connection under way still has.
    std::string oldest()
    {
        std::erase_if(earlier_, [](const auto& generation) { return generation.expired(); });
        const auto first = earlier_.empty() ? generation_ : earlier_.front().lock();
        return first == nullptr ? std::string{} : std::to_string(first->number);
    }

    void start_workers(std::size_t count)
    {
        if (!workers_.empty()) return;
        count = std::max<std::size_t>(count, 1);
        idle_.emplace(count);
        for (std::size_t i = 0; i < count; ++i)
            workers_.push_back(
                std::make_unique<session::Worker>(i, gate_, refusals_, log_, *idle_, run_ + std::to_string(i) + "."));
    }

    Task<void> drain(link::Message order)
    {
        const bool gently = order.text == link::drain_gently;
        // Until a worker has heard of it, it may still accept: nobody inside does not mean that nobody comes.
        auto gathering =
            ask_workers<bool>([&](session::Worker& worker, auto done) { worker.drain(gently, std::move(done)); });
        co_await all_arrived(gathering);
        link::Message reply;
        reply.number = order.number;
        const auto sent = co_await link_.send(std::move(reply));
        (void)sent;
        asio::steady_timer pause{io_};
        while (gate_.inside() > 0) {
            pause.expires_after(20ms);
            auto outcome = co_await pause.async_wait(as_outcome);
            (void)outcome;
        }
        io_.stop();
    }

    // --- asking the workers

    /// `ask` is called for each of them, with what the worker is to call with its answer, or with nothing.
    template <class Answer, class Ask> std::shared_ptr<Gathering<Answer>> ask_workers(const Ask& ask)
    {
        auto gathering = std::make_shared<Gathering<Answer>>(io_);
        gathering->missing = workers_.size();
        const auto done = [this, gathering](Answer answer = {}) {
            asio::post(io_, [gathering, answer = std::move(answer)]() mutable {
                gathering->answers.push_back(std::move(answer));
                if (--gathering->missing == 0) gathering->waiting.cancel();
            });
        };
        for (auto& worker : workers_) ask(*worker, done);
        return gathering;
    }

    template <class Answer> Task<void> all_arrived(std::shared_ptr<Gathering<Answer>> gathering)
    {
        if (gathering->missing == 0) co_return;
        auto outcome = co_await gathering->waiting.async_wait(as_outcome);
        (void)outcome;
    }

    /// Answers when every worker has come round its loop.
    Task<Result<std::string>> beat()
    {
        auto gathering = ask_workers<bool>([](session::Worker& worker, auto done) { worker.beat(std::move(done)); });
        co_await all_arrived(gathering);
        if (gathering->missing > 0)
            co_return Error{
                Fault::timed_out, Side::gateway, std::to_string(gathering->missing) + " workers do not turn", {}};
        co_return oldest();
    }

    Task<session::Counters> count(std::size_t& silent)
    {
        auto gathering =
            ask_workers<session::Counters>([](session::Worker& worker, auto done) { worker.count(std::move(done)); });
        co_await all_arrived(gathering);
        silent = gathering->missing;
        session::Counters sum;
        for (const auto& counters : gathering->answers) sum.add(counters);
        co_return sum;
    }

    Task<void> measure_rate()
    {
        asio::steady_timer pause{io_};
        std::uint64_t before = 0;
        auto before_at = std::chrono::steady_clock::now();
        for (;;) {
            pause.expires_after(rate_interval);
            auto outcome = co_await pause.async_wait(as_outcome);
            (void)outcome;
            std::size_t silent = 0;
            const auto counters = co_await count(silent);
            const auto now = std::chrono::steady_clock::now();
            const auto seconds = std::chrono::duration<double>(now - before_at).count();
            requests_per_second_ =
                static_cast<double>(counters.requests - std::min(before, counters.requests)) / seconds;
            before = counters.requests;
            before_at = now;
        }
    }

    Task<Snapshot> snapshot()
    {
        Snapshot now;
        now.generation = generation_;
        now.workers = workers_.size();
        now.counters = co_await count(now.workers_silent);
        now.requests_per_second = requests_per_second_;
        now.log_dropped = log_.recent(UINT64_MAX, 0).dropped;
        now.connections_limit = gate_.limit();
        now.memory_bytes = protection_.used_bytes();
        now.memory_budget_bytes = protection_.budget_bytes();
        now.bodies_refused = protection_.bodies_refused();
        now.problems = protection_.problems();
        if (generation_->inspectors != nullptr) {
            now.waf = generation_->inspectors->status();
            now.waf_running = true;
        }
        co_return now;
    }

    // --- questions of the control socket

    Task<Result<std::string>> ask(std::string target)
    {
        const std::string_view text = target;
        const auto path = text.substr(0, text.find('?'));
        const auto query = path.size() < text.size() ? text.substr(path.size() + 1) : std::string_view{};
        link::Answer answer;
        if (generation_ == nullptr) {
            answer.status = 503;
            answer.body = R"({"error":"the data process has no configuration yet"})";
        } else if (path == "/v1/status") {
            const auto now = co_await snapshot();
            answer.body = status_json(now);
        } else if (path == "/v1/routes") {
            const auto now = co_await snapshot();
            answer.body = routes_json(now);
        } else if (path == "/v1/metrics") {
            const auto now = co_await snapshot();
            answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
            answer.body = metrics_text(now);
        } else if (path == "/v1/connections") {
            answer = co_await connections(query);
        } else if (path.starts_with("/v1/connections/")) {
            answer = co_await connection(path.substr(std::string_view{"/v1/connections/"}.size()));
        } else if (path == "/v1/log") {
            answer = co_await log(query);
        } else {
            answer.status = 404;
            answer.body = R"({"error":"no such resource"})";
        }
        co_return link::encode(answer);
    }

    static link::Answer wrong(int status, std::string_view what)
    {
        link::Answer answer;
        answer.status = status;
        answer.body = "{\"error\":\"";
        log::append_json(answer.body, what);
        answer.body += "\"}";
        return answer;
    }

    Task<link::Answer> connections(std::string_view query)
    {
        const auto filter = parse_connection_query(query);
        if (!filter) co_return wrong(400, filter.error().what);
        auto gathering = ask_workers<session::ConnectionList>(
            [&](session::Worker& worker, auto done) { worker.connections(*filter, std::move(done)); });
        co_await all_arrived(gathering);
        link::Answer answer;
        answer.body = connections_json(gathering->answers);
        co_return answer;
    }

    /// One that is under way, or the newest record of one that ended.
    Task<link::Answer> connection(std::string_view text)
    {
        const auto name = parse_connection_name(text);
        if (!name) co_return wrong(400, name.error().what);
        auto gathering = ask_workers<session::FoundConnection>(
            [&](session::Worker& worker, auto done) { worker.find(name->id, name->client, std::move(done)); });
        co_await all_arrived(gathering);
        ConnectionCase known;
        known.kernel = &kernel_;
        known.generation_in_force = generation_->number;
        for (auto& found : gathering->answers) {
            if (found.record.empty()) continue;
            known.record = std::move(found.record);
            known.generation = std::move(found.generation);
            known.live = true;
        }
        if (!add_from_log(log_.recent(0, SIZE_MAX), *name, known))
            co_return wrong(404, "no such connection: none is under way, and the newest records (`gatewayctl log`) "
                                 "have none that ended; some may have been left out (`--kind suppressed`)");
        if (!known.live && was_of(known, generation_->number)) known.generation = generation_;
        link::Answer answer;
        answer.body = explanation_of(known);
        co_return answer;
    }

    /// With wait_ms: when nothing is there yet, looks again until something is.
    Task<link::Answer> log(std::string_view query)
    {
        link::Answer answer;
        const auto parsed = parse_log_query(query);
        if (!parsed) co_return wrong(400, parsed.error().what);
        const auto until = std::chrono::steady_clock::now() + parsed->wait;
        asio::steady_timer pause{io_};
        auto recent = log_.recent(parsed->after, SIZE_MAX);
        while (recent.records.empty() && parsed->after > 0 && std::chrono::steady_clock::now() < until) {
            pause.expires_after(50ms);
            auto outcome = co_await pause.async_wait(as_outcome);
            (void)outcome;
            recent = log_.recent(parsed->after, SIZE_MAX);
        }
        answer.body = log_json(recent, *parsed);
        co_return answer;
    }

    asio::io_context io_{1};
    asio::thread_pool builder_{1};
    link::Link link_;
    std::string inspector_program_;
    std::shared_ptr<netfilter::LocalAddresses> local_;
    std::optional<asio::posix::stream_descriptor> changes_;
    session::Gate gate_{0};
    session::Refusals refusals_;
    session::LogWriter log_;
    const std::string run_ = id_prefix_of_this_run();
    const std::string instance_ = "gw-" + id_prefix_of_this_run() + id_prefix_of_this_run(); // in CDN-Loop
    std::optional<upstream::IdleShare> idle_; // of all workers; outlives them
    std::vector<std::unique_ptr<session::Worker>> workers_;
    SelfProtection protection_{io_, gate_, refusals_, workers_};
    // Read while the first order is still on its way; later configurations read anew what may have changed.
    std::future<Result<std::shared_ptr<const tls::DialContext>>> first_tls_ =
        std::async(std::launch::async, [] { return tls::DialContext::make({}); });
    netfilter::Settings kernel_;        // of the newest configuration; a reload cannot change them
    session::GenerationPtr generation_; // in force
    std::vector<std::weak_ptr<const session::Generation>> earlier_; // of connections under way; the oldest first
    session::GenerationPtr prepared_;                               // built, not in force yet
    double requests_per_second_ = 0;
};

} // namespace

void run_data_process(Descriptor link)
{
    log::set_process("data");
    std::signal(SIGPIPE, SIG_IGN);
    // The keeper decides when to end; an interrupt at the terminal reaches the whole group.
    std::signal(SIGINT, SIG_IGN);
    std::signal(SIGTERM, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);
    ::prctl(PR_SET_NAME, "gateway-data");
    // Opened while we still may: the folder of a program is not always open to everybody.
    const auto found = find_inspector_program();
    const Descriptor program{found ? ::open(found->c_str(), O_PATH | O_CLOEXEC) : -1};
    auto inspector = program.is_open() ? "/proc/self/fd/" + std::to_string(program.number()) : std::string{};
    if (const auto confined = confine_data_process(); !confined) {
        log::error("the data process cannot give up its privileges: " + describe(confined.error()));
        std::_Exit(1);
    }
    make_room_for_descriptors(raise_open_files());
    const log::InBackground background;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // forgotten with a change of the user, so only now
    DataProcess process{std::move(link), std::move(inspector)};
    process.run();
}

} // namespace gw::control
