#include "gateway/keeper/boot.h"

#include "gateway/base/log.h"

#include <ctime>

namespace gw::keeper {

namespace {

/// The message without the excerpt that follows it.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

} // namespace

std::string time_text(std::int64_t at)
{
    const std::time_t time = at;
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

void Boot::drop_pending(const Loaded* loaded)
{
    const auto pending = history_->kept(History::Slot::pending);
    if (!pending) return;
    dropped_at_ = pending->at;
    log::warning("the configuration put on trial at " + time_text(pending->at) +
                 " was never confirmed: the one before is used");
    // While it stays in the file, later starts have to know, too.
    const bool in_file = loaded != nullptr && same_sources(loaded->sources, pending->sources);
    const auto kept = in_file ? history_->keep(History::Slot::unconfirmed, *pending) : Result<>{};
    if (kept)
        history_->forget(History::Slot::pending);
    else
        log::warning("state directory: " + kept.error().what);
}

/// How many starts in a row, this one included, have begun with it and not lived to settle.
std::uint64_t Boot::count_start(const Loaded& loaded) const
{
    const auto before = history_->kept(History::Slot::starting);
    Stored mark{1, std::time(nullptr), "start", loaded.sources};
    if (before && same_sources(before->sources, loaded.sources)) mark.number = before->number + 1;
    const auto kept = history_->keep(History::Slot::starting, mark);
    if (!kept) log::warning("state directory: " + kept.error().what);
    return mark.number;
}

std::string Boot::distrust(const Loaded& loaded)
{
    for (const auto slot : {History::Slot::pending, History::Slot::unconfirmed})
        if (const auto unconfirmed = history_->kept(slot);
            unconfirmed && same_sources(unconfirmed->sources, loaded.sources))
            return "what is in " + options_.config_file + " was put on trial at " + time_text(unconfirmed->at) +
                   " and not confirmed";
    const auto starts = count_start(loaded);
    if (starts > settings_.most_early_ends)
        return "with what is in " + options_.config_file + " the last " + std::to_string(starts - 1) +
               " starts ended soon";
    return {};
}

std::variant<Loaded, Rejection> Boot::choose()
{
    auto loading = load(options_.config_file);
    auto* loaded = std::get_if<Loaded>(&loading);
    if (history_ == nullptr) return loading;
    const auto why = loaded != nullptr ? distrust(*loaded)
                                       : "the configuration is wrong: " + first_line(std::get<Rejection>(loading).text);
    drop_pending(loaded);
    if (loaded != nullptr) tried_ = loaded->sources;
    if (why.empty()) return loading;
    if (loaded == nullptr) log::error("the configuration is wrong\n" + std::get<Rejection>(loading).text);
    if (auto good = instead(why)) return std::move(*good);
    return loading;
}

std::optional<Loaded> Boot::instead(const std::string& why)
{
    if (history_ == nullptr || !reason_.empty()) return std::nullopt;
    if (options_.strict_start) {
        log::error("--strict-start: nothing else than the configuration file is tried");
        return std::nullopt;
    }
    auto good = history_->good();
    if (!good || good->sources[0].name != options_.config_file || same_sources(good->sources, tried_))
        return std::nullopt;
    auto loading = load(good->sources);
    if (const auto* rejected = std::get_if<Rejection>(&loading)) {
        log::error("the last-known-good configuration is not understood any more\n" + rejected->text);
        return std::nullopt;
    }
    reason_ = why;
    fallback_ = std::move(*good);
    log::error("STARTING WITH THE LAST-KNOWN-GOOD CONFIGURATION of " + time_text(fallback_.at) + ": " + why +
               "\n`gatewayctl diff` shows how the file differs; mend it, then `gatewayctl reload`");
    return std::move(std::get<Loaded>(loading));
}

void Boot::settled() const
{
    if (history_ != nullptr && reason_.empty()) history_->forget(History::Slot::starting);
}

} // namespace gw::keeper
