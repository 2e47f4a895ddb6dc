// Which of nft and iptables is chosen, where the kernel has not both.

#include "netfilter/install.h"
#include "netfilter/iptables_owner.h"
#include "tests/netfilter/namespaces.h"
#include "tests/netfilter/plans.h"

#include <cerrno>
#include <cstddef>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

constexpr int system_call_at = offsetof(seccomp_data, nr);
constexpr int first_argument_at = offsetof(seccomp_data, args[0]);
constexpr int third_argument_at = offsetof(seccomp_data, args[2]);

/// From now on the kernel has no netlink of netfilter, for this process and what it starts: no nft, and no iptables on
/// nf_tables.
bool lose_netfilters_netlink()
{
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, system_call_at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, first_argument_at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, third_argument_at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_NETFILTER, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// What holds the rules, or why nothing does.
std::string chosen(Backend backend)
{
    Settings settings;
    settings.backend = backend;
    const auto opened = Installer::open(settings);
    return opened ? (*opened)->backend() : opened.error().what;
}

class Backends : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (!is_root() || !host_.made()) GTEST_SKIP() << "needs root for a network namespace";
    }
    /// What `work` says in a process of its own in the namespace.
    std::string said(const std::function<std::string()>& work)
    {
        int pipe[2];
        EXPECT_EQ(::pipe(pipe), 0);
        std::string text;
        host_.inside([&] {
            const auto child = ::fork();
            if (child == 0) {
                const auto words = work();
                const auto written = ::write(pipe[1], words.data(), words.size());
                ::_exit(written == static_cast<ssize_t>(words.size()) ? 0 : 1);
            }
            ::close(pipe[1]);
            char piece[4096];
            for (ssize_t size = 0; (size = ::read(pipe[0], piece, sizeof piece)) > 0;)
                text.append(piece, static_cast<std::size_t>(size));
            ::close(pipe[0]);
            ::waitpid(child, nullptr, 0);
        });
        return text;
    }

    Namespace host_;
};

} // namespace

TEST_F(Backends, AreChosenByWhatTheKernelHas)
{
    EXPECT_EQ(said([] { return chosen(Backend::automatic); }), "nft");
    EXPECT_EQ(said([] { return chosen(Backend::nft); }), "nft");
    if (host_.shell("iptables-legacy -t mangle -L").find("Chain PREROUTING") == std::string::npos)
        GTEST_SKIP() << "needs iptables-legacy";
    EXPECT_EQ(said([] { return lose_netfilters_netlink() ? chosen(Backend::automatic) : "no filter"; }),
              "iptables (legacy)");
    EXPECT_NE(said([] { return lose_netfilters_netlink() ? chosen(Backend::nft) : ""; }).find("nfnetlink"),
              std::string::npos);
}

TEST_F(Backends, SayWhatIsMissingWhenThereIsNone)
{
    const auto text = said([] {
        if (!lose_netfilters_netlink()) return std::string();
        ::setenv("XTABLES_LIBDIR", "/nowhere", 1);
        return chosen(Backend::automatic);
    });
    EXPECT_NE(text.find("neither nft nor iptables can do it: "), std::string::npos) << text;
    EXPECT_NE(text.find("nfnetlink"), std::string::npos) << text;
    EXPECT_NE(text.find("iptables"), std::string::npos) << text;
}

TEST_F(Backends, HaveOneOwnerInANetwork)
{
    EXPECT_EQ(said([] {
                  const auto first = own_iptables({});
                  const auto second = own_iptables({});
                  Settings other;
                  other.table = "other";
                  const auto third = own_iptables(other);
                  return std::string(first ? "had, " : "not had, ") +
                         (second ? "twice, " : second.error().what + ", ") + (third ? "other had" : "other not had");
              }),
              "had, another gatewayd (or process) owns the chains gateway-* of iptables: stop it first, other had");
    EXPECT_EQ(said([] {
                  if (::seteuid(65'534) != 0) return std::string("no such user");
                  const auto strangers = own_iptables({});
                  if (::seteuid(0) != 0) return std::string("not root again");
                  return std::string(own_iptables({}) ? "passed by" : "kept off");
              }),
              "passed by");
}
