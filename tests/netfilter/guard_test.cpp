// The guard in the kernel, the heartbeat, repairs, and rules that change their owner.

#include "netfilter/guard.h"
#include "netfilter/guard_text.h"
#include "netfilter/install.h"

#include "tests/netfilter/installing.h"
#include "tests/netfilter/plans.h"

#include <chrono>
#include <csignal>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

using namespace gw;
using namespace gw::netfilter;
using namespace gw::netfilter::testing;
using Clock = std::chrono::steady_clock;

namespace {

Plan plan_of(WhenDown when_down, std::vector<PortRange> ports = {{80, 80}})
{
    auto web = capture("web", {"192.0.2.0/24", "2001:db8::/32"}, std::move(ports));
    web.intercept.when_down = when_down;
    return make_plan({}, {web}, {"lan0"});
}
const Plan closed_plan = plan_of(WhenDown::reject);
const Plan open_plan = plan_of(WhenDown::pass);

class GuardTest : public Installing {
protected:
    std::string guard() { return host_.shell("nft -s list table inet gateway_guard 2>/dev/null"); }
    std::string alive() { return host_.shell("nft list set inet gateway alive"); }
    std::string tables() { return host_.shell("nft list tables"); }
    std::string policy() { return host_.shell("ip -4 rule; ip -6 rule; ip route show table 7373 2>&1"); }
};

} // namespace

TEST_F(GuardTest, StandsWhileAListenerIsClosedWhenDownAndStaysWhenTheRulesGo)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(closed_plan));
    EXPECT_TRUE(has(guard(), "refused 1 IPv4 web"));
    EXPECT_TRUE(has(guard(), "refused 1 IPv6 web"));
    EXPECT_EQ(installer->missing().value(), "");
    const auto before = guard();

    ASSERT_TRUE(installer->remove());
    EXPECT_EQ(guard(), before);
    installer.reset();
    EXPECT_EQ(tables(), "table inet gateway_guard\n");
}

TEST_F(GuardTest, GoesWithAPlanThatHasNoClosedListener)
{
    for (const Plan& next : {open_plan, Plan{}}) {
        open()->install(closed_plan).value();
        ASSERT_NE(guard(), "");
        auto installer = open();
        ASSERT_TRUE(installer && installer->sweep());
        EXPECT_NE(guard(), "") << "a sweep is not a plan";
        ASSERT_TRUE(installer->install(next));
        EXPECT_EQ(guard(), "");
    }
}

TEST_F(GuardTest, IsThereBeforeAnythingCanBeCaptured)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->guard(closed_plan));
    EXPECT_EQ(tables(), "table inet gateway\ntable inet gateway_guard\n") << "the first is a claim, and empty";
    const auto handles = host_.shell("nft -a list ruleset");
    ASSERT_TRUE(installer->guard(closed_plan));
    EXPECT_EQ(host_.shell("nft -a list ruleset"), handles) << "an equal guard is no transaction";
}

TEST_F(GuardTest, FollowsThePlanAlsoWhenItOnlySaysLess)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(plan_of(WhenDown::drop, {{80, 80}, {443, 443}})));
    EXPECT_TRUE(has(guard(), "443"));
    ASSERT_TRUE(installer->install(plan_of(WhenDown::drop)));
    EXPECT_FALSE(has(guard(), "443"));
    EXPECT_TRUE(has(guard(), "counter drop comment \"refused 1 IPv4 web\""));
    ASSERT_TRUE(installer->install(closed_plan));
    EXPECT_TRUE(has(guard(), "counter reject with tcp reset comment \"refused 1 IPv4 web\""));
    EXPECT_EQ(installer->missing().value(), "");
}

