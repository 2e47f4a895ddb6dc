#include "gateway/keeper/rules.h"

#include "gateway/base/end_on_bug.h"
#include "gateway/base/log.h"
#include "gateway/keeper/sockets.h"
#include "netfilter/local_addresses.h"
#include "netfilter/watch.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/resource.h>
#include <unistd.h>

namespace gw::keeper {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds settle = 10ms;           // changes come in swarms: one look for all of them
constexpr std::chrono::milliseconds longest_pause = 500ms;   // between two attempts to put back what cannot be
constexpr std::chrono::milliseconds first_try_again = 100ms; // of what has to be in force
constexpr std::chrono::milliseconds longest_try_again = 5s;
constexpr auto look_interval = 1s; // where the kernel does not say that rules have changed
constexpr int look_share = 20;     // one part of so many of a processor may be spent on it

/// Of this thread, and of the programs that it has waited for: on a busy machine they take longer, and no more.
std::chrono::microseconds processor_time()
{
    std::chrono::microseconds sum{};
    for (const auto whose : {RUSAGE_THREAD, RUSAGE_CHILDREN}) {
        rusage used{};
        ::getrusage(whose, &used);
        for (const auto& time : {used.ru_utime, used.ru_stime})
            sum += std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
    }
    return sum;
}

std::string joined(const std::vector<std::string>& names)
{
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

} // namespace

struct Rules::Following {
    Following(asio::io_context& io, netfilter::Watch opened)
        : watch(std::move(opened)), readable(io, ::dup(watch.descriptor())), pause(io), look(io)
    {}
    void end()
    {
        boost::system::error_code ignored;
        readable.cancel(ignored);
        pause.cancel();
        look.cancel();
        ended = true;
    }

