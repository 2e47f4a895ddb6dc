#pragma once

#include "tests/bench/exchange.h"

#include <chrono>
#include <netinet/in.h>
#include <vector>

namespace gw::bench {

using Clock = std::chrono::steady_clock;

/// How much and how fast. The load ends with whichever limit comes first.
struct Load {
    sockaddr_in to{};
    bool datagrams = false;
    std::size_t connections = 1;
    std::chrono::milliseconds at_most{1'000};
    std::uint64_t count = 10'000'000;
    double per_second = 0;            ///< 0: each connection asks again as soon as it was answered
    std::chrono::seconds patience{5}; ///< for one answer
    bool hold = false;                ///< one exchange each, then idle until standard input ends, then one each again
};

/// What came of it.
struct Outcome {
    std::uint64_t done = 0, failed = 0;
    std::uint64_t bytes = 0; ///< of bodies, both ways
    double seconds = 0;
    std::string first_failure{};
    std::vector<float> latencies_us{}; ///< of each exchange: from when it was due, whenever it was sent
};

/// Runs the load in this thread.
Outcome run(const Load& load, const Wish& wish);

/// The value below which that share of the values lies; 0 of none. Sorts them.
double percentile(std::vector<float>& values, double share);

} // namespace gw::bench
