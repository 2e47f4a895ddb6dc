#pragma once

#include "gateway/base/deadline.h"
#include "gateway/base/descriptor.h"
#include "gateway/base/endpoint.h"
#include "gateway/base/socket_stream.h"
#include "gateway/base/task.h"
#include "gateway/keeper/control_request.h"
#include "gateway/keeper/control_socket_file.h"
#include "gateway/keeper/settings.h"
#include "gateway/link/order.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gw {
class Buffer;
class SocketStream;
} // namespace gw

namespace gw::keeper {

/// HTTP/1.1 over the control socket, one request a connection, and the metrics endpoint. Bounded in clients, time and
/// bytes; it never waits for the way of a client's bytes. When there are too many, the oldest that has not asked
/// anything yet makes room.
class ControlServer {
public:
    using Respond = std::function<Task<link::Answer>(std::string method, std::string target, std::string body)>;

    ControlServer(asio::io_context& io, DeadlineWheel& wheel, const Settings& settings, Respond respond);
    ~ControlServer();

    /// Opens the Unix socket: mode 0660, owned by root and `group` (root only when there is no such group). The
    /// kernel's word for who connects is checked for each client. A socket file that nobody serves is replaced. Errors:
    /// `refused` when another daemon answers there, or others may write to the folder; `system`.
    Result<> open_unix(const std::string& path, const std::string& group);
    /// GET /metrics over TCP, nothing else. None: closes it. Errors: `refused`, `system`.
    Result<> open_metrics(const std::optional<Endpoint>& endpoint);
    /// Removes the socket file, when it is ours.
    void close();

    /// Copies of the listening sockets, for a successor.
    struct Listeners {
        Descriptor control;
        Descriptor metrics; ///< closed when there is none
    };
    Listeners listeners() const;
    /// Serves with the sockets of a predecessor.
    void adopt(Listeners listeners, const std::string& path, const std::string& group,
               const std::optional<Endpoint>& metrics);
    /// A successor serves: accepts nothing more, and leaves the socket file. What is being answered is answered.
    void release();
    /// Questions that are being answered.
    std::size_t clients() const;

private:
    using Socket = asio::generic::stream_protocol::socket;
    struct Listening;
    Task<void> accept_from(std::shared_ptr<Listening> listening);
    Task<std::optional<ControlAnswer>> read_request(SocketStream& stream, Buffer& received, Listening& listening);
    Task<void> serve(Descriptor socket, std::shared_ptr<Listening> listening);
    /// What follows the head. Not 0: the status to answer instead; none: the client has gone.
    Task<std::optional<int>> read_body(SocketStream& stream, Buffer& received, http::Framing framing, bool waits,
                                       std::string& body);
    bool may_use(int socket) const;
    void listen_on(int descriptor, int family, bool metrics_only, std::shared_ptr<Listening>& into);

    asio::io_context& io_;
    DeadlineWheel& wheel_;
    Settings settings_;
    Respond respond_;
    std::shared_ptr<Listening> unix_;
    std::shared_ptr<Listening> metrics_;
    std::optional<Endpoint> metrics_endpoint_;
    ControlSocketFile file_;
    std::size_t bodies_ = 0; // being read
    std::uint32_t group_ = 0;
    bool group_known_ = false;
};

} // namespace gw::keeper
