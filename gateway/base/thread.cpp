#include "gateway/base/thread.h"

#include <algorithm>
#include <sched.h>
#include <unistd.h>

namespace gw {

void keep_only_descriptors(std::vector<int> kept)
{
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    if (::unshare(CLONE_FILES) != 0) return;
    std::sort(kept.begin(), kept.end());
    unsigned next = 0;
    for (const int each : kept) {
        const auto number = static_cast<unsigned>(each);
        if (number > next) ::close_range(next, number - 1, 0);
        next = number + 1;
    }
    ::close_range(next, ~0U, 0);
}

} // namespace gw
