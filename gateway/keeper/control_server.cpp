#include "gateway/keeper/control_server.h"

#include "gateway/base/buffer.h"
#include "gateway/base/descriptor.h"
#include "gateway/base/end_on_bug.h"
#include "gateway/base/log.h"
#include "gateway/base/socket_stream.h"
#include "gateway/http/body.h"
#include "gateway/http/encode.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <list>
#include <span>

namespace gw::keeper {

namespace {

constexpr auto pause_when_full = std::chrono::milliseconds{50};

constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

/// One more body is being read while it lives.
struct BodyCount {
    explicit BodyCount(std::size_t& count) : count_(count) { ++count_; }
    ~BodyCount() { --count_; }
    BodyCount(const BodyCount&) = delete;
    BodyCount& operator=(const BodyCount&) = delete;

private:
    std::size_t& count_;
};

std::optional<gid_t> group_id(const std::string& name)
{
    std::array<char, 4096> memory;
    group entry{};
    group* found = nullptr;
    ::getgrnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found);
    if (found == nullptr) return std::nullopt;
    return found->gr_gid;
}

} // namespace

struct ControlServer::Listening {
    explicit Listening(asio::io_context& io) : socket(io), pause(io) {}
    Socket socket;
    asio::steady_timer pause;
    bool metrics_only = false;
    bool closed = false;
    std::size_t clients = 0;
    std::list<SocketStream*> asking; // have not sent their whole request; the oldest first

    void close()
    {
        closed = true;
        boost::system::error_code ignored;
        socket.close(ignored);
        pause.cancel();
    }
};

ControlServer::ControlServer(asio::io_context& io, DeadlineWheel& wheel, const Settings& settings, Respond respond)
    : io_(io), wheel_(wheel), settings_(settings), respond_(std::move(respond))
{}

ControlServer::~ControlServer() { close(); }

void ControlServer::close()
{
    if (unix_ != nullptr) {
        if (!unix_->closed) file_.remove();
        unix_->close();
        unix_.reset();
    }
    if (metrics_ != nullptr) metrics_->close();
    metrics_.reset();
}

ControlServer::Listeners ControlServer::listeners() const
{
    const auto copy_of = [](const std::shared_ptr<Listening>& listening) {
        return Descriptor{listening == nullptr ? -1 : ::fcntl(listening->socket.native_handle(), F_DUPFD_CLOEXEC, 0)};
    };
    return {copy_of(unix_), copy_of(metrics_)};
}

void ControlServer::adopt(Listeners listeners, const std::string& path, const std::string& group,
                          const std::optional<Endpoint>& metrics)
{
    if (const auto gid = group_id(group)) {
        group_ = *gid;
        group_known_ = true;
    }
    file_ = ControlSocketFile::of(path);
    listen_on(listeners.control.release(), AF_UNIX, false, unix_);
    if (!metrics || !listeners.metrics.is_open()) return;
    metrics_endpoint_ = metrics;
    listen_on(listeners.metrics.release(), metrics->address.is_v6() ? AF_INET6 : AF_INET, true, metrics_);
}

void ControlServer::release()
{
    if (unix_ != nullptr) unix_->close();
    if (metrics_ != nullptr) metrics_->close();
}

std::size_t ControlServer::clients() const { return unix_ == nullptr ? 0 : unix_->clients; }

void ControlServer::listen_on(int descriptor, int family, bool metrics_only, std::shared_ptr<Listening>& into)
{
    into = std::make_shared<Listening>(io_);
    into->metrics_only = metrics_only;
    into->socket.assign({family, 0}, descriptor);
    asio::co_spawn(io_, accept_from(into), end_on_bug);
}

Result<> ControlServer::open_unix(const std::string& path, const std::string& group)
{
    const auto gid = group_id(group);
    auto socket = ControlSocketFile::open(path, gid);
    if (!socket) return socket.error();
    group_ = gid.value_or(0);
    group_known_ = gid.has_value();
    file_ = ControlSocketFile::of(path);
    listen_on(socket->release(), AF_UNIX, false, unix_);
    return {};
}

Result<> ControlServer::open_metrics(const std::optional<Endpoint>& endpoint)
{
    if (endpoint == metrics_endpoint_) return {};
    if (metrics_ != nullptr) metrics_->close();
    metrics_.reset();
    metrics_endpoint_.reset();
    if (!endpoint) return {};
    const int family = endpoint->address.is_v6() ? AF_INET6 : AF_INET;
    Descriptor socket{::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const int on = 1;
    ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_storage name{};
    const auto length = to_sockaddr(*endpoint, name);
    if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&name), length) != 0)
        return system_error("admin.metrics: " + endpoint->text());
    if (::listen(socket.number(), 64) != 0) return system_error("admin.metrics: " + endpoint->text());
    metrics_endpoint_ = endpoint;
    listen_on(socket.release(), family, true, metrics_);
    return {};
}

/// Root, our own user, or a member of the group; said by the kernel, not by the client.
bool ControlServer::may_use(int socket) const
{
    ucred who{};
    socklen_t length = sizeof who;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return false;
    if (who.uid == 0 || who.uid == ::geteuid()) return true;
    if (!group_known_) return false;
    if (who.gid == group_) return true;
    std::array<gid_t, 256> groups{};
    length = sizeof groups;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) != 0) return false;
    const std::span<const gid_t> known{groups.data(), length / sizeof(gid_t)};
    return std::find(known.begin(), known.end(), group_) != known.end();
}

