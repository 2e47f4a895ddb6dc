#include "gateway/base/thread.h"

#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <linux/stat.h>
#include <sched.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gw {

namespace {

/// No descriptor has a higher number (man 5 proc_pid_status).
int table_size()
{
    std::ifstream status{"/proc/thread-self/status"};
    for (std::string word; status >> word;)
        if (int size = 0; word == "FDSize:" && status >> size) return size;
    return 1024;
}

// By number, not by the functions of the C library: a thread sanitizer knows of one table only, and would take what
// happens to the same number in two for a race.

/// They are of no type, as fstat(2) has it.
bool wakes_a_loop(int number)
{
    struct statx about {};
    return ::syscall(SYS_statx, number, "", AT_EMPTY_PATH, STATX_TYPE, &about) == 0 && (about.stx_mode & S_IFMT) == 0;
}

void close_quietly(int number) { ::syscall(SYS_close, number); }

} // namespace

void take_no_signals() noexcept
{
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

void keep_only_descriptors(const std::vector<int>& kept)
{
    take_no_signals();
    const int end = 2 * table_size(); // the others may open some until the next line
    if (::unshare(CLONE_FILES) != 0) return;
    for (int number = STDERR_FILENO + 1; number < end; ++number)
        if (std::find(kept.begin(), kept.end(), number) == kept.end() && !wakes_a_loop(number)) close_quietly(number);
}

} // namespace gw
