#include "gateway/keeper/pulse.h"

#include "gateway/base/log.h"
#include "gateway/base/thread.h"

#include <boost/asio/post.hpp>
#include <condition_variable>
#include <mutex>

namespace gw::keeper {

namespace {

using Clock = std::chrono::steady_clock;

} // namespace

struct Pulse::State : std::enable_shared_from_this<State> {
    State(boost::asio::io_context& io_, std::vector<netfilter::Heartbeat> heartbeats_, const Limits& limits_)
        : io(io_), limits(limits_), heartbeats(std::move(heartbeats_))
    {}

    boost::asio::io_context& io;
    const Limits limits;
    std::vector<netfilter::Heartbeat> heartbeats; // as many to its end
    std::mutex mutex;
    std::condition_variable wake;
    Clock::time_point turned_at = Clock::now();
    Clock::time_point beaten_at{}; // by the keeper
    Clock::duration silence{};     // of those who serve since then, as far as it had turns to hear them
    bool asked = false;            // for a turn that has not come yet
    bool beating = false;
    bool said = false;
    bool ended = false;

    void run();
    void ask_for_turn();
    void beat(Clock::time_point now);
};

void Pulse::State::ask_for_turn()
{
    if (asked) return;
    asked = true;
    boost::asio::post(io, [state = shared_from_this()] {
        const std::lock_guard lock{state->mutex};
        const auto now = Clock::now();
        if (now - state->turned_at < state->limits.late) state->silence += now - state->turned_at;
        state->turned_at = now;
        state->asked = false;
        state->said = false;
    });
}

void Pulse::State::beat(Clock::time_point now)
{
    const bool busy = now - turned_at > limits.late;
    if (!beating || !busy || silence > limits.silent) return;
    if (now - beaten_at < limits.longest) {
        for (auto& heartbeat : heartbeats) static_cast<void>(heartbeat.beat()); // the keeper's next one says why not
    } else if (!std::exchange(said, true)) {
        log::error("the keeper has been busy for more than " + std::to_string(limits.longest.count() / 1'000) +
                   " s: nothing new is captured, and when_down holds");
    }
}

void Pulse::State::run()
{
    std::vector<int> sockets;
    for (const auto& heartbeat : heartbeats) sockets.push_back(heartbeat.socket().number());
    keep_only_descriptors(sockets);
    std::unique_lock lock{mutex};
    while (!wake.wait_for(lock, limits.interval, [this] { return ended; })) {
        ask_for_turn();
        beat(Clock::now());
    }
}

Pulse::Pulse(boost::asio::io_context& io, std::vector<netfilter::Heartbeat> heartbeats, const Limits& limits)
    : state_(std::make_shared<State>(io, std::move(heartbeats), limits))
{
    thread_ = start_quiet_thread([state = state_] { state->run(); });
}

Pulse::~Pulse()
{
    {
        const std::lock_guard lock{state_->mutex};
        state_->ended = true;
    }
    state_->wake.notify_one();
    thread_.join();
}

std::size_t Pulse::heartbeats() const { return state_->heartbeats.size(); }

void Pulse::beaten()
{
    const std::lock_guard lock{state_->mutex};
    state_->beaten_at = Clock::now();
    state_->silence = {};
    state_->beating = true;
}

void Pulse::rest()
{
    const std::lock_guard lock{state_->mutex};
    state_->beating = false;
}

} // namespace gw::keeper
