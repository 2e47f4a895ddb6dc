#include "gateway/keeper/data_link.h"

#include <csignal>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gw::keeper {

namespace {

constexpr int link_descriptor = 3;

[[noreturn]] void become(const char* program, const char* role, int link)
{
    // Between fork and exec: plain system calls only.
    if (link == link_descriptor)
        ::fcntl(link, F_SETFD, 0);
    else
        ::dup2(link, link_descriptor);
    const char* const arguments[] = {"gatewayd", "--role", role, "--link-fd", "3", nullptr};
    ::execv(program, const_cast<char* const*>(arguments));
    ::_exit(127);
}

} // namespace

Result<std::shared_ptr<DataLink>> DataLink::start(asio::io_context& io) { return start(io, "/proc/self/exe", "data"); }

Result<std::shared_ptr<DataLink>> DataLink::start(asio::io_context& io, const char* program, const char* role)
{
    auto pair = link::Link::make_pair();
    if (!pair) return pair.error();
    const int child = ::fork();
    if (child < 0) return system_error(std::string{"starting "} + program);
    if (child == 0) become(program, role, pair->second.number());
    return std::shared_ptr<DataLink>{new DataLink{io, std::move(pair->first), child}};
}

DataLink::DataLink(asio::io_context& io, Descriptor link, int process_id)
    : io_(io), link_(io, std::move(link)), process_id_(process_id),
      process_(static_cast<int>(::syscall(SYS_pidfd_open, process_id, 0)))
{}

DataLink::~DataLink() { kill(); }

void DataLink::kill() const
{
    if (process_.is_open()) ::syscall(SYS_pidfd_send_signal, process_.number(), SIGKILL, nullptr, 0);
}

Task<Result<std::string>> DataLink::ask(link::Kind kind, std::string text, std::vector<Descriptor> descriptors,
                                        std::chrono::milliseconds limit)
{
    if (gone_) co_return Error{Fault::closed, Side::gateway, "the process has gone", {}};
    link::Message message;
    message.kind = kind;
    message.number = next_++;
    message.text = std::move(text);
    message.descriptors = std::move(descriptors);
    const auto number = message.number;
    auto waiting = std::make_shared<Waiting>(io_);
    waiting->answered.expires_after(limit);
    waiting_.emplace(number, waiting);
    const auto until = waiting->answered.expiry(); // from now on: one that is frozen takes nothing in
    const auto sent = co_await link_.send(std::move(message), until);
    if (!sent) {
        waiting_.erase(number);
        if (!link_.is_open()) kill();
        co_return sent.error();
    }
    if (!waiting->done && !gone_) {
        auto outcome = co_await waiting->answered.async_wait(as_outcome);
        auto& [stopped] = outcome;
        if (!stopped && !waiting->done)
            waiting->answer = Error{Fault::timed_out, Side::gateway, "it does not answer", {}};
    }
    waiting_.erase(number);
    co_return waiting->answer;
}

Task<void> DataLink::follow()
{
    for (;;) {
        auto message = co_await link_.receive();
        if (!message) break;
        if (message->kind == link::Kind::drain) {
            if (told_to_drain_) told_to_drain_();
            continue;
        }
        const auto found = waiting_.find(message->number);
        if (found == waiting_.end()) continue; // it waited too long and has left
        auto& waiting = *found->second;
        if (message->kind == link::Kind::done)
            waiting.answer = std::move(message->text);
        else
            waiting.answer = Error{Fault::refused, Side::gateway, std::move(message->text), {}};
        waiting.done = true;
        waiting.answered.cancel();
    }
    gone_ = true;
    link_.close();
    for (auto& [number, waiting] : waiting_) waiting->answered.cancel();
}

} // namespace gw::keeper
