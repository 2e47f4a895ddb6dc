// The template that hangs: noticed, replaced, and never left behind; the same for its inspectors.

#include "tests/waf/inspection_lab.h"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace gw::waf {

namespace {

bool exists(int process_id) { return ::kill(process_id, 0) == 0; }

/// True when it is gone before the patience of a slow machine is over.
bool ends(int process_id)
{
    const auto limit = Deadline::Clock::now() + std::chrono::seconds(20);
    while (exists(process_id) && Deadline::Clock::now() < limit) std::this_thread::yield();
    return !exists(process_id);
}

class Template : public InspectionLab {
protected:
    void SetUp() override
    {
        start(settings_with(Mode::block));
        ASSERT_EQ(inspect(get("/")).action, Verdict::Action::pass);
        template_id = processes->template_process_id();
        inspector_id = one_inspector();
    }
    bool another_template_runs() const
    {
        const int now = processes->template_process_id();
        return now != 0 && now != template_id;
    }

    int template_id = 0;
    int inspector_id = 0;
};

TEST_F(Template, IsReplacedWhenItHangs)
{
    ::kill(template_id, SIGSTOP);
    ::kill(inspector_id, SIGKILL);
    ASSERT_TRUE(ends(inspector_id));
    const auto verdict = inspect(get("/"));
    EXPECT_EQ(verdict.action, Verdict::Action::pass) << "waits for the next template: " << verdict.failure;
    EXPECT_TRUE(another_template_runs());
    EXPECT_TRUE(ends(template_id));
    EXPECT_EQ(inspect(get("/?q=1'%20or%20'1'='1")).action, Verdict::Action::block);
}

TEST_F(Template, LeavesTheLiveInspectorsAtWorkWhileItHangs)
{
    ::kill(template_id, SIGSTOP);
    const auto unanswered = processes->spawn();
    ASSERT_TRUE(unanswered);
    int passed = 0;
    for (; !another_template_runs(); ++passed) {
        const auto verdict = inspect(get("/"));
        ASSERT_EQ(verdict.action, Verdict::Action::pass) << verdict.failure;
    }
    EXPECT_GT(passed, 0);
    EXPECT_EQ(one_inspector(), inspector_id) << "the first one still serves";
    processes->forget(unanswered->number);
    EXPECT_GE(processes->status().restarts, 1U);
}

TEST_F(Template, IsNotNeededToEndAnInspectorThatHangs)
{
    ::kill(inspector_id, SIGSTOP);
    ::kill(template_id, SIGKILL);
    ASSERT_TRUE(ends(template_id));
    const auto verdict = inspect(get("/"));
    EXPECT_EQ(verdict.failure, "inspector hung");
    EXPECT_TRUE(verdict.refuse);
    EXPECT_TRUE(ends(inspector_id));
    EXPECT_EQ(inspect(get("/")).action, Verdict::Action::pass);
}

TEST_F(Template, LetsInspectorsComeBehindTheWorkers)
{
    start(settings_with(Mode::block));
    inspect(get("/"));
    const auto niceness = [](int process_id) { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(process_id)); };
    if (niceness(0) > 14) GTEST_SKIP() << "this process is too nice to be surpassed";
    EXPECT_EQ(niceness(one_inspector()), niceness(0) + 5);
    EXPECT_EQ(niceness(processes->template_process_id()), niceness(0)) << "everybody waits while it reads the rules";
}

TEST_F(Template, EndsWithTheDataProcessEvenWhenItIsStopped)
{
    ::kill(template_id, SIGSTOP);
    ::kill(inspector_id, SIGSTOP);
    const auto began = Deadline::Clock::now();
    inspector.reset();
    processes.reset();
    EXPECT_FALSE(exists(template_id));
    EXPECT_FALSE(exists(inspector_id));
    EXPECT_LT(Deadline::Clock::now() - began, std::chrono::milliseconds(1'500)) << "nobody waits for it to move";
}

// A data process of its own, which says what it started.
pid_t start_data_process(int out)
{
    const pid_t child = ::fork();
    if (child != 0) return child;
    auto started = InspectorProcesses::start(settings_with(Mode::block), GW_PROGRAM_DIR "/gateway-inspector");
    if (!started) ::_exit(1);
    const auto made = std::static_pointer_cast<Processes>(*started);
    const auto fresh = made->spawn();
    std::array<int, 2> ids{made->template_process_id(), 0};
    while (made->process_ids().empty()) std::this_thread::yield();
    ids[1] = made->process_ids().front();
    if (::write(out, ids.data(), sizeof(ids)) != sizeof(ids)) ::_exit(1);
    for (;;) ::pause();
}

int signal_that_ended(pid_t process_id)
{
    int status = 0;
    if (::waitpid(process_id, &status, 0) != process_id) return -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(StoppedProcesses, EndWhenTheDataProcessIsKilled)
{
    // Orphans come to this process, so it sees how they ended.
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    const pid_t data = start_data_process(pipe[1]);
    ::close(pipe[1]);
    std::array<int, 2> ids{};
    ASSERT_EQ(::read(pipe[0], ids.data(), sizeof(ids)), static_cast<ssize_t>(sizeof(ids)));
    for (const int id : ids) ::kill(id, SIGSTOP);
    ::kill(data, SIGKILL);
    EXPECT_EQ(signal_that_ended(data), SIGKILL);
    for (const int id : ids) EXPECT_EQ(signal_that_ended(id), SIGKILL);
    ::close(pipe[0]);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

} // namespace
} // namespace gw::waf
