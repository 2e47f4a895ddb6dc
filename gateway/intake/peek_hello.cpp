#include "gateway/intake/peek_hello.h"

#include "gateway/intake/classify.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>
#include <variant>

namespace gw::intake {

namespace {

/// What the timer's handler may touch. Shared, because the handler may run after the coroutine has gone on.
struct Wait {
    Stream* stream; // null: the wait is over
    bool cancelled = false;
};

Task<Result<>> silence(std::chrono::milliseconds limit)
{
    asio::steady_timer timer{co_await asio::this_coro::executor, limit};
    auto outcome = co_await timer.async_wait(as_outcome);
    (void)outcome;
    co_return Result<>{};
}

Error ended_without_a_byte() { return Error{Fault::closed, Side::client, "ended without a byte"}; }

} // namespace

Task<Result<bool>> read_first_bytes(Stream& client, Buffer& received, std::chrono::milliseconds limit)
{
    // A timer of its own: the wheel behind the stream's deadline is too coarse for what every client of a server that
    // speaks first would wait for.
    const auto wait = std::make_shared<Wait>(Wait{&client});
    asio::steady_timer timer{co_await asio::this_coro::executor, limit};
    timer.async_wait([wait](boost::system::error_code stopped) {
        if (stopped || wait->stream == nullptr) return;
        wait->cancelled = true;
        wait->stream->cancel();
    });
    const auto into = received.prepare();
    const auto count = co_await client.read_some(into);
    wait->stream = nullptr;
    if (!count && wait->cancelled && count.error().fault == Fault::closed) co_return false;
    if (!count) co_return count.error();
    if (*count == 0) co_return ended_without_a_byte();
    received.commit(*count);
    co_return true;
}

Task<Result<Hello>> peek_hello(Stream& client, Buffer& received, const Settings& settings)
{
    client.expire_after(settings.hello_limit);
    for (;;) {
        auto answer = classify(received.view(), settings.max_hello_bytes);
        if (!answer) co_return answer.error();
        if (auto* hello = std::get_if<Hello>(&*answer)) {
            client.expire_at(std::chrono::steady_clock::time_point::max());
            co_return std::move(*hello);
        }
        const auto into = received.prepare();
        if (into.size() == 0) co_return Error{Fault::too_large, Side::client, "first bytes"};
        const auto count = co_await client.read_some(into);
        if (!count) co_return count.error();
        if (*count == 0) break;
        received.commit(*count);
    }
    if (received.empty()) co_return ended_without_a_byte();
    client.expire_at(std::chrono::steady_clock::time_point::max());
    Hello hello;
    hello.kind = Hello::Kind::other;
    co_return hello;
}

Task<Result<Who>> who_speaks_first(SocketStream& client, SocketStream& upstream, std::chrono::milliseconds limit)
{
    using namespace asio::experimental::awaitable_operators;
    auto first = co_await (client.wait_readable() || upstream.wait_readable() || silence(limit));
    const auto& side = std::visit([](const Result<>& result) -> const Result<>& { return result; }, first);
    if (!side) co_return side.error();
    switch (first.index()) {
    case 0: co_return Who::client;
    case 1: co_return Who::upstream;
    default: co_return Who::nobody;
    }
}

} // namespace gw::intake
