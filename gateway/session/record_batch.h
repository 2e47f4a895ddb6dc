#pragma once

#include "gateway/base/deadline.h"
#include "gateway/session/log_writer.h"
#include "gateway/session/settings.h"

#include <string>

namespace gw::session {

/// The records of one worker, gathered until there are 64 KiB of them or the first has waited for 100 ms. They go to
/// the log's own thread then.
class RecordBatch {
public:
    /// Both outlive it.
    RecordBatch(LogWriter& log, DeadlineWheel& wheel);

    /// The records in memory hold everything, or, when the access log is off, what is `notable`. `json` and `human`
    /// append a line to the string they are called with, without its break.
    template <class Json, class Human>
    void add(AccessLog::Format format, bool notable, const Json& json, const Human& human)
    {
        if (format == AccessLog::Format::off && !notable) return;
        const auto begin = records_.size();
        json(records_);
        records_ += '\n';
        if (format == AccessLog::Format::json) lines_.append(records_, begin);
        if (format == AccessLog::Format::human) {
            human(lines_);
            lines_ += '\n';
        }
        hand_over_in_time();
    }
    /// Hands over what there is.
    void flush();

private:
    void hand_over_in_time();

    LogWriter& log_;
    Deadline due_;
    std::string lines_;   // for the access log
    std::string records_; // for those who ask
};

} // namespace gw::session
