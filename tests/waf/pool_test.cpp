// What becomes of requests when inspectors and the template die or hang.

#include "tests/waf/inspection_lab.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <csignal>
#include <gmock/gmock.h>
#include <thread>

namespace gw::waf {

namespace {

class Pool : public InspectionLab {
protected:
    struct Tally {
        int passed = 0;
        int blocked = 0;
        int failed = 0;
        int refused = 0;
        std::vector<std::string> failures;
        int ended() const { return passed + blocked + failed; }
    };

    static Task<> inspect_one(Inspector& inspector, Tally& tally)
    {
        const auto asked = get("/shop/item?id=42");
        std::vector<http::Field> fields;
        const auto view = asked.view(fields);
        const auto inspection = inspector.begin(0);
        const auto verdict = co_await inspection->request(view);
        if (verdict.action == Verdict::Action::pass) ++tally.passed;
        if (verdict.action == Verdict::Action::block) ++tally.blocked;
        if (verdict.action == Verdict::Action::failed) ++tally.failed, tally.failures.push_back(verdict.failure);
        if (verdict.refuse) ++tally.refused;
    }

    /// Starts `count` at once, calls `in_the_middle` after `first` have ended, and runs until all have.
    template <class Action> Tally run_many(int count, int first, Action in_the_middle)
    {
        Tally tally;
        io.restart();
        for (int i = 0; i < count; ++i) {
            asio::co_spawn(io, inspect_one(*inspector, tally), [](std::exception_ptr bug) { EXPECT_FALSE(bug); });
        }
        while (tally.ended() < first && io.run_one() > 0) {
        }
        in_the_middle();
        while (tally.ended() < count && io.run_one() > 0) {
        }
        return tally;
    }

