#pragma once

#include <cstdio>
#include <string>
#include <sys/wait.h>

namespace gw::ctl::testing {

struct Ran {
    int exit = -1;
    std::string output; ///< what it wrote to standard output
};

inline Ran run_shell(const std::string& command)
{
    Ran ran;
    auto* pipe = ::popen(command.c_str(), "r");
    if (!pipe) return ran;
    char bytes[4096];
    for (std::size_t count = 0; (count = ::fread(bytes, 1, sizeof bytes, pipe)) > 0;) ran.output.append(bytes, count);
    const int status = ::pclose(pipe);
    ran.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ran;
}

} // namespace gw::ctl::testing
