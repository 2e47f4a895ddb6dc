#pragma once

#include "gateway/base/result.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace gw::netfilter {

/// What a program has said, and how it ended.
struct Ran {
    int status = 0; ///< its exit status; 128 and the signal's number when one ended it
    std::string out;
    std::string err;
};

/// Where the program is: looked for in PATH, then where a system keeps such programs; empty: nowhere.
std::string program_file(std::string_view name);

/// Runs `words[0]`, a file, without a shell, gives it `input` to read, and waits for its end. `environment` is added to
/// that of this process. Errors: `system` when it cannot be started, `timed_out` when it takes longer, in which case it
/// is killed.
Result<Ran> run_program(const std::vector<std::string>& words, std::string_view input, std::chrono::milliseconds limit,
                        const std::vector<std::string>& environment = {});

/// What it says when it ends well. Errors: as of `run_program`; `system` with the program's own words, and the line of
/// `input` that they mean.
Result<std::string> output_of(const std::vector<std::string>& words, const std::string& input,
                              std::chrono::milliseconds limit, const std::vector<std::string>& environment = {});

} // namespace gw::netfilter
