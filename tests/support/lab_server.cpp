#include "tests/support/lab_server.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <poll.h>
#include <sstream>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace gw::lab {

namespace {

constexpr std::string_view nginx_configuration = R"(
daemon off;
master_process off;
pid @FOLDER@/pid;
error_log @FOLDER@/error.log warn;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path @FOLDER@/body; proxy_temp_path @FOLDER@/proxy; fastcgi_temp_path @FOLDER@/fastcgi;
    uwsgi_temp_path @FOLDER@/uwsgi; scgi_temp_path @FOLDER@/scgi;
    log_format facts escape=json '{"client":"$remote_addr","port":$remote_port,"method":"$request_method",'
        '"target":"$request_uri","host":"$http_host","status":$status,"scheme":"$scheme",'
        '"forwarded_for":"$http_x_forwarded_for","forwarded":"$http_forwarded","received":$request_length}';
    client_max_body_size 0;
    keepalive_requests 1000000;
    default_type text/plain;
    server {
        listen @V4@:80; listen [@V6@]:80; listen @V4@:8080; listen [@V6@]:8080;
        listen @V4@:443 ssl; listen [@V6@]:443 ssl;
        ssl_certificate @FOLDER@/certificate.pem; ssl_certificate_key @FOLDER@/key.pem;
        access_log @FOLDER@/access.log facts;
        location / { return 200 "this is @NAME@\n"; }
        location /file/ { alias @FOLDER@/files/; }
    }
}
)";

std::string with(std::string text, std::string_view word, std::string_view value)
{
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size()))
        text.replace(at, word.size(), value);
    return text;
}

} // namespace

WebServer::WebServer(Network& network, std::string name, int host) : name_(std::move(name))
{
    const auto v4 = "10.0.2." + std::to_string(host);
    const auto v6 = "fd00:2::" + std::to_string(host);
    network.knows(name_, v4, v6);
    run_well({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
              "2", "-subj", "/CN=" + name_, "-addext", "subjectAltName=DNS:" + name_, "-keyout",
              folder_.path("key.pem"), "-out", folder_.path("certificate.pem")});
    certificate_ = read_file(folder_.path("certificate.pem"));
    std::filesystem::create_directory(folder_.path("files"));
    for (const auto mebibytes : {1, 8, 64}) {
        const auto path = folder_.write("files/" + std::to_string(mebibytes), "");
        std::filesystem::resize_file(path, static_cast<std::uintmax_t>(mebibytes) * 1024 * 1024);
    }
    auto text = with(std::string(nginx_configuration), "@FOLDER@", folder_.path());
    text = with(with(with(std::move(text), "@V4@", v4), "@V6@", v6), "@NAME@", name_);
    // Sockets listen before the file with its process id is there.
    process_ = std::make_unique<Process>(Command{"nginx", "-p", folder_.path(), "-c", folder_.write("nginx.conf", text),
                                                 "-e", folder_.path("error.log")},
                                         network.servers().place());
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(folder_.path("pid")) || !process_->running(); }));
    EXPECT_TRUE(process_->running()) << read_file(folder_.path("error.log")) << process_->err();
}

WebServer::~WebServer() = default;

std::vector<Json> WebServer::log_now() const
{
    std::vector<Json> found;
    std::istringstream lines(read_file(folder_.path("access.log")));
    for (std::string line; std::getline(lines, line);)
        if (auto json = Json::parse(line, nullptr, false); json.is_object()) found.push_back(std::move(json));
    return found;
}

std::vector<Json> WebServer::log(std::size_t count) const
{
    EXPECT_TRUE(eventually([&] { return log_now().size() >= count; }))
        << name_ << " saw " << log_now().size() << " requests, not " << count;
    auto found = log_now();
    if (found.size() < count) found.resize(count, Json::object());
    return found;
}

std::string WebServer::last_client() const
{
    const auto all = log(1);
    return all.empty() ? "" : all.back().value("client", "");
}

// Whoever waits for a client's next request may wait as long as the test runs.
Origin::Connection::Connection(Socket socket, Origin& origin, std::size_t number)
    : Socket(std::move(socket)), origin_(origin), number_(number)
{
    is_patient_for(std::chrono::minutes{5});
}

void Origin::Connection::forget_socket()
{
    const std::lock_guard lock(origin_.mutex_);
    origin_.records_[number_].socket = -1;
}