TEST_F(GuardTest, IsMadeAnewWhenSomebodyMadeSomethingElseOfIt)
{
    for (const std::string spoilt :
         {"nft delete table inet gateway_guard", "nft flush ruleset", "nft flush chain inet gateway_guard forward",
          "nft flush chain inet gateway_guard refusals_a; nft flush chain inet gateway_guard refusals_b",
          "nft insert rule inet gateway_guard forward accept",
          "nft delete table inet gateway_guard; nft 'table inet gateway_guard { chain forward { type filter hook "
          "forward priority 7; policy drop; }; }'"}) {
        auto installer = open();
        ASSERT_TRUE(installer && installer->install(closed_plan));
        host_.shell(spoilt);
        EXPECT_NE(installer->missing().value(), "") << spoilt;
        const auto repaired = installer->repair(closed_plan);
        ASSERT_TRUE(repaired) << describe(repaired.error());
        EXPECT_EQ(repaired->size(), 1u) << spoilt;
        EXPECT_EQ(installer->missing().value(), "") << spoilt;
    }
}

TEST_F(GuardTest, IsNotTouchedByASecondGatewayThatIsRefused)
{
    auto first = open();
    ASSERT_TRUE(first && first->install(closed_plan));
    const auto before = guard();
    auto second = open();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->install(open_plan).error().fault, Fault::denied);
    EXPECT_EQ(second->guard(open_plan).error().fault, Fault::denied);
    EXPECT_EQ(guard(), before);
}

TEST_F(GuardTest, OfTheOldPlanIsBackWhenTheNewOneFails)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(closed_plan));
    const auto before = guard();
    auto wrong = plan_of(WhenDown::drop, {{443, 443}});
    wrong.policy_rules.push_back({"toolongnameofaninterface", false});
    EXPECT_FALSE(installer->install(wrong));
    wrong = plan_of(WhenDown::drop, {{443, 443}});
    wrong.captures[0].port_v4 = 0;      // nothing of IPv4 to install
    host_.shell("ip link set lo down"); // no local route can be added
    wrong.settings.route_table = 7'374;
    EXPECT_FALSE(installer->install(wrong));
    const auto digest = [](const std::string& text) { return text.substr(text.find("\"refusals ")); };
    EXPECT_EQ(digest(guard()).substr(0, 27), digest(before).substr(0, 27));
    EXPECT_FALSE(has(guard(), "443"));
}

TEST_F(GuardTest, RepairsPolicyRulesAndRoutesThatOthersTookAwayAndSaysWhich)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(open_plan));
    const auto before = policy();
    EXPECT_TRUE(installer->repair(open_plan).value().empty());
    host_.shell("ip rule del priority 773; ip -6 rule del priority 773; ip route flush table 7373");
    EXPECT_EQ(installer->repair(open_plan).value(),
              (Repairs{"IPv4 policy rule from lan0", "IPv6 policy rule from lan0", "IPv4 local route"}));
    EXPECT_EQ(policy(), before);
    EXPECT_EQ(installer->missing().value(), "");
}

TEST_F(GuardTest, FollowsInterfacesOfANewPlan)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(open_plan));
    auto renamed = open_plan.captures;
    const auto repaired = installer->repair(make_plan({}, renamed, {"lan9"}));
    ASSERT_TRUE(repaired);
    EXPECT_TRUE(has(policy(), "iif lan9"));
    EXPECT_FALSE(has(policy(), "iif lan0"));
}

// --- heartbeat

TEST_F(GuardTest, BeatsLastTheirLifetimeAndStillEndsItAtOnce)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(open_plan));
    EXPECT_FALSE(has(alive(), "elements")) << "installing is no sign of life";
    ASSERT_TRUE(installer->beat());
    EXPECT_TRUE(has(alive(), "elements = { 0x00000000 timeout 2s expires")) << alive();
    ASSERT_TRUE(installer->still());
    EXPECT_FALSE(has(alive(), "elements"));

    ASSERT_TRUE(installer->beat());
    const auto since = Clock::now();
    while (has(alive(), "elements") && Clock::now() - since < std::chrono::seconds(20)) {
    }
    const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since).count();
    std::printf("a beat lasted %ld ms\n", static_cast<long>(lasted));
    EXPECT_GE(lasted, 1'900);
    EXPECT_LT(lasted, 19'000);
}

TEST_F(GuardTest, BeatsSurviveAnExchangeOfRules)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(open_plan) && installer->beat());
    ASSERT_TRUE(installer->install(plan_of(WhenDown::pass, {{443, 443}})));
    EXPECT_TRUE(has(alive(), "elements"));
}

