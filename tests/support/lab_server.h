#pragma once

#include "tests/support/lab_network.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace gw::lab {

using Json = nlohmann::json;

/// Debian's nginx on the servers' side: HTTP and HTTPS over IPv4 and IPv6, with a certificate made for it.
///   /            one line that says which server it is
///   /file/SIZE   that many MiB (1, 8, 64) of the bytes of `file_bytes`
///   POST         is read whole and answered
class WebServer {
public:
    /// `host`: the last part of its address, 10 to 19: 10.0.2.10 and fd00:2::10.
    WebServer(Network& network, std::string name, int host);
    ~WebServer();

    const std::string& name() const { return name_; }
    const std::string& certificate() const { return certificate_; }
    /// One object for each request in the order they ended: client, port, method, target, host, status, forwarded_for,
    /// forwarded, scheme. Waits until there are `count` of them.
    std::vector<Json> log(std::size_t count) const;
    /// What is in the log now.
    std::vector<Json> log_now() const;
    /// The client's address of the last request, after waiting for at least one.
    std::string last_client() const;
    Process& process() { return *process_; }

private:
    std::string name_;
    std::string certificate_;
    Folder folder_;
    std::unique_ptr<Process> process_;
};

/// A server that does what a test says: each connection is given to `script` on a thread of its own.
class Origin {
public:
    /// A connection as the script sees it. All it receives is recorded.
    class Connection : public Socket {
    public:
        Connection(Socket socket, Origin& origin, std::size_t number);
        std::string receives_until(std::string_view mark);
        std::string receives(std::size_t count);
        std::string receives_all();
        std::string receives_within(Milliseconds limit);
        void resets();
        void closes();
        std::size_t number() const { return number_; }

    private:
        std::string recorded(std::string bytes);
        void forget_socket();
        Origin& origin_;
        std::size_t number_;
    };
    using Script = std::function<void(Connection&)>;

    Origin(const Namespace& where, std::string_view at, Script script);
    ~Origin();
    Origin(const Origin&) = delete;
    Origin& operator=(const Origin&) = delete;

    std::size_t connections() const;
    /// Everything received, connection after connection.
    std::string received() const;
    std::string received_on(std::size_t connection) const;
    Endpoint client_of(std::size_t connection) const;
    bool waits_for_connections(std::size_t count) const;

private:
    friend class Connection;
    struct Record {
        Endpoint client;
        std::string received;
        int socket = -1;
    };
    void accept_all();

    Script script_;
    Descriptor listener_;
    Descriptor stop_;
    mutable std::mutex mutex_;
    std::vector<Record> records_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

/// One HTTP/1.1 request or answer as a plain reader takes it. `head` with its final empty line; `body` unframed.
struct Message {
    std::string head;
    std::string body;
    std::string trailers;
    bool whole = false;
    std::string first_line() const { return head.substr(0, head.find("\r\n")); }
    std::string header(std::string_view name) const;
};
/// Reads a message, interim answers left out, from anything with `receives_until` and `receives`. `bodiless`: an answer
/// to HEAD, a 204, a 304.
template <class From> Message receive_message(From& from, bool bodiless = false);
/// A request line and Host, fields, and the end of the head.
std::string request(std::string_view method, std::string_view target, std::string_view host,
                    std::string_view fields = "");
std::string answer(int status, std::string_view body, std::string_view fields = "");
std::string chunk(std::string_view bytes);

/// Scripts: answer every request with these bytes; or with the request's own head and body; end when the client does.
Origin::Script answers(std::string bytes);
Origin::Script echoes();

template <class From> Message receive_message(From& from, bool bodiless)
{
    Message message;
    // Interim answers say nothing about the final one; 101 is final.
    do message.head = from.receives_until("\r\n\r\n");
    while (message.head.starts_with("HTTP/1.1 1") && !message.head.starts_with("HTTP/1.1 101"));
    if (!message.head.ends_with("\r\n\r\n")) return message;
    const auto length = message.header("content-length");
    const bool is_answer = message.head.starts_with("HTTP/");
    if (bodiless) {
    } else if (message.header("transfer-encoding").find("chunked") != std::string::npos) {
        for (;;) {
            const auto line = from.receives_until("\r\n");
            if (!line.ends_with("\r\n")) return message;
            const auto size = std::strtoul(line.c_str(), nullptr, 16);
            if (size == 0) break;
            const auto data = from.receives(size + 2);
            message.body += data.substr(0, std::min<std::size_t>(size, data.size()));
            if (data.size() != size + 2) return message;
        }
        for (;;) {
            const auto line = from.receives_until("\r\n");
            if (line == "\r\n") break;
            if (!line.ends_with("\r\n")) return message;
            message.trailers += line;
        }
    } else if (!length.empty()) {
        const auto size = std::strtoull(length.c_str(), nullptr, 10);
        message.body = from.receives(size);
        if (message.body.size() != size) return message;
    } else if (is_answer) {
        message.body = from.receives_all();
    }
    message.whole = true;
    return message;
}

} // namespace gw::lab
