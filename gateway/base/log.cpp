#include "gateway/base/log.h"

#include "gateway/base/log_thread.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <unistd.h>

namespace gw::log {

namespace {

std::atomic<Level> least_level{Level::info};
std::string process_name = "gatewayd";

constexpr std::array<std::string_view, 4> words{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 4> journal_prefix{"<7>", "<6>", "<4>", "<3>"};
constexpr std::string_view hex = "0123456789abcdef";

/// Length of the valid UTF-8 sequence at the start, 0 when there is none. RFC 3629 section 4.
std::size_t utf8_length(std::string_view text)
{
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
    const auto follows = [&](std::size_t at, std::uint8_t low = 0x80, std::uint8_t high = 0xbf) {
        return at < text.size() && byte(at) >= low && byte(at) <= high;
    };
    const auto first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const std::uint8_t low = first == 0xe0 ? 0xa0 : 0x80;
        const std::uint8_t high = first == 0xed ? 0x9f : 0xbf;
        return follows(1, low, high) && follows(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const std::uint8_t low = first == 0xf0 ? 0x90 : 0x80;
        const std::uint8_t high = first == 0xf4 ? 0x8f : 0xbf;
        return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

bool in_journal()
{
    static const bool yes = std::getenv("JOURNAL_STREAM") != nullptr;
    return yes;
}

std::string line_of(Level level, std::string_view message)
{
    std::string line;
    line.reserve(message.size() + 32);
    const auto index = static_cast<std::size_t>(level);
    // On each line: the journal makes an entry of each.
    const auto priority = in_journal() ? journal_prefix[index] : std::string_view{};
    line += priority;
    line += process_name;
    line += ' ';
    line += words[index];
    line += ": ";
    // A message may hold several lines of ours; what drives a terminal or is no text is made harmless all the same.
    while (!message.empty()) {
        const auto length = std::max<std::size_t>(utf8_length(message), 1);
        const auto byte = static_cast<std::uint8_t>(message.front());
        const bool c1 = length == 2 && byte == 0xc2 && static_cast<std::uint8_t>(message[1]) < 0xa0;
        if (byte == '\n')
            (line += '\n').append(priority) += "    ";
        else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && length == 1) || c1)
            line += '?';
        else
            line += message.substr(0, length);
        message.remove_prefix(length);
    }
    line += '\n';
    return line;
}

std::atomic<LineWriter*> background{nullptr};

} // namespace

void set_level(Level least) { least_level = least; }

void set_process(std::string_view name) { process_name = name; }

void write(Level level, std::string_view message)
{
    if (level < least_level.load(std::memory_order_relaxed)) return;
    auto line = line_of(level, message);
    if (auto* writer = background.load()) {
        writer->put(std::move(line));
        return;
    }
    std::string_view rest = line;
    while (!rest.empty()) {
        const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (written <= 0) return;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

InBackground::InBackground()
{
    const auto lost = [](std::uint64_t count) {
        return line_of(Level::warning, std::to_string(count) + " lines lost: whoever reads this log is too slow");
    };
    background = new LineWriter{STDERR_FILENO, lost};
}

/// It is never destroyed: another thread may just be about to say something.
void InBackground::finish()
{
    if (auto* writer = background.load()) writer->finish(LineWriter::farewell_limit);
}

void warning_once(std::string_view subject, std::string_view message)
{
    constexpr std::size_t most_subjects = 10'000;
    static std::mutex mutex;
    static std::set<std::string, std::less<>> said;
    {
        const std::lock_guard lock(mutex);
        if (said.size() >= most_subjects || !said.emplace(subject).second) return;
    }
    warning(message);
}

void append_json(std::string& into, std::string_view text)
{
    while (!text.empty()) {
        // The usual run of harmless bytes goes in at once.
        std::size_t plain = 0;
        while (plain < text.size()) {
            const auto c = static_cast<std::uint8_t>(text[plain]);
            if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f) break;
            ++plain;
        }
        into.append(text.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty()) return;

        const auto byte = static_cast<std::uint8_t>(text.front());
        if (byte >= 0x80) {
            // U+2028 and U+2029 end a line for some readers; a C1 control (0x80..0x9f) drives some terminals.
            const auto length = utf8_length(text);
            const bool c1 = length == 2 && byte == 0xc2 && static_cast<std::uint8_t>(text[1]) < 0xa0;
            const bool separator = text.starts_with("\xe2\x80\xa8") || text.starts_with("\xe2\x80\xa9");
            if (length > 0 && !c1 && !separator) {
                into.append(text.substr(0, length));
                text.remove_prefix(length);
                continue;
            }
        }
        if (byte == '"' || byte == '\\') {
            into += '\\';
            into += text.front();
        } else {
            into += "\\u00";
            into += hex[byte >> 4];
            into += hex[byte & 15];
        }
        text.remove_prefix(1);
    }
}

void append_plain(std::string& into, std::string_view text)
{
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
            into += c;
        } else if (c == '"' || c == '\\') {
            into += '\\';
            into += c;
        } else {
            into += "\\x";
            into += hex[byte >> 4];
            into += hex[byte & 15];
        }
    }
}

} // namespace gw::log
