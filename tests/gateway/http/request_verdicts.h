#pragma once

#include "gateway/http/message.h"

#include <gtest/gtest.h>
#include <ostream>

namespace gw::http::testing {

using Answer = std::variant<NeedMore, Complete, Refusal>;

/// What a whole head gives: 0 complete, -1 more is asked for, or the status of the refusal.
inline int verdict_of(const Answer& answer)
{
    if (std::holds_alternative<NeedMore>(answer)) return -1;
    if (const auto* refusal = std::get_if<Refusal>(&answer)) return refusal->status;
    return 0;
}

inline int verdict(std::string_view text, const Limits& limits = {})
{
    RequestHead head;
    return verdict_of(parse_request_head(text, limits, head));
}

/// The first answer other than "more" when the bytes come `step` at a time, as from a socket.
inline int verdict_in_steps(std::string_view text, std::size_t step, const Limits& limits = {})
{
    RequestHead head;
    HeadProgress progress;
    for (std::size_t size = 0;; size = std::min(size + step, text.size())) {
        const std::string moved{text.substr(0, size)}; // the buffer is another one each time
        const int answer = verdict_of(parse_request_head(moved, limits, head, &progress));
        if (answer != -1 || size == text.size()) return answer;
    }
}

/// The head of a request that is complete, or a test that fails. `text` must outlive it.
inline RequestHead parsed(std::string_view text)
{
    RequestHead head;
    const auto answer = parse_request_head(text, {}, head);
    const auto* complete = std::get_if<Complete>(&answer);
    EXPECT_TRUE(complete) << text << " -> " << verdict_of(answer);
    if (complete) {
        EXPECT_EQ(complete->size_bytes, text.find("\r\n\r\n") + 4) << text;
    }
    return head;
}

/// "GET / HTTP/1.1", Host and these lines.
inline std::string with(std::string_view lines)
{
    return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string{lines} + "\r\n";
}
inline std::string to(std::string_view request_line, std::string_view host = "a")
{
    return std::string{request_line} + "\r\nHost: " + std::string{host} + "\r\n\r\n";
}

struct Row {
    std::string text;
    int status;
    friend void PrintTo(const Row& row, std::ostream* out) { *out << ::testing::PrintToString(row.text); }
};

/// Every row is asked whole and in every kind of steps.
inline void holds(const std::vector<Row>& rows)
{
    for (const auto& row : rows) {
        EXPECT_EQ(verdict(row.text), row.status) << ::testing::PrintToString(row.text);
        for (const std::size_t step : {1, 2, 3, 7})
            EXPECT_EQ(verdict_in_steps(row.text, step), row.status) << ::testing::PrintToString(row.text);
    }
}

} // namespace gw::http::testing
