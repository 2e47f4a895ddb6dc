#include "gateway/keeper/service_manager.h"

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <cstdlib>
#include <systemd/sd-daemon.h>

namespace gw::keeper {

Task<void> feed_watchdog(asio::io_context& io)
{
    std::uint64_t limit_us = 0;
    if (::sd_watchdog_enabled(0, &limit_us) <= 0) co_return;
    asio::steady_timer pause{io};
    for (;;) {
        ::sd_notify(0, "WATCHDOG=1");
        pause.expires_after(std::chrono::microseconds{limit_us / 3});
        auto outcome = co_await pause.async_wait(as_outcome);
        auto& [failed] = outcome;
        if (failed) co_return;
    }
}

Task<void> put_off_next_start(asio::io_context& io, std::chrono::milliseconds time)
{
    if (std::getenv("INVOCATION_ID") == nullptr) co_return; // no unit: nobody will try again
    ::sd_notify(0, "STATUS=not started; tried again soon");
    asio::steady_timer pause{io, time};
    auto outcome = co_await pause.async_wait(as_outcome);
    (void)outcome;
}

} // namespace gw::keeper
