#pragma once

#include "gateway/base/descriptor.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <vector>

namespace gw::ctl::testing {

/// A folder of its own below /tmp, gone with it.
class TemporaryFolder {
public:
    TemporaryFolder()
    {
        char name[] = "/tmp/gwctl-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::string file(const std::string& name) const { return path_ + '/' + name; }

private:
    std::string path_;
};

inline sockaddr_un name_of_socket(const std::string& path)
{
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), std::min(path.size(), sizeof name.sun_path - 1));
    return name;
}

/// Answers on a Unix socket, one connection after the other, with what `reply` gives for a request head: "" closes at
/// once. `hold`: keeps the connection open after that, until the fake is destroyed.
class FakeDaemon {
public:
    using Reply = std::function<std::string(const std::string& request)>;

    explicit FakeDaemon(Reply reply, bool hold = false) : reply_(std::move(reply)), hold_(hold)
    {
        listening_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto name = name_of_socket(path());
        if (::bind(listening_.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) std::abort();
        if (::listen(listening_.number(), 16) != 0) std::abort();
        stop_.reset(::eventfd(0, EFD_CLOEXEC));
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeDaemon()
    {
        ::eventfd_write(stop_.number(), 1);
        thread_.join();
    }

    std::string path() const { return folder_.file("control.sock"); }
    std::vector<std::string> requests() const
    {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    bool readable(int descriptor)
    {
        pollfd entries[] = {{descriptor, POLLIN, 0}, {stop_.number(), POLLIN, 0}};
        ::poll(entries, 2, -1);
        return entries[1].revents == 0;
    }
    void serve()
    {
        while (readable(listening_.number())) {
            Descriptor client(::accept4(listening_.number(), nullptr, nullptr, SOCK_CLOEXEC));
            std::string request;
            while (request.find("\r\n\r\n") == std::string::npos && readable(client.number())) {
                char bytes[4096];
                const auto count = ::recv(client.number(), bytes, sizeof bytes, 0);
                if (count <= 0) break;
                request.append(bytes, static_cast<std::size_t>(count));
            }
            {
                const std::lock_guard lock(mutex_);
                requests_.push_back(request);
            }
            send_all(client.number(), reply_(request));
            if (hold_) held_.push_back(std::move(client));
        }
    }
    static void send_all(int socket, std::string_view text)
    {
        while (!text.empty()) {
            const auto count = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
            if (count <= 0) return;
            text.remove_prefix(static_cast<std::size_t>(count));
        }
    }

    TemporaryFolder folder_;
    Reply reply_;
    bool hold_;
    Descriptor listening_;
    Descriptor stop_;
    std::vector<Descriptor> held_;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

inline std::string ok_json(const std::string& body, const std::string& status = "200 OK")
{
    return "HTTP/1.1 " + status +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n\r\n" + body;
}

} // namespace gw::ctl::testing
