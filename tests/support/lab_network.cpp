#include "tests/support/lab_network.h"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sstream>
#include <strings.h>

namespace gw::lab {

namespace {

constexpr std::string_view prefix = "gwlab-";

bool alive(int id) { return ::kill(id, 0) == 0 || errno != ESRCH; }

// Namespaces and folders are named after the process that made them. What a killed one left is removed by the next.
void sweep_leftovers()
{
    std::error_code ignored;
    for (const char* folder : {"/run/netns", "/tmp"}) {
        for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
            const auto name = entry.path().filename().string();
            if (!name.starts_with(prefix)) continue;
            const int owner = std::atoi(name.c_str() + prefix.size());
            if (owner <= 0 || alive(owner)) continue;
            if (folder[1] == 'r')
                run({"ip", "netns", "del", name});
            else
                std::filesystem::remove_all(entry.path(), ignored);
        }
    }
}

std::string next_name(std::string_view role)
{
    static int count = 0;
    return std::string(prefix) + std::to_string(::getpid()) + '-' + std::string(role) + std::to_string(++count);
}

} // namespace

Namespace::Namespace(std::string_view role) : name_(next_name(role))
{
    run_well({"ip", "netns", "add", name_});
    descriptor_.reset(::open(("/run/netns/" + name_).c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(descriptor_.is_open()) << name_ << ": " << std::strerror(errno);
    // Addresses are ours alone: usable at once, without asking whether somebody has them.
    sets("net/ipv6/conf/default/accept_dad", "0");
    sets("net/ipv6/conf/all/accept_dad", "0");
    configures("link set lo up\n");
}

Namespace::~Namespace()
{
    std::istringstream ids(run({"ip", "netns", "pids", name_}).out);
    for (int id = 0; ids >> id;) ::kill(id, SIGKILL);
    run({"ip", "netns", "del", name_});
}

void Namespace::configures(const std::string& lines) const
{
    const Folder folder;
    run_well({"ip", "-batch", folder.write("batch", lines)}, place());
}

void Namespace::sets(std::string_view setting, std::string_view value) const
{
    inside([&] {
        std::ofstream file("/proc/sys/" + std::string(setting));
        file << value << std::flush;
        EXPECT_TRUE(file.good()) << setting;
    });
}

void Namespace::inside(const std::function<void()>& work) const
{
    std::thread([&] {
        if (::setns(descriptor_.number(), CLONE_NEWNET) != 0) {
            ADD_FAILURE() << "setns " << name_ << ": " << std::strerror(errno);
            return;
        }
        work();
    }).join();
}

Descriptor Namespace::listens(const Endpoint& at) const
{
    Descriptor listener;
    inside([&] {
        sockaddr_storage address{};
        const auto size = to_sockaddr(at, address);
        listener.reset(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int on = 1;
        ::setsockopt(listener.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (at.address.is_v6()) ::setsockopt(listener.number(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        if (::bind(listener.number(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
            ::listen(listener.number(), 1024) != 0)
            ADD_FAILURE() << "listen on " << at.text() << ": " << std::strerror(errno);
    });
    return listener;
}

Socket Namespace::dials(const Endpoint& to, const Endpoint& from, Milliseconds limit) const
{
    Socket dialled;
    inside([&] {
        sockaddr_storage source{}, target{};
        const auto source_size = to_sockaddr(from, source);
        const auto target_size = to_sockaddr(to, target);
        Descriptor socket(::socket(target.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        const int on = 1;
        ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&source), source_size) != 0) {
            ADD_FAILURE() << "bind to " << from.text() << ": " << std::strerror(errno);
            dialled = Socket::failed(errno);
            return;
        }
        int error =
            ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&target), target_size) == 0 ? 0 : errno;
        if (error == EINPROGRESS) {
            pollfd wait{socket.number(), POLLOUT, 0};
            if (::poll(&wait, 1, static_cast<int>(limit.count())) == 0) {
                error = ETIMEDOUT;
            } else {
                socklen_t size = sizeof error;
                ::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size);
            }
        }
        if (error != 0) {
            dialled = Socket::failed(error);
            return;
        }
        ::fcntl(socket.number(), F_SETFL, 0);
        dialled = Socket(std::move(socket), to);
    });
    return dialled;
}

std::string Answer::header(std::string_view name) const
{
    std::istringstream lines(head);
    for (std::string line; std::getline(lines, line);) {
        const auto colon = line.find(':');
        if (colon != name.size() || ::strncasecmp(line.data(), name.data(), colon) != 0) continue;
        const auto begin = line.find_first_not_of(" \t", colon + 1);
        if (begin == std::string::npos) return "";
        return line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
    }
    return "";
}

Answer Client::asks(const std::string& url, Command options) const
{
    const Folder folder;
    const bool v6 = address_.find(':') != std::string::npos;
    Command command{"curl",     "--silent",          "--show-error", "--insecure", "--http1.1",     "--noproxy",
                    "*",        "--max-time",        "20",           "--globoff",  "--dump-header", folder.path("head"),
                    "--output", folder.path("body"), "--write-out",  "%{certs}",   "--interface",   address_};
    for (const auto& [name, addresses] : network_.names()) {
        const auto to = v6 ? '[' + addresses.second + ']' : addresses.first;
        command.insert(command.end(), {"--connect-to", name + "::" + to + ':'});
    }
    command.insert(command.end(), options.begin(), options.end());
    command.push_back(url);
    const auto output = run(command, network_.clients().place(), Milliseconds{30'000});

    Answer answer;
    answer.exit_code = output.exit_code;
    answer.said = output.err;
    answer.certificate = output.out;
    answer.body = read_file(folder.path("body"));
    answer.head = read_file(folder.path("head"));
    // Interim answers come first, each with a head of its own.
    for (auto end = answer.head.find("\r\n\r\n"); end != std::string::npos && end + 4 < answer.head.size();
         end = answer.head.find("\r\n\r\n"))
        answer.head.erase(0, end + 4);
    if (const auto space = answer.head.find(' '); space != std::string::npos)
        answer.status = std::atoi(answer.head.c_str() + space);
    return answer;
}

Socket Client::dials(std::string_view endpoint, std::uint16_t port, Milliseconds limit) const
{
    return network_.clients().dials(Endpoint::parse(endpoint).value(), {Address::parse(address_).value(), port}, limit);
}

Network::Network()
{
    sweep_leftovers();
    gateway_.configures("link add inside type veth peer name net0 netns " + clients_.name() +
                        "\n"
                        "link add outside type veth peer name net0 netns " +
                        servers_.name() + "\n");
    for (const char* setting : {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"}) gateway_.sets(setting, "1");
    gateway_.configures("link set inside up\nlink set outside up\n"
                        "addr add 10.0.1.1/24 dev inside\naddr add fd00:1::1/64 dev inside nodad\n"
                        "addr add 10.0.2.1/24 dev outside\naddr add fd00:2::1/64 dev outside nodad\n");
    const auto one_side = [](const Namespace& side, const std::string& net, int first, int last) {
        std::string lines = "link set net0 up\n";
        for (int host = first; host <= last; ++host) {
            const auto number = std::to_string(host);
            lines += "addr add 10.0." + net + '.' + number + "/24 dev net0\n";
            lines += "addr add fd00:" + net + "::" + number + "/64 dev net0 nodad\n";
        }
        side.configures(lines + "route add default via 10.0." + net + ".1\nroute add default via fd00:" + net +
                        "::1\n");
    };
    one_side(clients_, "1", 2, 9);
    one_side(servers_, "2", 10, 19);
}

void Network::knows(const std::string& name, const std::string& v4, const std::string& v6) { names_[name] = {v4, v6}; }

std::string why_no_network()
{
    if (::geteuid() != 0) return "network namespaces need root";
    for (const char* program : {"ip", "nft", "curl", "nginx", "openssl"})
        if (run({"sh", "-c", "command -v " + std::string(program)}).exit_code != 0)
            return std::string(program) + " is not installed";
    if (::access("/proc/sys/net/ipv6", F_OK) != 0) return "the kernel has no IPv6";
    return "";
}

} // namespace gw::lab
