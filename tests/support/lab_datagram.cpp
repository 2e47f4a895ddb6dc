#include "tests/support/lab_datagram.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

namespace gw::lab {

namespace {

constexpr int buffer_bytes = 8 * 1024 * 1024;

bool readable(int socket, Milliseconds limit)
{
    pollfd wait{socket, POLLIN, 0};
    return ::poll(&wait, 1, static_cast<int>(limit.count())) > 0;
}

} // namespace

DatagramSocket::DatagramSocket(const Namespace& where, const Endpoint& at)
{
    where.inside([&] {
        sockaddr_storage name{};
        const auto size = to_sockaddr(at, name);
        socket_.reset(::socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
        ::setsockopt(socket_.number(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
        if (::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
            ADD_FAILURE() << "UDP on " << at.text() << ": " << std::strerror(errno);
    });
}

Endpoint DatagramSocket::name() const
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    ::getsockname(socket_.number(), reinterpret_cast<sockaddr*>(&name), &size);
    return from_sockaddr(name);
}

void DatagramSocket::connects(const Endpoint& to)
{
    sockaddr_storage name{};
    const auto size = to_sockaddr(to, name);
    if (::connect(socket_.number(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
        ADD_FAILURE() << "connect to " << to.text() << ": " << std::strerror(errno);
}

bool DatagramSocket::sends(const Endpoint& to, std::string_view bytes)
{
    sockaddr_storage name{};
    const auto size = to_sockaddr(to, name);
    return ::sendto(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&name), size) == static_cast<ssize_t>(bytes.size());
}

std::optional<DatagramSocket::Received> DatagramSocket::receives(Milliseconds limit)
{
    if (!readable(socket_.number(), limit)) return std::nullopt;
    Received received;
    received.bytes.resize(65'536);
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    const auto count = ::recvfrom(socket_.number(), received.bytes.data(), received.bytes.size(), MSG_DONTWAIT,
                                  reinterpret_cast<sockaddr*>(&name), &size);
    if (count < 0) return std::nullopt;
    received.bytes.resize(static_cast<std::size_t>(count));
    received.from = from_sockaddr(name);
    return received;
}

int DatagramSocket::hears_error(Milliseconds limit)
{
    if (!readable(socket_.number(), limit)) return 0;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_.number(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

DatagramServer::DatagramServer(const Namespace& where, std::string_view at, Answer answer)
    : socket_(where, *Endpoint::parse(at)), answer_(std::move(answer)), thread_([this] {
          while (!stop_) {
              const auto received = socket_.receives(Milliseconds{50});
              if (!received) continue;
              {
                  const std::lock_guard lock{mutex_};
                  ++senders_[received->from];
              }
              ++count_;
              if (const auto back = answer_(*received)) socket_.sends(received->from, *back);
          }
      })
{}

DatagramServer::~DatagramServer()
{
    stop_ = true;
    thread_.join();
}

bool DatagramServer::receives(std::size_t count) const
{
    return eventually([&] { return count_ >= count; });
}

std::map<std::string, std::size_t> DatagramServer::senders() const
{
    const std::lock_guard lock{mutex_};
    std::map<std::string, std::size_t> addresses;
    for (const auto& [endpoint, count] : senders_) addresses[endpoint.address.text()] += count;
    return addresses;
}

std::map<Endpoint, std::size_t> DatagramServer::sender_ports() const
{
    const std::lock_guard lock{mutex_};
    return senders_;
}

DatagramServer::Answer echoes_datagrams()
{
    return [](const DatagramSocket::Received& received) { return received.bytes; };
}

} // namespace gw::lab