TEST_F(GuardTest, ABeatIsCheapAndNoTransaction)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(open_plan));
    ASSERT_TRUE(installer->beat());
    const auto ruleset = host_.shell("nft -a -s list ruleset");
    constexpr int beats = 10'000;
    const auto cpu = [] {
        timespec now{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
    };
    const auto before = cpu();
    for (int turn = 0; turn < beats; ++turn) ASSERT_TRUE(installer->beat());
    std::printf("a beat costs %.2f us of CPU\n", (cpu() - before) / beats);
    EXPECT_EQ(host_.shell("nft -a -s list ruleset"), ruleset);
}

TEST_F(GuardTest, ABeatThatAnotherFirewallDropsIsAnError)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(open_plan));
    host_.shell("nft 'table ip f { chain o { type filter hook output priority 0; policy drop; }; }'");
    const auto beaten = installer->beat();
    ASSERT_FALSE(beaten);
    EXPECT_TRUE(has(beaten.error().what, "another firewall")) << beaten.error().what;
}

TEST_F(GuardTest, NobodyElseCanBeat)
{
    auto installer = open();
    ASSERT_TRUE(installer && installer->install(open_plan));
    const auto port = std::to_string(installer->in_force().heartbeat_port);
    host_.inside([&] {
        const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(installer->in_force().heartbeat_port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::sendto(socket, "", 0, 0, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
        EXPECT_NE(::bind(socket, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
        ::close(socket);
    });
    EXPECT_FALSE(has(alive(), "elements"));
}

// --- a successor

namespace {

void send_handover(int to, Handover handover)
{
    iovec part{handover.state.data(), handover.state.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))]{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    auto* numbers = reinterpret_cast<int*>(CMSG_DATA(header));
    numbers[0] = handover.descriptors[0].number();
    numbers[1] = handover.descriptors[1].number();
    static_cast<void>(::sendmsg(to, &message, 0));
}

Handover receive_handover(int from)
{
    Handover handover{std::string(4096, '\0'), {}};
    iovec part{handover.state.data(), handover.state.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))]{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const auto size = ::recvmsg(from, &message, MSG_CMSG_CLOEXEC);
    handover.state.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    if (const auto* header = CMSG_FIRSTHDR(&message); header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        const auto* numbers = reinterpret_cast<const int*>(CMSG_DATA(header));
        handover.descriptors.emplace_back(numbers[0]);
        handover.descriptors.emplace_back(numbers[1]);
    }
    return handover;
}

} // namespace

TEST_F(GuardTest, ASuccessorGoesOnWithTheRulesOfAProcessThatIsNoMore)
{
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const Descriptor ours(pair[0]), theirs(pair[1]);
    pid_t first = -1;
    host_.inside([&] {
        first = ::fork();
        if (first != 0) return;
        auto installer = Installer::open({});
        if (!installer || !(*installer)->install(closed_plan)) ::_exit(1);
        // Twice, so that the rules in force are not in the chain that a first install uses.
        if (!(*installer)->install(plan_of(WhenDown::reject, {{81, 81}}))) ::_exit(1);
        auto handover = (*installer)->hand_over();
        if (!handover || !(*installer)->beat()) ::_exit(1);
        send_handover(theirs.number(), std::move(*handover));
        for (;;) ::pause();
    });
    auto handover = receive_handover(ours.number());
    ASSERT_EQ(handover.descriptors.size(), 2u);
    ::kill(first, SIGKILL);
    ::waitpid(first, nullptr, 0);
    const auto rules = [this] { return host_.shell("nft -a -s list table inet gateway"); };
    const auto before = rules();
    ASSERT_TRUE(has(before, "dport 81")) << "the rules outlive the process whose socket we hold";
    const auto policy_before = policy();

    std::unique_ptr<Installer> installer;
    host_.inside([&] {
        auto adopted = Installer::adopt({}, std::move(handover));
        ASSERT_TRUE(adopted) << describe(adopted.error());
        installer = std::move(*adopted);
    });
    ASSERT_TRUE(installer);
    EXPECT_EQ(rules(), before);
    EXPECT_TRUE(has(alive(), "elements"));
    EXPECT_TRUE(installer->beat());

    ASSERT_TRUE(installer->install(closed_plan));
    EXPECT_TRUE(has(rules(), "dport 80"));
    EXPECT_FALSE(has(rules(), "dport 81"));
    EXPECT_EQ(policy(), policy_before);
    EXPECT_EQ(installer->missing().value(), "");
    EXPECT_TRUE(installer->still());
    EXPECT_FALSE(has(alive(), "elements"));

    installer.reset();
    EXPECT_EQ(tables(), "table inet gateway_guard\n");
    EXPECT_FALSE(has(policy(), "7373"));
}

TEST_F(GuardTest, AProcessThatReleasedItsRulesTakesNothingAway)
{
    auto first = open();
    ASSERT_TRUE(first && first->install(open_plan));
    const auto before = host_.shell("nft -a -s list ruleset") + policy();
    std::unique_ptr<Installer> second;
    host_.inside([&] {
        auto adopted = Installer::adopt({}, first->hand_over().value());
        ASSERT_TRUE(adopted) << describe(adopted.error());
        second = std::move(*adopted);
    });
    first->release();
    first.reset();
    EXPECT_EQ(host_.shell("nft -a -s list ruleset") + policy(), before);
    second.reset();
    EXPECT_EQ(tables(), "");
    EXPECT_FALSE(has(policy(), "7373"));
}

TEST_F(GuardTest, AProcessThatKeptItsRulesGoesOnWhenTheSuccessorDies)
{
    auto first = open();
    ASSERT_TRUE(first && first->install(open_plan));
    auto handover = first->hand_over().value();
    pid_t second = -1;
    host_.inside([&] {
        second = ::fork();
        if (second != 0) return;
        auto adopted = Installer::adopt({}, std::move(handover));
        if (adopted && (*adopted)->install(plan_of(WhenDown::pass, {{443, 443}}))) ::kill(::getpid(), SIGKILL);
        ::_exit(1);
    });
    int status = 0;
    ::waitpid(second, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it did not come so far";
    handover.descriptors.clear();
    EXPECT_NE(first->missing().value(), "");
    ASSERT_TRUE(first->repair(open_plan));
    EXPECT_EQ(first->missing().value(), "");
    EXPECT_TRUE(has(host_.shell("nft -s list table inet gateway"), "jump captures_a"))
        << "the chain in force was written to";
    ASSERT_TRUE(first->install(plan_of(WhenDown::pass, {{81, 81}})));
}

TEST_F(GuardTest, OnlyRulesThatAreThereCanBeTakenOver)
{
    auto first = open();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->hand_over().error().fault, Fault::refused);
    ASSERT_TRUE(first->install(open_plan));
    Settings other;
    other.table = "elsewhere";
    host_.inside([&] {
        EXPECT_EQ(Installer::adopt(other, first->hand_over().value()).error().fault, Fault::refused);
        auto swapped = first->hand_over().value();
        std::swap(swapped.descriptors[0], swapped.descriptors[1]);
        EXPECT_EQ(Installer::adopt({}, std::move(swapped)).error().fault, Fault::refused);
        auto fewer = first->hand_over().value();
        fewer.descriptors.pop_back();
        EXPECT_EQ(Installer::adopt({}, std::move(fewer)).error().fault, Fault::refused);
        auto handover = first->hand_over().value();
        EXPECT_TRUE(first->remove());
        EXPECT_EQ(Installer::adopt({}, std::move(handover)).error().fault, Fault::refused);
    });
}
