#pragma once

#include "tests/end_to_end/load.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <unistd.h>

namespace gw::lab {

/// The folder first in PATH makes `iptables` mean the variant, for everybody in this process and for the gateway.
class IptablesLab : public Appliance {
protected:
    virtual std::string variant() const = 0; ///< "nft", "legacy"

    void SetUp() override
    {
        Appliance::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        const std::string program = program_of(variant());
        if (::access(program.c_str(), X_OK) != 0) GTEST_SKIP() << "there is no " << program;
        host_chooses(variant());
        const char* path = ::getenv("PATH");
        path_before_ = path == nullptr ? "" : path;
        ::setenv("PATH", (folder_.path("") + ':' + path_before_).c_str(), 1);
        const auto listed = run({"iptables", "-t", "mangle", "-L"}, network.gateway().place());
        if (listed.exit_code != 0) GTEST_SKIP() << "the kernel has no " << variant() << " tables: " << listed.err;
    }
    ~IptablesLab() override
    {
        if (!path_before_.empty()) ::setenv("PATH", path_before_.c_str(), 1);
    }

    static constexpr std::string_view by_iptables = "kernel: {backend: iptables}\n";

    static std::string web(const std::string& more = "", const std::string& ports = "[80, 443, 8000-8100]")
    {
        return "listeners:\n  - name: web\n    intercept: {to: [10.0.2.0/24, \"fd00:2::/64\"], ports: " + ports + more +
               "}\n" + std::string(by_iptables);
    }

    static std::string closing(const std::string& when_down, const std::string& mode = "tproxy")
    {
        return web(", mode: " + mode + ", when_down: " + when_down, "[80]") + std::string(CountingSite::marking);
    }

    static std::string program_of(const std::string& variant) { return "/usr/sbin/xtables-" + variant + "-multi"; }
    /// As `update-alternatives` does.
    void host_chooses(const std::string& variant) const
    {
        for (const char* family : {"iptables", "ip6tables"})
            for (const char* verb : {"", "-save", "-restore"}) {
                const std::filesystem::path link = folder_.path(std::string(family) + verb);
                std::filesystem::remove(link);
                std::filesystem::create_symlink(program_of(variant), link);
            }
    }

    std::string does(const std::string& command) const
    {
        const auto done = run({"sh", "-c", command}, network.gateway().place());
        EXPECT_EQ(done.exit_code, 0) << command << ": " << done.out << done.err;
        return done.out;
    }
    /// All rules of both families, without counters, times and tables that hold nothing.
    std::string rules() const { return rules_shown_by("iptables-save; ip6tables-save"); }
    std::string rules_of(const std::string& variant) const
    {
        return rules_shown_by("iptables-" + variant + "-save; ip6tables-" + variant + "-save");
    }
    std::string rules_shown_by(const std::string& programs) const
    {
        std::istringstream lines(does(programs));
        std::string kept;
        for (std::string line; std::getline(lines, line);)
            if (line.starts_with("-A") || (line.starts_with(":") && line.find(" - ") != std::string::npos))
                kept += line.substr(0, line.find(" [")) + '\n';
        return kept;
    }
    std::string policy() const
    {
        return does("ip rule; ip -6 rule; ip route show table 7373; ip -6 route show table 7373; true");
    }
    Json status() const { return Json::parse(gateway.ctl({"status", "--json"}).out, nullptr, false); }

    Folder folder_;
    std::string path_before_;
};

class Iptables : public IptablesLab, public ::testing::WithParamInterface<const char*> {
protected:
    std::string variant() const override { return GetParam(); }
};

} // namespace gw::lab