Task<void> ControlServer::accept_from(std::shared_ptr<Listening> listening)
{
    while (!listening->closed) {
        const auto limit = listening->metrics_only ? settings_.metrics_clients : settings_.control_clients;
        if (listening->clients >= limit) {
            // Who says nothing makes room for who might.
            const bool makes_room = !listening->asking.empty();
            if (makes_room) listening->asking.front()->cancel();
            listening->pause.expires_after(makes_room ? std::chrono::milliseconds{0} : pause_when_full);
            auto paused = co_await listening->pause.async_wait(as_outcome);
            (void)paused;
            continue;
        }
        auto ready = co_await listening->socket.async_wait(Socket::wait_read, as_outcome);
        auto& [failed] = ready;
        if (failed || listening->closed) co_return;
        Descriptor accepted{
            ::accept4(listening->socket.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!accepted.is_open()) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                listening->pause.expires_after(pause_when_full);
                auto paused = co_await listening->pause.async_wait(as_outcome);
                (void)paused;
            }
            continue;
        }
        if (!listening->metrics_only && !may_use(accepted.number())) {
            log::warning("control socket: a process that is neither root nor in its group was turned away");
            continue;
        }
        ++listening->clients;
        auto left = [listening](std::exception_ptr bug) {
            --listening->clients;
            if (bug) std::rethrow_exception(bug);
        };
        asio::co_spawn(io_, serve(std::move(accepted), listening), std::move(left));
    }
}

Task<std::optional<int>> ControlServer::read_body(SocketStream& stream, Buffer& received, http::Framing framing,
                                                  bool waits, std::string& body)
{
    const bool chunked = framing.kind == http::Framing::Kind::chunked;
    if (!chunked && (framing.kind != http::Framing::Kind::length || framing.length_bytes == 0)) co_return 0;
    if (framing.length_bytes > settings_.most_body_bytes) co_return 413;
    if (bodies_ >= settings_.bodies) co_return 503;
    const BodyCount counted{bodies_};
    if (waits) {
        const auto told = co_await write_all(stream, asio::buffer(go_on));
        if (!told) co_return std::nullopt;
    }
    http::BodyReader reader{Side::client};
    reader.restart(framing);
    while (!reader.ended()) {
        const auto piece = reader.next(received.view());
        if (!piece) co_return 400;
        received.consume(piece->skip_bytes);
        body.append(received.view().substr(0, piece->content_bytes));
        received.consume(piece->content_bytes + piece->after_bytes);
        if (body.size() > settings_.most_body_bytes) co_return 413;
        if (piece->ended) break;
        if (piece->content_bytes > 0 && !received.empty()) continue;
        auto count = co_await stream.read_some(received.prepare(16 * 1024));
        if (!count || *count == 0) co_return std::nullopt;
        received.commit(*count);
    }
    co_return 0;
}

/// Reads until there is a whole request, or a refusal. None: the client ended, or its time did.
Task<std::optional<ControlAnswer>> ControlServer::read_request(SocketStream& stream, Buffer& received,
                                                               Listening& listening)
{
    http::HeadProgress progress;
    ControlAnswer asked;
    const auto place = listening.asking.insert(listening.asking.end(), &stream);
    stream.expire_after(settings_.request_limit);
    while (std::holds_alternative<http::NeedMore>(asked = parse_control_request(received.view(), progress))) {
        auto count = co_await stream.read_some(received.prepare(4096));
        if (!count || *count == 0) break;
        received.commit(*count);
    }
    listening.asking.erase(place);
    if (std::holds_alternative<http::NeedMore>(asked)) co_return std::nullopt;
    if (const auto* question = std::get_if<ControlRequest>(&asked)) received.consume(question->head_bytes);
    co_return asked;
}

Task<void> ControlServer::serve(Descriptor socket, std::shared_ptr<Listening> listening)
{
    const bool metrics_only = listening->metrics_only;
    SocketStream stream{std::move(socket), Side::client, wheel_};
    Buffer received{max_control_request_bytes};
    auto asked = co_await read_request(stream, received, *listening);
    if (!asked) co_return;
    link::Answer answer;
    if (const auto* refusal = std::get_if<http::Refusal>(&*asked)) {
        answer = {refusal->status, "application/json", R"({"error":"the request is not understood"})"};
    } else {
        auto& question = std::get<ControlRequest>(*asked);
        const auto path = question.target.substr(0, question.target.find('?'));
        const bool scraped = question.method == "GET" && path == "/metrics";
        std::string body;
        std::optional<int> status{0};
        if (metrics_only)
            question.target = "/v1/metrics";
        else
            status = co_await read_body(stream, received, question.framing, question.waits, body);
        if (!status) co_return;
        if (metrics_only && !scraped)
            answer = {404, "text/plain", "Only GET /metrics is here.\n"};
        else if (*status != 0)
            answer = {*status, "application/json", R"({"error":"the body is too large, broken, or one too many"})"};
        else
            answer = co_await respond_(std::move(question.method), std::move(question.target), std::move(body));
    }
    std::string out;
    http::OwnResponse response;
    response.status = answer.status;
    response.content_type = answer.content_type;
    response.body = answer.body;
    http::append_response(out, response);
    stream.expire_after(settings_.request_limit);
    const auto written = co_await write_all(stream, asio::buffer(out));
    if (written) stream.end_writing();
}

} // namespace gw::keeper
