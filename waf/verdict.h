#pragma once

#include "gateway/base/endpoint.h"
#include "gateway/http/message.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gw::waf {

/// A rule that matched.
struct Hit {
    std::uint32_t id = 0;
    std::string message; ///< the rule's own text
    std::string matched; ///< "ARGS:q", at most 200 bytes, raw: escape before it is logged
    int severity = 0;
    friend bool operator==(const Hit&, const Hit&) = default;
};

struct Verdict {
    enum class Action {
        pass,
        block,  ///< rules said so, and the policy's mode is `block`
        failed, ///< the engine crashed, hung, ran into a limit or was too busy: `on_failure` was applied already:
                ///< `refuse` says what to do
    };
    Action action = Action::pass;
    bool refuse = false; ///< the message must not go on
    int score = 0;       ///< anomaly score
    std::vector<Hit> hits;
    std::string failure; ///< for the log: "inspector died", "matching limit reached", "queue full"
};

/// One request as inspected. Views need to live only until the call is awaited.
struct RequestView {
    Endpoint client;
    Endpoint destination;
    std::string_view method;
    std::string_view target; ///< as written by the client, query included (the engine's form is made inside)
    int minor_version = 1;
    std::span<const http::Field> fields;
    std::string_view body; ///< all of it, unframed
};

struct ResponseView {
    int status = 0;
    int minor_version = 1;
    std::span<const http::Field> fields;
    std::string_view body; ///< at most `response_max_bytes`, empty when not of an inspected type
};

} // namespace gw::waf
