#include "waf/engine/serve.h"

#include "waf/engine/match_guard.h"
#include "waf/wire.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>

namespace gw::waf {

namespace {

// Open transactions wait for their response. The oldest goes when there are more: its request is replayed if need be.
constexpr std::size_t max_open = 128;
constexpr std::size_t read_bytes = 64 * 1024;

// For the signal handler: everything it needs is made before.
int served_socket = -1;
std::string& last_words()
{
    static std::string words;
    return words;
}

void prepare_last_words()
{
    Answer answer;
    answer.leaving = true;
    answer.limit = "CPU limit reached";
    encode_answer(last_words(), answer);
}

bool write_all(int socket, std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto written = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

class Server {
public:
    Server(int socket, Engine& engine, const Settings& settings)
        : socket_(socket), engine_(engine),
          most_frame_bytes_(std::max(settings.request_max_bytes, settings.response_max_bytes) + 1024 * 1024)
    {}

    void run()
    {
        while (const auto frame = next_frame()) {
            if (!take(frame->kind, std::string_view(received_).substr(begin_, frame->body_bytes))) return;
            begin_ += frame->body_bytes;
        }
    }

private:
    struct Open {
        std::uint64_t number;
        std::unique_ptr<Transaction> transaction;
    };

    std::optional<FrameHead> next_frame();
    bool read_more(std::size_t want_bytes);
    bool take(Kind kind, std::string_view body);
    bool take_request(std::string_view body);
    bool take_response(std::string_view body);
    bool take_end(std::string_view body);
    void keep(std::uint64_t number, std::unique_ptr<Transaction> transaction);
    std::unique_ptr<Transaction> release(std::uint64_t number);
    bool answer(const Answer& what);

    int socket_;
    Engine& engine_;
    std::size_t most_frame_bytes_;
    std::string received_;
    std::size_t begin_ = 0;
    std::string out_;
    RequestFrame request_;
    ResponseFrame response_;
    std::list<Open> open_;
    std::unordered_map<std::uint64_t, std::list<Open>::iterator> by_number_;
};

Answer answer_of(Findings found)
{
    Answer answer;
    answer.blocked = found.blocked;
    answer.score = found.score;
    answer.limit = std::move(found.limit);
    answer.hits = std::move(found.hits);
    return answer;
}

// One receive a frame when the frame is small; the memory of a large one is given back after it.
bool Server::read_more(std::size_t want_bytes)
{
    received_.erase(0, begin_);
    begin_ = 0;
    if (received_.empty() && received_.capacity() > 4 * read_bytes) received_ = {};
    const auto had = received_.size();
    received_.resize(had + std::max(want_bytes, read_bytes));
    ssize_t count = 0;
    do count = ::read(socket_, received_.data() + had, received_.size() - had);
    while (count < 0 && errno == EINTR);
    received_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return count > 0;
}

std::optional<FrameHead> Server::next_frame()
{
    for (;;) {
        const auto view = std::string_view(received_).substr(begin_);
        const auto head = parse_frame_head(view, most_frame_bytes_);
        if (!head) return std::nullopt;
        std::size_t missing = frame_head_bytes;
        if (const auto* frame = std::get_if<FrameHead>(&*head)) {
            if (view.size() >= frame_head_bytes + frame->body_bytes) {
                begin_ += frame_head_bytes;
                return *frame;
            }
            missing = frame_head_bytes + frame->body_bytes - view.size();
        }
        if (!read_more(missing)) return std::nullopt;
    }
}

bool Server::take(Kind kind, std::string_view body)
{
    switch (kind) {
    case Kind::request: return take_request(body);
    case Kind::response: return take_response(body);
    case Kind::end: return take_end(body);
    case Kind::answer: return false;
    }
    return false;
}

bool Server::take_request(std::string_view body)
{
    if (!decode_request(body, request_)) return false;
    auto transaction = engine_.begin(request_.policy);
    if (!transaction) return false;
    auto found = transaction->request(request_.request);
    if (!found.blocked && found.limit.empty()) keep(request_.transaction, std::move(transaction));
    return answer(answer_of(std::move(found)));
}

bool Server::take_response(std::string_view body)
{
    if (!decode_response(body, response_)) return false;
    const auto transaction = release(response_.transaction);
    if (transaction) return answer(answer_of(transaction->response(response_.response)));
    Answer unknown;
    unknown.unknown = true;
    return answer(unknown);
}

bool Server::take_end(std::string_view body)
{
    const auto ended = decode_end(body);
    if (!ended) return false;
    for (const auto number : *ended) release(number);
    return true;
}

void Server::keep(std::uint64_t number, std::unique_ptr<Transaction> transaction)
{
    release(number);
    if (open_.size() >= max_open) release(open_.front().number);
    open_.push_back({number, std::move(transaction)});
    by_number_[number] = std::prev(open_.end());
}

std::unique_ptr<Transaction> Server::release(std::uint64_t number)
{
    const auto found = by_number_.find(number);
    if (found == by_number_.end()) return nullptr;
    auto transaction = std::move(found->second->transaction);
    open_.erase(found->second);
    by_number_.erase(found);
    return transaction;
}

bool Server::answer(const Answer& what)
{
    out_.clear();
    encode_answer(out_, what);
    return write_all(socket_, out_);
}

} // namespace

void serve_inspections(int socket, Engine& engine, const Settings& settings)
{
    prepare_last_words();
    served_socket = socket;
    Server server{socket, engine, settings};
    server.run();
}

void leave_out_of_time() noexcept
{
    write_all(served_socket, last_words());
    ::_exit(3);
}

} // namespace gw::waf
