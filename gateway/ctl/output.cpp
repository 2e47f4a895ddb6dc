#include "gateway/ctl/output.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gw::ctl {

namespace {

constexpr std::size_t usual_width = 80;
constexpr std::size_t usual_height = 24;

bool is_set(const char* name)
{
    const auto* value = std::getenv(name);
    return value && *value;
}

bool colour_wanted()
{
    const auto* kind = std::getenv("TERM");
    return !is_set("NO_COLOR") && kind && std::string_view(kind) != "dumb";
}

std::size_t terminal_width()
{
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const std::string_view columns = is_set("COLUMNS") ? std::getenv("COLUMNS") : "";
    std::size_t width = 0;
    std::from_chars(columns.data(), columns.data() + columns.size(), width);
    return width != 0 ? width : usual_width;
}

std::size_t terminal_height()
{
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
    return usual_height;
}

int write_all(int descriptor, std::string_view text)
{
    while (!text.empty()) {
        const auto count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return 0;
}

} // namespace

Output::Output() : terminal_(::isatty(STDOUT_FILENO) == 1) { std::signal(SIGPIPE, SIG_IGN); }

Output::~Output() { std::signal(SIGPIPE, SIG_DFL); }

bool Output::data(std::string_view text)
{
    if (failed_ == 0) failed_ = write_all(STDOUT_FILENO, text);
    return failed_ == 0;
}

void Output::message(std::string_view message) const
{
    std::string line = "gatewayctl: " + harmless(message);
    if (line.back() != '\n') line += '\n';
    write_all(STDERR_FILENO, line);
}

Exit Output::outcome(Exit exit) const
{
    if (failed_ == 0 || failed_ == EPIPE) return exit;
    message(std::string("write to standard output: ") + std::strerror(failed_));
    return Exit::failed;
}

Look Output::look(bool wide) const { return {terminal_ && colour_wanted(), terminal_ && !wide ? terminal_width() : 0}; }

std::size_t Output::height() const { return terminal_ ? terminal_height() : 0; }

Screen::Screen(Output& output) : output_(output)
{
    output_.data("\x1b[?1049h\x1b[?25l"); // the second screen, no cursor
}

Screen::~Screen() { output_.data("\x1b[?25h\x1b[?1049l"); }

bool Screen::draw(std::string_view picture)
{
    std::string frame = "\x1b[H";
    for (const char c : picture) {
        if (c == '\n') frame += "\x1b[K"; // what an earlier picture left at the end of the line
        frame += c;
    }
    return output_.data(frame + "\x1b[J");
}

} // namespace gw::ctl
