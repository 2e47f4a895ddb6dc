#include "gateway/ctl/doctor_probe.h"

#include "gateway/base/descriptor.h"
#include "gateway/ctl/doctor_walls.h"
#include "gateway/ctl/reply.h"
#include "netfilter/host_tables.h"
#include "netfilter/probe.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ;

namespace gw::ctl {

namespace {

using doctor::Finding;
using doctor::Severity;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds follow_limit{3'000}; ///< for gatewayd to take up the new interface
constexpr std::chrono::milliseconds connect_limit{2'000};
constexpr std::chrono::milliseconds record_limit{3'000};
constexpr std::chrono::milliseconds look_again{20};

/// The addresses at both ends of the pair.
struct Segment {
    bool v6;
    const char* gateway;
    const char* client;
    const char* network;
};
constexpr Segment segments[] = {{false, "198.19.255.253", "198.19.255.254", "198.19.255.252/30"},
                                {true, "2001:2:0:ffff::1", "2001:2:0:ffff::2", "2001:2:0:ffff::/126"}};

Finding finding(Severity severity, std::string found, std::string evidence, std::string breaks, std::string mend)
{
    return {"probe", severity, std::move(found), std::move(evidence), std::move(breaks), std::move(mend)};
}

Finding not_made(std::string why, std::string instead)
{
    return finding(Severity::note, "no connection was sent: " + std::move(why), "gatewayctl doctor --probe",
                   "nothing: the rules were not tried", std::move(instead));
}

Error failure(const std::string& what) { return Error{Fault::system, Side::gateway, what, {}}; }

/// `ip -batch` with these lines, in the network namespace of the calling thread.
Result<> run_ip(const std::string& lines)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe");
    Descriptor out(ends[0]), in(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out.number(), STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const char* arguments[] = {"ip", "-batch", "-", nullptr};
    pid_t child = -1;
    const int failed = ::posix_spawnp(&child, "ip", &actions, nullptr, const_cast<char* const*>(arguments), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return failure(std::string("starting ip: ") + std::strerror(failed));
    const bool written = ::write(in.number(), lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
    in.reset();
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!written || status != 0) return failure("ip refused: " + lines.substr(0, lines.find('\n')));
    return {};
}

/// A network namespace that lives as long as this.
class ClientHost {
public:
    ClientHost()
    {
        inside_once([this] {
            if (::unshare(CLONE_NEWNET) != 0) return;
            const auto path = "/proc/self/task/" + std::to_string(::syscall(SYS_gettid)) + "/ns/net";
            handle_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        });
    }
    bool made() const { return handle_.is_open(); }
    /// A name for it that `ip` takes while this lives.
    std::string path() const
    {
        return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(handle_.number());
    }
    void inside(const std::function<void()>& work) const
    {
        inside_once([&] {
            if (::setns(handle_.number(), CLONE_NEWNET) == 0) work();
        });
    }

private:
    static void inside_once(const std::function<void()>& work) { std::thread(work).join(); }
    Descriptor handle_;
};

/// The pair of interfaces, and the table that keeps what they carry inside.
class Stage {
public:
    Stage() : here_("gwp" + std::to_string(::getpid()) + "a"), there_("gwp" + std::to_string(::getpid()) + "b") {}
    ~Stage()
    {
        if (linked_) static_cast<void>(run_ip("link del " + here_ + "\n"));
    }
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    const std::string& interface() const { return here_; }
    const ClientHost& client() const { return client_; }

    /// `backend`: what holds gatewayd's rules. Errors: `system`.
    Result<> build(const std::vector<Segment>& families, const std::string& backend)
    {
        if (!client_.made()) return failure("a network namespace cannot be made");
        Enclosure enclosure{here_, {}, {}};
        for (const auto& one : families)
            (one.v6 ? enclosure.networks_v6 : enclosure.networks_v4).emplace_back(one.network);
        if (auto kept = walls_.build(enclosure, backend); !kept) return kept;
        auto made = run_ip("link add " + here_ + " type veth peer name " + there_ + " netns " + client_.path() + "\n");
        if (!made) return made;
        linked_ = true;
        std::string here = "link set " + here_ + " up\n";
        std::string there = "link set lo up\nlink set " + there_ + " up\n";
        for (const auto& one : families) {
            const std::string prefix = one.v6 ? "/126" : "/30", dad = one.v6 ? " nodad" : "";
            here += "addr add " + (one.gateway + prefix) + " dev " + here_ + dad + '\n';
            there += "addr add " + (one.client + prefix) + " dev " + there_ + dad + '\n';
            there += std::string("route add default via ") + one.gateway + '\n';
        }
        if (auto done = run_ip(here); !done) return done;
        Result<> done;
        client_.inside([&] { done = run_ip(there); });
        return done;
    }

private:
    std::string here_, there_;
    ClientHost client_;
    Walls walls_{};
    bool linked_ = false;
};

/// What is to be reached.
struct Target {
    std::string listener;
    Endpoint at;
    Segment segment;
};

std::vector<Target> targets_of(const config::Settings& settings, const std::vector<netfilter::HostInterface>& own)
{
    std::vector<Target> targets;
    for (const auto& segment : segments)
        for (const auto& listener : settings.listeners) {
            const auto& intercept = listener.intercept;
            const bool known = std::any_of(targets.begin(), targets.end(),
                                           [&](const Target& one) { return one.segment.v6 == segment.v6; });
            if (known || !intercept || intercept->mode != netfilter::Mode::tproxy || !intercept->interfaces.empty() ||
                intercept->transport != netfilter::Transport::tcp || intercept->ports.empty())
                continue;
            for (const auto& network : intercept->to) {
                const auto address = doctor::address_standing_for(network, own);
                const bool excepted = std::any_of(intercept->except_to.begin(), intercept->except_to.end(),
                                                  [&](const Network& one) { return one.contains(address); });
                if (network.address.is_v6() != segment.v6 || excepted) continue;
                targets.push_back({listener.name, {address, intercept->ports.front().first}, segment});
                break;
            }
        }
    return targets;
}

/// Gatewayd hears of the new interface and brings its rules up to it.
bool followed(const Client& daemon, const std::string& interface)
{
    const auto until = Clock::now() + follow_limit;
    do {
        const auto rules = ask_json(daemon, "/v1/rules");
        if (rules && text_at(*rules, "missing").empty() &&
            rules_text(*rules).find('"' + interface + '"') != std::string::npos)
            return true;
        std::this_thread::sleep_for(look_again);
    } while (Clock::now() < until);
    return false;
}

struct Dialled {
    int error = 0;
    std::chrono::microseconds took{};
    Endpoint from{};
};

/// Connects, and resets at once: nothing is asked, so nothing has to be answered.
Dialled dial(const Endpoint& to)
{
    Dialled dialled;
    sockaddr_storage name{};
    const auto length = to_sockaddr(to, name);
    const Descriptor socket{::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const linger at_once{1, 0};
    ::setsockopt(socket.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const auto began = Clock::now();
    if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&name), length) != 0 && errno != EINPROGRESS) {
        dialled.error = errno;
        return dialled;
    }
    pollfd wait{socket.number(), POLLOUT, 0};
    if (::poll(&wait, 1, static_cast<int>(connect_limit.count())) <= 0) {
        dialled.error = ETIMEDOUT;
        return dialled;
    }
    dialled.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began);
    socklen_t size = sizeof dialled.error;
    ::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &dialled.error, &size);
    sockaddr_storage own{};
    size = sizeof own;
    ::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&own), &size);
    dialled.from = from_sockaddr(own);
    return dialled;
}

/// The access log's record of that connection; else the one that says that some were left out; null: neither.
Json record_of(const Client& daemon, const std::string& after, const Endpoint& client)
{
    const auto until = Clock::now() + record_limit;
    Json left_out;
    do {
        Query query("/v1/log");
        query.add("client", client.address.text()).add("after", after).add("wait_ms", "500");
        const auto log = ask_json(daemon, query.text());
        if (!log) continue;
        for (const auto& record : list_at(*log, "records")) {
            if (text_at(record, "kind") == "connection" && text_at(record, "client") == client.text()) return record;
            if (text_at(record, "kind") == "suppressed") left_out = record;
        }
    } while (Clock::now() < until);
    return left_out;
}

Finding outcome(const Target& target, const Dialled& dialled, const Json& record, const std::string& interface)
{
    const auto evidence =
        "a connection from " + std::string(target.segment.client) + " on " + interface + " to " + target.at.text();
    const std::string breaks = "connections that listener " + target.listener + " should take over";
    if (dialled.error != 0)
        return finding(Severity::error, "it was not answered: " + std::string(std::strerror(dialled.error)), evidence,
                       breaks, "gatewayctl rules show");
    if (record.is_null())
        return finding(Severity::error, "it was answered, but gatewayd knows nothing of it: somebody else took it",
                       evidence, breaks, "ss -Htlnp");
    if (text_at(record, "kind") == "suppressed")
        return finding(Severity::note,
                       "it was answered, but its record may be among those that were left out: too many connections "
                       "come to nothing right now",
                       evidence, "nothing by itself: where it arrived is not known",
                       "gatewayctl log --kind suppressed");
    if (text_at(record, "destination") != target.at.text())
        return finding(Severity::error, "it arrived with another destination: " + plain(text_at(record, "destination")),
                       evidence, breaks, "nft list ruleset");
    return finding(Severity::ok,
                   "answered in " + std::to_string(dialled.took.count()) + " us; arrived at listener " +
                       plain(text_at(record, "listener")) + " with its destination (" +
                       plain(text_at(record, "recovered")) + ')',
                   evidence, {}, {});
}

bool overlaps(const Segment& segment, const std::vector<netfilter::HostInterface>& interfaces)
{
    const auto network = Network::parse(segment.network);
    for (const auto& interface : interfaces)
        for (const auto& one : interface.addresses) {
            const auto other = one.network();
            if (other.address.is_v6() == segment.v6 && other.prefix != 0 &&
                (other.contains(network->address) || network->contains(other.address)))
                return true;
        }
    return false;
}

Finding try_out(const Target& target, const Stage& stage, const Client& daemon)
{
    const auto before = ask_json(daemon, "/v1/log?limit=1");
    if (!before) return not_made(before.error().what, "gatewayctl status");
    Dialled dialled;
    stage.client().inside([&] { dialled = dial(target.at); });
    const auto record = dialled.error == 0 ? record_of(daemon, text_at(*before, "next"), dialled.from) : Json();
    return outcome(target, dialled, record, stage.interface());
}

} // namespace

