// The rule set's own regression tests, sent by their runner through the whole product. GW_CRS_REGRESSION names a folder
// with the tests and `run.py`; the programs are those beside this one, or in GW_PROGRAM_DIR.
// GW_CRS_INCLUDE: only tests whose titles match this; GW_CRS_KEEP: a folder for what the run left.

#include "tests/support/lab.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

namespace gw::lab {

namespace {

// The engine's bound failures, and requests that are refused before any rule sees them.
constexpr int least_passed = 2'350;
constexpr Milliseconds run_limit{15 * 60'000};

/// What the access log says of matches, in the lines the runner looks for.
class Findings {
public:
    Findings(std::string from, const std::string& into) : from_(std::move(from)), into_(into) {}

    void follow()
    {
        std::ifstream in(from_);
        in.seekg(static_cast<std::streamoff>(read_bytes_));
        const std::string text(std::istreambuf_iterator<char>{in}, {});
        const auto whole = text.substr(0, text.rfind('\n') + 1);
        read_bytes_ += whole.size();
        std::istringstream lines(whole);
        for (std::string line; std::getline(lines, line);) take(line);
        into_.flush();
    }
    const std::vector<std::string>& failures() const { return failures_; }

private:
    void take(const std::string& line)
    {
        const auto record = Json::parse(line, nullptr, false);
        if (!record.is_object() || !record.contains("waf")) return;
        const auto& waf = record["waf"];
        std::string findings;
        for (const auto& match : waf.value("matches", Json::array()))
            findings +=
                "[id \"" + std::to_string(match.value("rule", 0)) + "\"] [msg " + match["message"].dump() + "] ";
        if (!findings.empty()) into_ << findings << '\n';
        if (waf.contains("failure")) failures_.push_back(waf["failure"].get<std::string>() + ": " + line);
    }

    std::string from_;
    std::ofstream into_;
    std::size_t read_bytes_ = 0;
    std::vector<std::string> failures_;
};

class CrsRegression : public Appliance {
protected:
    void SetUp() override
    {
        const char* named = std::getenv("GW_CRS_REGRESSION");
        if (named == nullptr) GTEST_SKIP() << "GW_CRS_REGRESSION does not name a folder with the rule set's tests";
        if (!std::filesystem::exists(Gateway::program_file("gatewayd"))) GTEST_SKIP() << "gatewayd is not built";
        given = named;
        Appliance::SetUp();
    }

    /// The packaged rules, with what the runner wants said before them.
    std::string rule_files() const
    {
        Process asking({"python3", given + "/run.py", "--print-setup"});
        std::vector<std::string> files;
        const std::string folder = "/usr/share/modsecurity-crs/rules";
        for (const auto& file : std::filesystem::directory_iterator(folder)) {
            if (file.path().extension() == ".conf") files.push_back(file.path().string());
        }
        std::sort(files.begin(), files.end());
        std::string list = "/etc/modsecurity/crs/crs-setup.conf, " + work.write("markers.conf", asking.wait().out);
        for (const auto& file : files) list += ", " + file;
        return list;
    }

    /// Runs the runner to its end, and gives what it said.
    Output runs(Findings& findings) const
    {
        Command command{"python3",  given + "/run.py",       "--target", "10.0.2.11:80",
                        "--log",    work.path("found.log"),  "--tests",  given + "/tests",
                        "--failed", work.path("failed.txt"), "--dump",   work.path("dump.json")};
        if (const char* more = std::getenv("GW_CRS_INCLUDE")) command.insert(command.end(), {"--include", more});
        Process runner(std::move(command), network.clients().place());
        const auto limit = std::chrono::steady_clock::now() + run_limit;
        while (runner.running() && std::chrono::steady_clock::now() < limit) {
            findings.follow();
            std::this_thread::sleep_for(Milliseconds{1}); // between two looks at a growing file
        }
        return runner.wait();
    }

    std::string given;
    Folder work;
};

int count_before(const std::string& text, const std::string& word)
{
    const auto at = text.find(' ' + word);
    if (at == std::string::npos) return -1;
    const auto begin = text.find_last_not_of("0123456789", at - 1);
    return std::atoi(text.c_str() + (begin == std::string::npos ? 0 : begin + 1));
}

TEST_F(CrsRegression, PassesAsManyAsTheEngineCan)
{
    const Origin origin(network.servers(), "10.0.2.11:80", answers(answer(200, "")));
    gateway.runs_with("listeners:\n  - name: web\n    intercept: {to: [10.0.2.0/24], ports: [80]}\n"
                      "workers: 1\nlogs: {access: {to: " +
                      work.path("access.log") + "}}\nwaf: {mode: detect, rules: [" + rule_files() + "]}\n");
    Findings findings(work.path("access.log"), work.path("found.log"));
    const auto said = runs(findings);
    std::cout << said.out << said.err << read_file(work.path("failed.txt"));
    for (const auto& failure : findings.failures()) std::cout << "not inspected to the end: " << failure << '\n';
    if (const char* kept = std::getenv("GW_CRS_KEEP")) {
        for (const auto* file : {"failed.txt", "dump.json", "found.log", "access.log"})
            std::filesystem::copy_file(work.path(file), std::string(kept) + "/" + file,
                                       std::filesystem::copy_options::overwrite_existing);
    }
    const int least = std::getenv("GW_CRS_INCLUDE") == nullptr ? least_passed : 1;
    EXPECT_GE(count_before(said.out, "passed"), least) << gateway.log();
}

} // namespace
} // namespace gw::lab
