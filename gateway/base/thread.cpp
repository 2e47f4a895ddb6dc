#include "gateway/base/thread.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sched.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace gw {

namespace {

std::vector<int> open_descriptors()
{
    std::vector<int> numbers;
    std::error_code failed;
    for (std::filesystem::directory_iterator at("/proc/thread-self/fd", failed), end; !failed && at != end;
         at.increment(failed)) {
        const auto name = at->path().filename().string();
        int number = -1;
        std::from_chars(name.data(), name.data() + name.size(), number);
        numbers.push_back(number);
    }
    return numbers;
}

/// They are of no type, as fstat(2) has it.
bool wakes_a_loop(int number)
{
    struct stat about {};
    return ::fstat(number, &about) == 0 && (about.st_mode & S_IFMT) == 0;
}

} // namespace

void keep_only_descriptors(const std::vector<int>& kept)
{
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    if (::unshare(CLONE_FILES) != 0) return;
    for (const int number : open_descriptors()) {
        const bool is_kept = number <= STDERR_FILENO || std::find(kept.begin(), kept.end(), number) != kept.end();
        if (!is_kept && !wakes_a_loop(number)) ::close(number);
    }
}

} // namespace gw
