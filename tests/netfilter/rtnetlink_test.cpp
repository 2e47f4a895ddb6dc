#include "netfilter/rtnetlink.h"

#include "tests/netfilter/namespaces.h"

#include <csignal>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sys/wait.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;

namespace {

int count_message(const nlmsghdr* /*message*/, void* data)
{
    ++*static_cast<int*>(data);
    return MNL_CB_OK;
}

// The kernel marks a dump during which its table changed (NLM_F_DUMP_INTR), and may have left something out of it.
TEST(Rtnetlink, AsksAgainWhenTheTableChangesUnderADump)
{
    const Namespace host;
    host.shell(
        "ip link set lo up; for i in $(seq 2000); do echo route add 2001:db8:$(printf %x $i)::/48 dev lo; done | "
        "ip -6 -batch -");
    pid_t changing = -1;
    host.inside([&] {
        changing = ::fork();
        if (changing != 0) return;
        ::setpgid(0, 0);
        ::execlp("sh", "sh", "-c",
                 "while ip -6 route add 2001:db9::/48 dev lo; do ip -6 route del 2001:db9::/48 dev lo; done", nullptr);
        ::_exit(1);
    });
    host.inside([&] {
        auto kernel = Rtnetlink::open();
        ASSERT_TRUE(kernel);
        for (int round = 0; round < 200; ++round) {
            Request request;
            auto* message = mnl_nlmsg_put_header(request.bytes.data());
            message->nlmsg_type = RTM_GETROUTE;
            message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
            auto* wanted = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
            wanted->rtm_family = AF_INET6;
            int seen = 0;
            ASSERT_EQ(kernel->exchange(message, count_message, &seen), 0) << round;
            ASSERT_GE(seen, 2000) << round;
        }
    });
    ::kill(-changing, SIGKILL);
    ::waitpid(changing, nullptr, 0);
}

} // namespace
