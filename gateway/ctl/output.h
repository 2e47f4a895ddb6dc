#pragma once

#include "gateway/ctl/exit.h"
#include "gateway/ctl/text.h"

#include <string_view>

namespace gw::ctl {

/// Where a command's words go: data to standard output, messages to standard error. SIGPIPE is ignored while it lives;
/// a reader that went away (`| head`) is no failure, only the end.
class Output {
public:
    Output();
    ~Output();
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    /// False when nobody reads any more, or it could not be written; `outcome` then says which.
    bool data(std::string_view text);
    /// "gatewayctl: message" and a new line. `message` is for people: it may have several lines.
    void message(std::string_view message) const;
    /// `exit` unless data could not be written.
    Exit outcome(Exit exit) const;

    bool on_terminal() const { return terminal_; }
    /// Colour only on a terminal, and not when NO_COLOR is set or TERM is dumb; `wide`, or no terminal: no width.
    Look look(bool wide) const;
    /// Lines of the terminal; 0: there is none.
    std::size_t height() const;

private:
    bool terminal_;
    int failed_ = 0; // errno of the first write that failed
};

/// The terminal's second screen, for a picture that is drawn again and again; the first comes back when it dies.
class Screen {
public:
    explicit Screen(Output& output);
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    /// Replaces the picture without flicker. False as `Output::data`.
    bool draw(std::string_view picture);

private:
    Output& output_;
};

} // namespace gw::ctl
