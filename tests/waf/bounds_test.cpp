// No request burns more CPU than the settings allow, whatever is in it, and one that hits a bound is refused.

#include "tests/waf/inspection_lab.h"
#include "waf/engine/cost.h"

#include <fstream>
#include <sstream>
#include <thread>
#include <unistd.h>

namespace gw::waf {

namespace {

using Bounds = InspectionLab;

std::string escaped(std::string_view text)
{
    std::string out;
    for (const unsigned char c : text) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        ((out += '%') += digits[c >> 4]) += digits[c & 15];
    }
    return out;
}

// The head of a tag, then one short unit of punctuation again and again: without a limit the engine needs more than 30
// seconds for 6,000 of them.
Asked slow_form(std::string_view unit, std::size_t size_bytes)
{
    return post(form_type, "a=%3C" + escaped(repeated(unit, size_bytes / 3)));
}

void expect_refused_for_a_limit(const Verdict& verdict, const std::string& what)
{
    EXPECT_EQ(verdict.action, Verdict::Action::failed) << what;
    EXPECT_TRUE(verdict.refuse) << what;
    EXPECT_TRUE(verdict.failure.find("limit") != std::string::npos || verdict.failure == "too many arguments")
        << what << ": " << verdict.failure;
}

TEST_F(Bounds, RefuseABodyMadeToBacktrackEvenWhenFailuresPass)
{
    auto settings = settings_with(Mode::block);
    settings.on_failure = OnFailure::pass;
    start(settings);
    for (const auto* unit : {":", ":;", "=:", "(:"}) {
        for (const std::size_t size_bytes : {12'000U, 24'000U})
            expect_refused_for_a_limit(inspect(slow_form(unit, size_bytes)), unit);
    }
    EXPECT_EQ(inspect(get("/after")).action, Verdict::Action::pass);
}

TEST_F(Bounds, HoldUpToTheBodyLimit)
{
    auto settings = settings_with(Mode::block);
    settings.deadline =
        std::chrono::seconds{30}; // instrumented, on a busy machine: it is the other bound that is meant
    start(settings);
    constexpr std::size_t most = 1024 * 1024;
    const std::string quotes = "a=" + repeated("' or 1=1 -- ", most - 20);
    expect_refused_for_a_limit(inspect(post(form_type, quotes)), "quotes");
    expect_refused_for_a_limit(inspect(post(form_type, repeated("a=1&", most - 4))), "arguments");
    expect_refused_for_a_limit(inspect(post("application/json", "[" + repeated("1,", most - 10) + "1]")), "JSON array");
    // A second of matching, were it let; markup with little text is at the edge, and may well pass.
    expect_refused_for_a_limit(inspect(post("text/xml", "<a>" + repeated("' or 1=1 -- ", most - 30) + "</a>")), "XML");
    EXPECT_EQ(inspect(get("/after")).action, Verdict::Action::pass);
}

TEST_F(Bounds, DoNotRefuseInDetectMode)
{
    start(settings_with(Mode::detect));
    const auto verdict = inspect(slow_form(":", 24'000));
    EXPECT_EQ(verdict.action, Verdict::Action::failed);
    EXPECT_FALSE(verdict.refuse);
    EXPECT_EQ(verdict.failure, "matching limit reached");
}

// utime and stime of a process and the children it waited for, in clock ticks.
long cpu_ticks_of(int process_id)
{
    std::ifstream file{"/proc/" + std::to_string(process_id) + "/stat"};
    std::string text{std::istreambuf_iterator<char>(file), {}};
    std::istringstream fields{text.substr(std::min(text.size(), text.rfind(')') + 2))};
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    long own_user = 0;
    long own_system = 0;
    long children_user = 0;
    long children_system = 0;
    fields >> own_user >> own_system >> children_user >> children_system;
    return own_user + own_system + children_user + children_system;
}

TEST_F(Bounds, HoldInCpuTimeOfTheProcesses)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "CPU time means nothing under a sanitizer";
#endif
    start(settings_with(Mode::block));
    constexpr int count = 10;
    const std::string quotes = "a=" + repeated("' or 1=1 -- ", 1'000'000);
    const long before = cpu_ticks_of(processes->template_process_id());
    for (int i = 0; i < count; ++i) expect_refused_for_a_limit(inspect(post(form_type, quotes)), "quotes");
    inspector.reset();
    while (!processes->process_ids().empty()) std::this_thread::yield();
    const long spent_ms = (cpu_ticks_of(processes->template_process_id()) - before) * 1'000 / ::sysconf(_SC_CLK_TCK);
    RecordProperty("cpu_ms_per_bomb", static_cast<int>(spent_ms / count));
    EXPECT_LE(spent_ms / count, 130) << "100 ms, the clock's grain, and another inspector each";
}

TEST_F(Bounds, AreNotReachedByOrdinaryRequests)
{
    start(settings_with(Mode::block));
    std::string text;
    while (text.size() < 16'000) text += "The quick brown fox, as they say; it's 10% faster (really!). ";
    for (const auto& asked :
         {get("/a/b/c.html?x=1&y=two&z=%20three"), post(form_type, "user=alice&text=" + escaped(text)),
          post("application/json", R"({"items":[{"id":1,"name":"chair"},{"id":2,"name":"table"}]})"),
          post(form_type, repeated("field=value&", 1'200))}) {
        const auto verdict = inspect(asked);
        EXPECT_NE(verdict.action, Verdict::Action::failed)
            << asked.target << asked.body.substr(0, 30) << verdict.failure;
    }
}

TEST(InputCount, IsNeverBelowWhatTheEngineMakes)
{
    std::vector<http::Field> fields;
    const auto count = [&](const Asked& asked) { return count_inputs(asked.view(fields)) - fields.size(); };
    EXPECT_EQ(count(get("/")), 2) << "two more cookies";
    EXPECT_EQ(count(get("/?a=1&b&c=3")), 2 + 3);
    EXPECT_EQ(count(post(form_type, "a&b&c&")), 2 + 4);
    EXPECT_EQ(count(post("", "a&b")), 2 + 2);
    EXPECT_EQ(count(post("text/plain", "a&b")), 2 + 2);
    EXPECT_EQ(count(post("image/png", "a&b")), 2);
    EXPECT_GE(count(post("application/json", "[1,2,3]")), 2 + 3);
    EXPECT_GE(count(post("application/json", R"({"a":1,"b":[1,{"c":2}]})")), 2 + 3);
    EXPECT_GE(count(post("multipart/form-data; boundary=x", "--x\r\n\r\n--x\r\n\r\n--x--")), 2 + 2);
}

} // namespace
} // namespace gw::waf