void Origin::Connection::resets()
{
    forget_socket();
    Socket::resets();
}

void Origin::Connection::closes()
{
    forget_socket();
    Socket::closes();
}

std::string Origin::Connection::recorded(std::string bytes)
{
    const std::lock_guard lock(origin_.mutex_);
    origin_.records_[number_].received += bytes;
    return bytes;
}
std::string Origin::Connection::receives_until(std::string_view mark) { return recorded(Socket::receives_until(mark)); }
std::string Origin::Connection::receives(std::size_t count) { return recorded(Socket::receives(count)); }
std::string Origin::Connection::receives_all() { return recorded(Socket::receives_all()); }
std::string Origin::Connection::receives_within(Milliseconds limit) { return recorded(Socket::receives_within(limit)); }

Origin::Origin(const Namespace& where, std::string_view at, Script script)
    : script_(std::move(script)), listener_(where.listens(Endpoint::parse(at).value())),
      stop_(::eventfd(0, EFD_CLOEXEC))
{
    acceptor_ = std::thread([this] { accept_all(); });
}

Origin::~Origin()
{
    const std::uint64_t one = 1;
    if (::write(stop_.number(), &one, sizeof one) != sizeof one) ADD_FAILURE() << "eventfd";
    acceptor_.join();
    {
        const std::lock_guard lock(mutex_);
        for (const auto& record : records_)
            if (record.socket >= 0) ::shutdown(record.socket, SHUT_RDWR);
    }
    for (auto& thread : threads_) thread.join();
}

void Origin::accept_all()
{
    for (;;) {
        std::array<pollfd, 2> waits{pollfd{listener_.number(), POLLIN, 0}, pollfd{stop_.number(), POLLIN, 0}};
        ::poll(waits.data(), waits.size(), -1);
        if (waits[1].revents != 0) return;
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        Descriptor accepted(::accept4(listener_.number(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC));
        if (!accepted.is_open()) continue;
        const auto client = from_sockaddr(address);
        const std::lock_guard lock(mutex_);
        const auto number = records_.size();
        records_.push_back({client, {}, accepted.number()});
        threads_.emplace_back([this, number, client, socket = std::move(accepted)]() mutable {
            Connection connection(Socket(std::move(socket), client), *this, number);
            script_(connection);
            connection.closes();
        });
    }
}

std::size_t Origin::connections() const
{
    const std::lock_guard lock(mutex_);
    return records_.size();
}

std::string Origin::received() const
{
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const auto& record : records_) all += record.received;
    return all;
}

std::string Origin::received_on(std::size_t connection) const
{
    const std::lock_guard lock(mutex_);
    return connection < records_.size() ? records_[connection].received : "";
}

Endpoint Origin::client_of(std::size_t connection) const
{
    const std::lock_guard lock(mutex_);
    return connection < records_.size() ? records_[connection].client : Endpoint{};
}

bool Origin::waits_for_connections(std::size_t count) const
{
    return eventually([&] { return connections() >= count; });
}

std::string Message::header(std::string_view name) const { return Answer{0, 0, head, "", "", ""}.header(name); }

std::string request(std::string_view method, std::string_view target, std::string_view host, std::string_view fields)
{
    std::string text;
    text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n");
    return text.append(fields).append("\r\n");
}

std::string answer(int status, std::string_view body, std::string_view fields)
{
    std::string text = "HTTP/1.1 " + std::to_string(status) + " Fine\r\nContent-Length: " + std::to_string(body.size());
    return text.append("\r\n").append(fields).append("\r\n").append(body);
}

std::string chunk(std::string_view bytes)
{
    std::ostringstream text;
    text << std::hex << bytes.size() << "\r\n" << bytes << "\r\n";
    return text.str();
}

Origin::Script answers(std::string bytes)
{
    return [bytes = std::move(bytes)](Origin::Connection& connection) {
        while (receive_message(connection).whole && connection.sends(bytes)) {
        }
    };
}

Origin::Script echoes()
{
    return [](Origin::Connection& connection) {
        for (;;) {
            const auto asked = receive_message(connection);
            if (!asked.whole) return;
            if (!connection.sends(answer(200, asked.head + asked.body + asked.trailers))) return;
        }
    };
}

} // namespace gw::lab
