#pragma once

#include "gateway/keeper/history.h"
#include "gateway/keeper/keeper.h"
#include "gateway/keeper/load.h"
#include "gateway/keeper/settings.h"

#include <optional>
#include <string>
#include <variant>

namespace gw::keeper {

/// For people: "2026-11-21 12:00:00", local time.
std::string time_text(std::int64_t at);

/// What to start with: the configuration file, or what is known to be good when the file is not to be trusted: it is
/// wrong, it was on trial and never confirmed, or the starts with it ended soon, several times in a row.
class Boot {
public:
    /// `history`: null when none is kept; then the file it is.
    Boot(const Options& options, const Settings& settings, const History* history)
        : options_(options), settings_(settings), history_(history)
    {}

    /// Reads the file and remembers this start. Errors: why the file is wrong, when there is nothing else, or only the
    /// file may be used (`Options::strict_start`).
    std::variant<Loaded, Rejection> choose();
    /// What is known to be good, when what was chosen could not be brought into force for this reason. Once.
    std::optional<Loaded> instead(const std::string& why);
    /// Starts with what is in the file end no more than others do.
    void settled() const;

    /// Why the file is not in force; empty: it is.
    const std::string& reason() const { return reason_; }
    /// Of the last-known-good that is in force.
    const Stored& fallback() const { return fallback_; }
    /// When the configuration that went with the process before, unconfirmed, was put on trial; 0: there was none.
    std::int64_t dropped_at() const { return dropped_at_; }

private:
    std::string distrust(const Loaded& loaded);
    std::uint64_t count_start(const Loaded& loaded) const;
    void drop_pending(const Loaded* loaded);

    const Options& options_;
    const Settings& settings_;
    const History* history_;
    config::Sources tried_;
    std::string reason_;
    Stored fallback_;
    std::int64_t dropped_at_ = 0;
};

} // namespace gw::keeper
