#pragma once

#include "gateway/base/descriptor.h"

#include <fcntl.h>
#include <functional>
#include <sched.h>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace gw::netfilter::testing {

/// A network namespace of its own that nobody else can see by name. It is gone when the last descriptor is closed, so
/// nothing stays behind however the test ends.
class Namespace {
public:
    Namespace()
    {
        std::thread([this] {
            if (::unshare(CLONE_NEWNET) != 0) return;
            const std::string path = "/proc/self/task/" + std::to_string(::syscall(SYS_gettid)) + "/ns/net";
            handle_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        }).join();
        if (made()) shell("ip link set lo up");
    }

    bool made() const { return handle_.is_open(); }

    /// Runs `work` on a thread inside; sockets opened there stay inside.
    void inside(const std::function<void()>& work) const
    {
        std::thread([&] {
            if (::setns(handle_.number(), CLONE_NEWNET) == 0) work();
        }).join();
    }
    /// Runs a shell command inside; what it printed.
    std::string shell(const std::string& command) const
    {
        std::string printed;
        inside([&] {
            FILE* out = ::popen(("exec 2>&1; " + command).c_str(), "r");
            char piece[4096];
            while (const auto size = std::fread(piece, 1, sizeof piece, out)) printed.append(piece, size);
            ::pclose(out);
        });
        return printed;
    }
    /// A pair of interfaces, `here` in this namespace and `there` in the other.
    void cable(const std::string& here, const Namespace& other, const std::string& there) const
    {
        shell("ip link add " + here + " type veth peer name " + there + " netns /proc/" + std::to_string(::getpid()) +
              "/fd/" + std::to_string(other.handle_.number()));
    }

private:
    Descriptor handle_;
};

inline bool is_root() { return ::geteuid() == 0; }

} // namespace gw::netfilter::testing