    /// Waits until a process is gone or a zombie: its socket is closed then.
    static void wait_for_end_of(int process_id)
    {
        while (::kill(process_id, 0) == 0) std::this_thread::yield();
    }
};

TEST_F(Pool, LosesOnlyTheRequestInFlightWhenAnInspectorIsKilled)
{
    start(settings_with(Mode::block));
    inspect(get("/"));
    const int victim = one_inspector();
    const auto tally = run_many(200, 50, [&] { ::kill(victim, SIGKILL); });
    EXPECT_LE(tally.failed, 1);
    EXPECT_EQ(tally.failed, tally.refused) << "on_failure: block";
    EXPECT_EQ(tally.passed, 200 - tally.failed);
    for (const auto& failure : tally.failures) EXPECT_EQ(failure, "inspector died");
    EXPECT_EQ(inspect(get("/")).action, Verdict::Action::pass);
    EXPECT_GE(processes->status().restarts, 1U);
}

TEST_F(Pool, LosesOnlyTheRequestInFlightWhenAnInspectorHangs)
{
    auto settings = settings_with(Mode::block);
    settings.on_failure = OnFailure::pass;
    start(settings);
    inspect(get("/"));
    const int victim = one_inspector();
    const auto tally = run_many(200, 50, [&] { ::kill(victim, SIGSTOP); });
    EXPECT_EQ(tally.failed, 1);
    EXPECT_EQ(tally.refused, 0) << "on_failure: pass";
    EXPECT_EQ(tally.passed, 199);
    for (const auto& failure : tally.failures) EXPECT_EQ(failure, "inspector hung");
    wait_for_end_of(victim);
    EXPECT_EQ(inspect(get("/")).action, Verdict::Action::pass);
}

TEST_F(Pool, LosesNothingWhenAnIdleInspectorIsKilled)
{
    start(settings_with(Mode::block));
    inspect(get("/"));
    const int victim = one_inspector();
    ::kill(victim, SIGKILL);
    wait_for_end_of(victim);
    EXPECT_EQ(inspect(get("/")).action, Verdict::Action::pass);
}

TEST_F(Pool, LosesNothingWhenAllIdleInspectorsAreKilled)
{
    start(settings_with(Mode::block));
    inspect(get("/"));
    // Another one is made when somebody waits and all have been busy for a while: these are stopped.
    std::vector<int> idle;
    const auto stop_all = [&] {
        idle = processes->process_ids();
        for (const int id : idle) ::kill(id, SIGSTOP);
    };
    Tally tally;
    constexpr int asked = 100;
    io.restart();
    for (int i = 0; i < asked; ++i)
        asio::co_spawn(io, inspect_one(*inspector, tally), [](std::exception_ptr bug) { EXPECT_FALSE(bug); });
    for (stop_all(); idle.size() < 4 && io.run_one() > 0; stop_all()) {
    }
    ASSERT_GE(idle.size(), 4U) << "more than are tried for one request";
    for (const int id : idle) ::kill(id, SIGCONT);
    while (tally.ended() < asked && io.run_one() > 0) {
    }
    for (const int id : idle) ::kill(id, SIGKILL);
    for (const int id : idle) wait_for_end_of(id);
    const auto verdict = inspect(get("/"));
    EXPECT_EQ(verdict.action, Verdict::Action::pass) << verdict.failure;
}

TEST_F(Pool, KeepsInspectingWhileTheTemplateIsDeadAndStartsAnother)
{
    start(settings_with(Mode::block));
    inspect(get("/"));
    const int dead = processes->template_process_id();
    const auto tally = run_many(200, 50, [&] { ::kill(dead, SIGKILL); });
    EXPECT_EQ(tally.passed, 200);
    while (processes->template_process_id() == dead || processes->template_process_id() == 0) std::this_thread::yield();
    for (const int last : processes->process_ids()) { // one, or two where a slow one was replaced meanwhile
        ::kill(last, SIGKILL);
        wait_for_end_of(last);
    }
    const auto verdict = inspect(get("/"));
    EXPECT_EQ(verdict.action, Verdict::Action::pass) << "waits for the new template: " << verdict.failure;
}

TEST_F(Pool, ReplaysTheRequestWhenItsInspectorDiedBeforeTheResponse)
{
    start(settings_with(Mode::block));
    const auto asked = get("/shop");
    const std::vector<http::Field> response_fields{{"Content-Type", "text/html"}};
    ResponseView response;
    response.status = 200;
    response.fields = response_fields;
    response.body = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server";
    Verdict verdict;
    const auto work = [&]() -> Task<> {
        std::vector<http::Field> fields;
        const auto view = asked.view(fields);
        const auto inspection = inspector->begin(0);
        const auto first = co_await inspection->request(view);
        EXPECT_EQ(first.action, Verdict::Action::pass);
        const int victim = one_inspector();
        ::kill(victim, SIGKILL);
        wait_for_end_of(victim);
        verdict = co_await inspection->response(response);
    };
    run(work);
    EXPECT_EQ(verdict.action, Verdict::Action::block) << verdict.failure;
}

TEST_F(Pool, ReplaysTheRequestWhenTheInspectorHadToForgetIt)
{
    start(settings_with(Mode::block));
    constexpr int many = 300;
    int passed = 0;
    const auto work = [&]() -> Task<> {
        std::vector<std::unique_ptr<Inspection>> open;
        const auto asked = get("/shop");
        std::vector<http::Field> fields;
        const auto view = asked.view(fields);
        for (int i = 0; i < many; ++i) {
            open.push_back(inspector->begin(0));
            const auto verdict = co_await open.back()->request(view);
            EXPECT_EQ(verdict.action, Verdict::Action::pass);
        }
        ResponseView response;
        response.status = 200;
        for (const auto& inspection : open) {
            const auto verdict = co_await inspection->response(response);
            passed += verdict.action == Verdict::Action::pass;
        }
    };
    run(work);
    EXPECT_EQ(passed, many);
}

TEST_F(Pool, RefusesWhatTheQueueCannotHold)
{
    auto settings = settings_with(Mode::block);
    settings.queue_limit = 10;
    start(settings);
    inspect(get("/"));
    const auto tally = run_many(50, 0, [] {});
    EXPECT_EQ(tally.passed, 11);
    EXPECT_EQ(tally.failed, 39);
    for (const auto& failure : tally.failures) EXPECT_EQ(failure, "queue full");
}

TEST_F(Pool, CountsWhatItDid)
{
    start(settings_with(Mode::block));
    inspect(get("/"));
    inspect(get("/?q=1'%20or%20'1'='1"));
    const auto status = processes->status();
    EXPECT_EQ(status.inspectors, 1);
    EXPECT_EQ(status.inspected, 2U);
    EXPECT_EQ(status.blocked, 1U);
    EXPECT_EQ(status.failed, 0U);
    EXPECT_THAT(status.rules, ::testing::MatchesRegex("OWASP_CRS/[0-9]+\\.[0-9]+\\.[0-9]+, [0-9]+ rules"));
}

TEST_F(Pool, LeavesNoProcessBehind)
{
    start(settings_with(Mode::block));
    inspect(get("/"));
    const int child = one_inspector();
    const int parent = processes->template_process_id();
    inspector.reset();
    processes.reset();
    EXPECT_NE(::kill(parent, 0), 0);
    wait_for_end_of(child);
}

TEST_F(Pool, EndsAnInspectionThatIsDroppedHalfWay)
{
    start(settings_with(Mode::block));
    asio::cancellation_signal stop;
    bool ended = false;
    Tally tally;
    asio::co_spawn(io, inspect_one(*inspector, tally),
                   asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { ended = true; }));
    io.restart();
    io.poll_one();
    stop.emit(asio::cancellation_type::terminal);
    while (!ended && io.run_one() > 0) {
    }
    EXPECT_EQ(inspect(get("/")).action, Verdict::Action::pass) << "the next one is not given its answer";
}

} // namespace
} // namespace gw::waf
