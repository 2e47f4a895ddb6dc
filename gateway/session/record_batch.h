#pragma once

#include "gateway/base/deadline.h"
#include "gateway/session/log_writer.h"
#include "gateway/session/record_limit.h"
#include "gateway/session/settings.h"

#include <string>

namespace gw::session {

/// How a record is to be treated.
struct RecordTraits {
    RecordKind kind;
    bool notable; ///< in memory it is kept even when the access log is off
    bool exempt;  ///< the limit does not hold for it
};

/// The records of one worker, limited, and gathered until there are 64 KiB of them or the first has waited for 100 ms.
/// They go to the log's own thread then.
class RecordBatch {
public:
    /// Both outlive it.
    RecordBatch(std::size_t worker, LogWriter& log, DeadlineWheel& wheel);

    /// The records in memory hold everything, or, when the access log is off, what is `notable`. `json` and `human`
    /// append a line to the string they are called with, without its break; they are not called for what the limit
    /// leaves out.
    template <class Json, class Human>
    void add(AccessLog::Format format, const RecordTraits& traits, const Json& json, const Human& human)
    {
        if (format == AccessLog::Format::off && !traits.notable) return;
        if (format != batch_.format) flush(); // of another generation
        batch_.format = format;
        if (traits.exempt || limit_.admits(traits.kind, Deadline::Clock::now()))
            append(json, human);
        else if (suppressed_due_.at() == Deadline::Clock::time_point::max())
            suppressed_due_.expire_after(RecordLimit::longest_silence);
    }
    /// Records left out so far.
    const RecordCounts& suppressed() const { return limit_.total(); }
    /// Says what was left out, and hands over what there is.
    void finish();

private:
    template <class Json, class Human> void append(const Json& json, const Human& human)
    {
        json(batch_.records);
        batch_.records += '\n';
        ++batch_.count;
        if (batch_.format == AccessLog::Format::human) {
            human(batch_.lines);
            batch_.lines += '\n';
        }
        hand_over_in_time();
    }
    void hand_over_in_time();
    void tell_suppressed();
    void flush();

    std::size_t worker_;
    LogWriter& log_;
    RecordLimit limit_;
    Deadline due_;
    Deadline suppressed_due_;
    LogWriter::Batch batch_;
};

} // namespace gw::session
