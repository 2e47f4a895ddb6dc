#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/base/log.h"
#include "gateway/base/result.h"

#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

// How records are written: what those of connections, requests and flows have in common.

namespace gw::session {

/// Writes one JSON object, field by field. Names are ours; values are escaped.
class JsonObject {
public:
    explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
    void end() { out_ += '}'; }

    void text(std::string_view name, std::string_view value)
    {
        begin(name);
        out_ += '"';
        log::append_json(out_, value);
        out_ += '"';
    }
    template <class Number> void number(std::string_view name, Number value)
    {
        begin(name);
        std::array<char, 24> digits;
        const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), value);
        out_.append(digits.data(), done.ptr);
    }
    void boolean(std::string_view name, bool value)
    {
        begin(name);
        out_ += value ? "true" : "false";
    }
    void milliseconds(std::string_view name, std::chrono::steady_clock::duration value)
    {
        begin(name);
        append_milliseconds(out_, value);
    }
    std::string& raw(std::string_view name)
    {
        begin(name);
        return out_;
    }
    static void append_milliseconds(std::string& out, std::chrono::steady_clock::duration value)
    {
        const auto micro = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
        std::array<char, 32> digits;
        auto done = std::to_chars(digits.data(), digits.data() + digits.size(), micro / 1000);
        out.append(digits.data(), done.ptr);
        const auto rest = static_cast<int>(micro % 1000);
        const std::array<char, 4> fraction{'.', static_cast<char>('0' + rest / 100),
                                           static_cast<char>('0' + rest / 10 % 10), static_cast<char>('0' + rest % 10)};
        out.append(fraction.data(), fraction.size());
    }

private:
    void begin(std::string_view name)
    {
        if (!first_) out_ += ',';
        first_ = false;
        out_ += '"';
        out_ += name;
        out_ += "\":";
    }
    std::string& out_;
    bool first_ = true;
};

/// RFC 3339 in UTC with milliseconds. Valid until this thread's next call.
std::string_view time_text(std::chrono::system_clock::time_point at);

void put_endpoint(JsonObject& object, std::string_view name, const Endpoint& endpoint);
/// How it ended: "ok", or whose fault it was and what happened.
void put_error(JsonObject& object, const Error* error); ///< null: none

} // namespace gw::session