    netfilter::Watch watch;
    asio::posix::stream_descriptor readable;
    asio::steady_timer pause;
    asio::steady_timer look;
    bool ended = false;
};

Result<> Rules::open(const netfilter::Settings& settings)
{
    if (installer_ != nullptr) return {};
    auto opened = netfilter::Installer::open(settings);
    if (!opened) return opened.error();
    const auto swept = (*opened)->sweep();
    if (!swept) return swept.error();
    installer_ = std::move(*opened);
    if (backend_ != installer_->backend()) log::info("the rules are held by " + installer_->backend());
    backend_ = installer_->backend();
    return {};
}

Result<> Rules::guard(const config::Settings& settings)
{
    const auto plan = netfilter::make_plan(settings.netfilter, captures_of(settings.listeners, {}), {});
    if (plan.captures.empty()) return {};
    if (const auto opened = open(settings.netfilter); !opened) return opened.error();
    return installer_->guard(plan);
}

/// Nothing is to be captured. A process that was killed, or a configuration that is no more, may have left something.
Result<> Rules::clear(const netfilter::Settings& settings)
{
    if (installer_ == nullptr && std::exchange(looked_for_leftovers_, true)) return {};
    if (const auto opened = open(settings); !opened) {
        log::debug("leftovers of earlier rules were not looked for: " + opened.error().what);
        return {};
    }
    netfilter::Plan nothing;
    nothing.settings = settings;
    const auto cleared = installer_->install(nothing);
    if (cleared) remove();
    return cleared;
}

void Rules::sweep_leftovers(const netfilter::Settings& settings)
{
    if (installer_ != nullptr) return;
    const auto cleared = clear(settings);
    if (!cleared) log::warning("what an earlier gatewayd has left: " + describe(cleared.error()));
}

Result<> Rules::put(const config::Settings& settings, const std::vector<link::SocketName>& sockets)
{
    auto done = put_captures(settings.netfilter, captures_of(settings.listeners, sockets));
    if (!done) return done;
    ++attempt_;
    not_put_.clear();
    return done;
}

Result<> Rules::put_captures(const netfilter::Settings& settings, std::vector<netfilter::Capture> captures)
{
    const bool lingers = captures.empty() && (installed() || adopted_);
    if (captures.empty() && !lingers) return installer_ == nullptr ? Result<>{} : clear(settings);
    if (const auto opened = open(settings); !opened) return opened.error();
    // Before the interfaces are read: what changes from now on is not missed.
    if (const auto following = follow_kernel(settings); !following) return following.error();
    auto present = netfilter::present_interfaces();
    if (!present) return present.error();
    auto plan = netfilter::make_plan(settings, std::move(captures), std::move(*present));
    plan.lingers = lingers;
    const auto installed = installer_->install(plan);
    if (!installed) return installed.error();
    put_in_force();
    adopted_ = false;
    not_healed_.clear();
    return {};
}

void Rules::put_in_force()
{
    plan_ = installer_->in_force();
    for (const auto& name : plan_.left_out)
        log::warning_once("interface " + name, "no rule can name the interface " + name +
                                                   ": nothing that arrives there is captured; rename it with: ip link "
                                                   "set dev OLD name NEW");
    auto heartbeats = installer_->heartbeats();
    if (pulse_ == nullptr || pulse_->heartbeats() != heartbeats.size())
        pulse_ = std::make_unique<Pulse>(io_, std::move(heartbeats));
}

void Rules::insist(const config::Settings& settings, const std::vector<link::SocketName>& sockets)
{
    insist_on(settings.netfilter, captures_of(settings.listeners, sockets));
}

void Rules::insist_on(netfilter::Settings settings, std::vector<netfilter::Capture> captures)
{
    ++attempt_;
    if (put_well(put_captures(settings, captures))) return;
    asio::co_spawn(io_, try_again(std::move(settings), std::move(captures), attempt_), end_on_bug);
}

Task<void> Rules::try_again(netfilter::Settings settings, std::vector<netfilter::Capture> captures,
                            std::uint64_t attempt)
{
    asio::steady_timer pause{io_};
    for (auto again = first_try_again;; again = std::min(again * 2, longest_try_again)) {
        pause.expires_after(again);
        auto waited = co_await pause.async_wait(as_outcome);
        (void)waited;
        if (attempt != attempt_) co_return; // something else is wanted now
        const auto done = put_captures(settings, captures);
        if (put_well(done)) break;
    }
    log::info("the rules are in force");
}

bool Rules::put_well(const Result<>& outcome)
{
    const auto failure = outcome ? std::string{} : describe(outcome.error());
    if (!failure.empty() && failure != not_put_) log::error("the rules are not as they must be: " + failure);
    not_put_ = failure;
    return failure.empty();
}

void Rules::alive()
{
    if (!installed() || !capturing_) return;
    const auto beaten = installer_->beat();
    if (!beaten && !beat_failed_)
        log::error("nothing is captured: " + describe(beaten.error()));
    else if (beaten && beat_failed_)
        log::info("the heartbeat arrives again");
    beat_failed_ = !beaten;
    if (beaten) pulse_->beaten();
}

void Rules::stop_capturing()
{
    capturing_ = false;
    if (!installed()) return;
    pulse_->rest();
    const auto still = installer_->still();
    if (!still) log::warning("rules while draining: " + describe(still.error()));
}

void Rules::remove()
{
    if (following_ != nullptr) following_->end();
    following_.reset();
    pulse_.reset();
    if (installer_ == nullptr) return;
    const auto removed = installer_->remove();
    if (!removed) log::warning("removing the rules: " + describe(removed.error()));
    forget();
}

void Rules::forget()
{
    installer_.reset();
    plan_ = {};
    adopted_ = false;
    ++attempt_;
    not_put_.clear();
    not_healed_.clear();
}

Result<netfilter::Handover> Rules::hand_over()
{
    if (following_ != nullptr) following_->end();
    following_.reset();
    return installer_->hand_over();
}

void Rules::take_back()
{
    if (installed()) insist_on(plan_.settings, plan_.captures);
}

Result<> Rules::adopt(const config::Settings& settings, netfilter::Handover handover)
{
    auto adopted = netfilter::Installer::adopt(settings.netfilter, std::move(handover));
    if (!adopted) return adopted.error();
    installer_ = std::move(*adopted);
    backend_ = installer_->backend();
    adopted_ = true;
    return {};
}

void Rules::release()
{
    if (following_ != nullptr) following_->end();
    following_.reset();
    pulse_.reset();
    if (installer_ != nullptr) installer_->release();
    forget();
}

std::string Rules::missing()
{
    if (!not_put_.empty()) return not_put_;
    if (installer_ == nullptr) return {};
    const auto missing = installer_->missing();
    if (!missing) return describe(missing.error());
    if (missing->empty() && beat_failed_) return "the heartbeat, which does not arrive";
    return missing->empty() ? not_healed_ : *missing;
}

// --- what others do to the kernel

Result<> Rules::follow_kernel(const netfilter::Settings& settings)
{
    if (following_ != nullptr) return {};
    auto watch = netfilter::Watch::open(settings);
    if (!watch) return watch.error();
    following_ = std::make_shared<Following>(io_, std::move(*watch));
    auto keep = [following = following_](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
    };
    auto keep_too = keep;
    asio::co_spawn(io_, follow(following_), std::move(keep));
    if (!installer_->is_watched()) asio::co_spawn(io_, look_after(following_), std::move(keep_too));
    return {};
}

/// Instead of being told.
Task<void> Rules::look_after(std::shared_ptr<Following> following)
{
    std::chrono::microseconds took{};
    for (;;) {
        following->look.expires_after(std::max<std::chrono::microseconds>(look_interval, took * look_share));
        auto waited = co_await following->look.async_wait(as_outcome);
        (void)waited;
        if (following->ended) co_return;
        const auto began = processor_time();
        const auto healed_before = healed_;
        heal();
        // Who has taken something away once may do it again.
        took = healed_ == healed_before ? processor_time() - began : 0us;
    }
}

Task<void> Rules::follow(std::shared_ptr<Following> following)
{
    for (;;) {
        auto outcome = co_await following->readable.async_wait(asio::posix::stream_descriptor::wait_read, as_outcome);
        auto& [failed] = outcome;
        if (failed || following->ended) co_return;
        auto changes = following->watch.read();
        if (changes && !changes->any()) continue;
        // One that cannot be read stays readable: then it is looked at now and then, without being told of changes.
        following->pause.expires_after(changes ? settle : longest_pause);
        auto waited = co_await following->pause.async_wait(as_outcome);
        (void)waited;
        if (following->ended) co_return;
        changes = following->watch.read();
        const auto failure = changes ? std::string() : describe(changes.error());
        if (!failure.empty() && failure != not_followed_) log::warning("changes in the kernel: " + failure);
        not_followed_ = failure;
        if (changed_) changed_();
        // What cannot be put back now can perhaps soon: an interface that is down comes up.
        for (auto again = settle; !heal(); again = std::min(again * 2, longest_pause)) {
            following->pause.expires_after(again);
            auto slept = co_await following->pause.async_wait(as_outcome);
            (void)slept;
            if (following->ended) co_return;
        }
    }
}

/// Also follows interfaces that came, went or have another name.
bool Rules::heal()
{
    if (!installed()) return true;
    auto present = netfilter::present_interfaces();
    if (!present) return healed_well(describe(present.error()));
    auto plan = netfilter::make_plan(plan_.settings, plan_.captures, std::move(*present));
    plan.lingers = plan_.lingers;
    const auto repairs = installer_->repair(plan);
    if (!repairs) return healed_well(describe(repairs.error()));
    put_in_force();
    if (!repairs->empty()) {
        healed_ += repairs->size();
        last_healed_ = joined(*repairs);
        log::warning("somebody else had taken away, and it is back: " + last_healed_);
    }
    return healed_well({});
}

/// Said once, however often it is tried again.
bool Rules::healed_well(std::string failure)
{
    if (!failure.empty() && failure != not_healed_) log::error("the rules cannot be put back: " + failure);
    not_healed_ = std::move(failure);
    return not_healed_.empty();
}

} // namespace gw::keeper
