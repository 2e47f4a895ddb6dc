// Each test runs the sandbox in a child of its own, where it tries what must be refused.

#include "tests/waf/inspection_lab.h"
#include "waf/engine/sandbox.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gw::waf {

namespace {

enum class Room { template_process, inspector };

/// True when `attempt` is refused (answers with a negative number) inside the sandbox.
bool is_refused(Room room, const std::function<long()>& attempt)
{
    const pid_t child = ::fork();
    if (child == 0) {
        if (!drop_privileges(3) || !restrict_template()) ::_exit(10);
        if (room == Room::inspector && !restrict_inspector()) ::_exit(11);
        ::_exit(attempt() < 0 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) < 2) << "status " << status;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0) { return ::syscall(number, a, b, c, d); }
long text(const char* value) { return reinterpret_cast<long>(value); }

struct Forbidden {
    const char* name;
    std::function<long()> attempt;
};

const std::vector<Forbidden>& forbidden_to_both()
{
    static const std::vector<Forbidden> all{
        {"openat", [] { return call(SYS_openat, AT_FDCWD, text("/etc/passwd"), O_RDONLY); }},
        {"openat to write", [] { return call(SYS_openat, AT_FDCWD, text("/tmp/x"), O_CREAT | O_WRONLY, 0600); }},
        {"open", [] { return call(SYS_open, text("/etc/passwd"), O_RDONLY); }},
        {"stat", [] { return call(SYS_access, text("/"), F_OK); }},
        {"unlink", [] { return call(SYS_unlink, text("/tmp/none")); }},
        {"execve", [] { return call(SYS_execve, text("/bin/true")); }},
        {"execveat", [] { return call(SYS_execveat, AT_FDCWD, text("/bin/true")); }},
        {"socket inet", [] { return call(SYS_socket, AF_INET, SOCK_STREAM, 0); }},
        {"socket unix", [] { return call(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }},
        {"socketpair", [] { return call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0); }},
        {"connect", [] { return call(SYS_connect, 3, 0, 0); }},
        {"bind", [] { return call(SYS_bind, 3, 0, 0); }},
        {"ptrace", [] { return call(SYS_ptrace, PTRACE_ATTACH, ::getpid()); }},
        {"process_vm_readv", [] { return call(SYS_process_vm_readv, ::getpid()); }},
        {"mount", [] { return call(SYS_mount, text("a"), text("/"), text("tmpfs")); }},
        {"unshare", [] { return call(SYS_unshare, CLONE_NEWUSER); }},
        {"clone into a namespace", [] { return call(SYS_clone, CLONE_NEWUSER | SIGCHLD); }},
        {"clone3", [] { return call(SYS_clone3); }},
        {"setuid", [] { return call(SYS_setuid, 0); }},
        {"bpf", [] { return call(SYS_bpf, 0); }},
        {"keyctl", [] { return call(SYS_keyctl, 0); }},
        {"io_uring_setup", [] { return call(SYS_io_uring_setup, 1); }},
        {"memfd_create", [] { return call(SYS_memfd_create, text("x"), 0); }},
        {"executable memory",
         [] { return call(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS); }},
    };
    return all;
}

TEST(Sandbox, RefusesBothProcessesWhatTheyDoNotNeed)
{
    for (const auto& one : forbidden_to_both()) {
        EXPECT_TRUE(is_refused(Room::template_process, one.attempt)) << one.name << " in the template";
        EXPECT_TRUE(is_refused(Room::inspector, one.attempt)) << one.name << " in an inspector";
    }
}

TEST(Sandbox, RefusesAnInspectorWhatOnlyTheTemplateMay)
{
    EXPECT_FALSE(is_refused(Room::template_process, [] { return call(SYS_getpid); })) << "the sandbox itself works";
    EXPECT_FALSE(is_refused(Room::inspector, [] { return call(SYS_getpid); }));
    EXPECT_TRUE(is_refused(Room::inspector, [] { return call(SYS_clone, SIGCHLD); }));
    EXPECT_TRUE(is_refused(Room::inspector, [] { return call(SYS_kill, ::getpid(), 0); }));
    EXPECT_TRUE(is_refused(Room::inspector, [] { return call(SYS_recvmsg, 3, 0); }));
    EXPECT_TRUE(is_refused(Room::inspector, [] { return call(SYS_prctl, 0); }));
}

TEST(Sandbox, AllowsAnInspectorFewCalls)
{
    EXPECT_LE(inspector_calls().size(), 25U);
    EXPECT_LE(template_calls().size(), 45U);
}

std::string status_line(int process_id, const std::string& name)
{
    std::ifstream file{"/proc/" + std::to_string(process_id) + "/status"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name + ":")) return line.substr(line.find_first_not_of(" \t", name.size() + 1));
    }
    return "?";
}

using SandboxOfTheProgram = InspectionLab;

TEST_F(SandboxOfTheProgram, LeavesNoCapabilityNoIdentityAndOneDescriptor)
{
    start(settings_with(Mode::block));
    inspect(get("/"));
    for (const int id : {one_inspector(), processes->template_process_id()}) {
        EXPECT_EQ(status_line(id, "CapEff"), "0000000000000000");
        EXPECT_EQ(status_line(id, "CapPrm"), "0000000000000000");
        EXPECT_EQ(status_line(id, "NoNewPrivs"), "1");
        EXPECT_EQ(status_line(id, "Seccomp"), "2");
        if (::geteuid() == 0) {
            EXPECT_EQ(status_line(id, "Uid"), "65534\t65534\t65534\t65534");
            EXPECT_EQ(status_line(id, "CapBnd"), "0000000000000000");
        }
    }
    if (::geteuid() != 0) GTEST_SKIP() << "the descriptors of a process that is not dumpable are root's to see";
    const auto folder = std::filesystem::directory_iterator("/proc/" + std::to_string(one_inspector()) + "/fd");
    EXPECT_LE(std::distance(begin(folder), end(folder)), 4) << "0, 1, 2 and its socket";
}

} // namespace
} // namespace gw::waf