std::vector<Finding> probe(const config::Settings& settings, const Client& daemon)
{
    if (!netfilter::may_change_the_network()) return {not_made("that needs root", "sudo gatewayctl doctor --probe")};
    auto tables = netfilter::HostTables::open();
    const auto interfaces =
        tables ? tables->interfaces() : Result<std::vector<netfilter::HostInterface>>(tables.error());
    if (!interfaces) return {not_made(describe(interfaces.error()), "ip link")};
    const auto targets = targets_of(settings, *interfaces);
    if (targets.empty())
        return {not_made("no listener of mode: tproxy takes connections over on every interface; where interfaces are "
                         "named, this host cannot stand for a client",
                         "from a client: curl -sv http://SERVER/, then: gatewayctl log --client CLIENT")};
    std::vector<Segment> families;
    for (const auto& target : targets) {
        if (overlaps(target.segment, *interfaces))
            return {not_made(std::string(target.segment.network) + " is in use on this host", "ip address")};
        families.push_back(target.segment);
    }
    const auto rules = ask_json(daemon, "/v1/rules");
    if (!rules) return {not_made(rules.error().what, "gatewayctl status")};
    Stage stage;
    if (auto built = stage.build(families, text_at(*rules, "backend")); !built)
        return {not_made(describe(built.error()), "ip -V; gatewayctl rules show")};
    if (!followed(daemon, stage.interface()))
        return {finding(
            Severity::warning, "gatewayd has not taken up a new interface within " + limit_text(follow_limit),
            stage.interface(), "connections that arrive on interfaces made after its start", "gatewayctl reload")};
    std::vector<Finding> found;
    for (const auto& target : targets) found.push_back(try_out(target, stage, daemon));
    return found;
}

} // namespace gw::ctl
