#pragma once

#include "tests/support/lab_process.h"
#include "tests/support/lab_socket.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gw::lab {

/// A network namespace of this test: made here, gone with everything in it at the end.
class Namespace {
public:
    explicit Namespace(std::string_view role);
    ~Namespace();
    Namespace(const Namespace&) = delete;
    Namespace& operator=(const Namespace&) = delete;

    const std::string& name() const { return name_; }
    Process::Place place() const { return {descriptor_.number(), {}, 0, {}}; }
    /// Lines for `ip -batch`.
    void configures(const std::string& lines) const;
    /// "net/ipv4/ip_forward", "1".
    void sets(std::string_view setting, std::string_view value) const;
    /// Runs `work` on a thread that stands in the namespace. A socket made there stays there.
    void inside(const std::function<void()>& work) const;

    /// A listening socket. Fails the test when the address cannot be had.
    Descriptor listens(const Endpoint& at) const;
    /// A connection. `from`: source address, and port unless 0.
    Socket dials(const Endpoint& to, const Endpoint& from, Milliseconds limit = patience) const;

private:
    std::string name_;
    Descriptor descriptor_;
};

/// What a client got for a request.
struct Answer {
    int exit_code = -1; ///< curl's: 0 when there was a whole answer
    int status = 0;
    std::string head; ///< of the last answer: status line and fields
    std::string body;
    std::string certificate; ///< the server's, PEM, for https
    std::string said;        ///< curl's own words when it failed

    /// The value of a field, the first of that name; empty: none.
    std::string header(std::string_view name) const;
};

class Network;

/// Somebody on the clients' side, known by an address.
class Client {
public:
    /// One request with curl: plain and patient, certificates not checked, HTTP/1.1; `options` are more of curl's.
    Answer asks(const std::string& url, Command options = {}) const;
    /// A connection of its own. `port`: the client's, if it matters.
    Socket dials(std::string_view endpoint, std::uint16_t port = 0, Milliseconds limit = patience) const;
    const std::string& address() const { return address_; }

private:
    friend class Network;
    Client(const Network& network, std::string address) : network_(network), address_(std::move(address)) {}
    const Network& network_;
    std::string address_;
};

/// Clients, a gateway between, and servers:
///
///     clients 10.0.1.2 .. .9  fd00:1::2 .. ::9      servers 10.0.2.10 .. .19  fd00:2::10 .. ::19
///         inside |  10.0.1.1  fd00:1::1 [gateway] 10.0.2.1  fd00:2::1  | outside
///
/// The gateway forwards. Nothing else exists in them: no name service, no rules.
class Network {
public:
    Network();

    const Namespace& clients() const { return clients_; }
    const Namespace& gateway() const { return gateway_; }
    const Namespace& servers() const { return servers_; }

    Client client(std::string address) const { return {*this, std::move(address)}; }
    /// A name that clients know: its IPv4 and IPv6 address.
    void knows(const std::string& name, const std::string& v4, const std::string& v6);
    const std::map<std::string, std::pair<std::string, std::string>>& names() const { return names_; }

private:
    Namespace clients_{"clients"};
    Namespace gateway_{"gateway"};
    Namespace servers_{"servers"};
    std::map<std::string, std::pair<std::string, std::string>> names_;
};

/// Why this machine or user cannot have such a network; empty: it can.
std::string why_no_network();

} // namespace gw::lab
