#include "netfilter/iptables_owner.h"

#include <cerrno>
#include <cstddef>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace gw::netfilter {
namespace {

struct Name {
    sockaddr_un address{};
    socklen_t size = 0;
};

Name name_of_owner(const Settings& settings)
{
    Name name;
    name.address.sun_family = AF_UNIX;
    const std::string text = "gatewayd owns iptables " + settings.table;
    text.copy(name.address.sun_path + 1, sizeof name.address.sun_path - 1); // a zero first: a name that is no file
    name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    return name;
}

Result<Descriptor> stream_socket()
{
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.is_open()) return system_error("opening the socket that owns the rules");
    return socket;
}

/// Whether root, or this process's user, has the name: anybody else could only want to keep us off.
bool is_held_by_ours(const Name& name)
{
    const auto socket = stream_socket();
    if (!socket || ::connect(socket->number(), reinterpret_cast<const sockaddr*>(&name.address), name.size) != 0)
        return false;
    ucred holder{};
    socklen_t size = sizeof holder;
    if (::getsockopt(socket->number(), SOL_SOCKET, SO_PEERCRED, &holder, &size) != 0) return false;
    return holder.uid == 0 || holder.uid == ::geteuid();
}

} // namespace

Result<Descriptor> own_iptables(const Settings& settings)
{
    auto socket = stream_socket();
    if (!socket) return socket;
    const Name name = name_of_owner(settings);
    if (::bind(socket->number(), reinterpret_cast<const sockaddr*>(&name.address), name.size) == 0) {
        // Nobody accepts: each who asks takes a place for good.
        if (::listen(socket->number(), SOMAXCONN) != 0) return system_error("the socket that owns the rules");
        return socket;
    }
    if (errno != EADDRINUSE) return system_error("naming the socket that owns the rules");
    if (!is_held_by_ours(name)) return socket;
    return Error{Fault::denied, Side::gateway,
                 "another gatewayd (or process) owns the chains " + settings.table + "-* of iptables: stop it first"};
}

} // namespace gw::netfilter
