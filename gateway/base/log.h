#pragma once

#include <string>
#include <string_view>

namespace gw::log {

enum class Level { debug, info, warning, error };

/// The service log: one line a call, to standard error, with a priority prefix that the journal understands when
/// standard error is the journal. Not for sessions and requests: those have records (session/record.h).
void write(Level level, std::string_view message);
void set_level(Level least);
/// Named in every line: "keeper", "data", "inspector".
void set_process(std::string_view name);

inline void debug(std::string_view message) { write(Level::debug, message); }
inline void info(std::string_view message) { write(Level::info, message); }
inline void warning(std::string_view message) { write(Level::warning, message); }
/// A warning about something that would come again and again: said the first time only, for each `subject`.
void warning_once(std::string_view subject, std::string_view message);
inline void error(std::string_view message) { write(Level::error, message); }

/// Appends `text` as the inside of a JSON string. Control characters, quotes and backslashes are escaped; bytes that
/// are not valid UTF-8 become \u00XX, so that any input gives valid JSON on one line and every byte can be told again
/// (a real U+0080..U+00FF is written as UTF-8, an invalid byte as an escape).
void append_json(std::string& into, std::string_view text);
/// Appends `text` for a person: printable ASCII as it is but quote and backslash, all else \xHH. Never a new line,
/// never a terminal escape.
void append_plain(std::string& into, std::string_view text);

} // namespace gw::log
