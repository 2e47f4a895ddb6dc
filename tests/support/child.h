#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <grp.h>
#include <linux/capability.h>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What a test does as somebody else, or without something, it does in a child of its own. Only while the test has no
// other thread.

namespace gw::lab {

/// The exit status of a child that does this.
inline int in_a_child(const std::function<int()>& work)
{
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// What a child without root and without capabilities has to say: root becomes nobody there, others stay who they are.
inline std::string said_by_an_ordinary_user(const std::function<std::string()>& work)
{
    constexpr uid_t nobody = 65'534;
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return "no pipe";
    const int status = in_a_child([&] {
        const bool was_root = ::geteuid() == 0;
        if (was_root && (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
                         ::setresuid(nobody, nobody, nobody) != 0))
            return 1;
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        std::array<__user_cap_data_struct, 2> none{};
        if (::syscall(SYS_capset, &header, none.data()) != 0) return 2;
        const auto said = work();
        return ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 3;
    });
    ::close(ends[1]);
    std::string said;
    std::array<char, 4096> part{};
    for (ssize_t count = 0; (count = ::read(ends[0], part.data(), part.size())) > 0;)
        said.append(part.data(), static_cast<std::size_t>(count));
    ::close(ends[0]);
    return status == 0 ? said : "the child ended with " + std::to_string(status);
}

} // namespace gw::lab
