#pragma once

#include "gateway/keeper/data_side.h"
#include "gateway/keeper/keeper.h"
#include "gateway/keeper/rules.h"
#include "gateway/link/order.h"

#include <ctime>
#include <nlohmann/json.hpp>

namespace gw::keeper {

class HostDoctor;
using Json = nlohmann::ordered_json;

link::Answer json_answer(int status, const Json& json);

/// What the last reload came to; null before the first.
struct LastReload {
    Json json;
    bool refused() const { return json.is_object() && !json.value("ok", true); }
};

/// Answers of the control socket that are the keeper's own, or its part of them. docs/control-api.md.
class Answers {
public:
    Answers(const Options& options, const InForce& in_force, const DataSide& data, Rules& rules, const LastReload& last)
        : options_(options), in_force_(in_force), data_(data), rules_(rules), last_reload_(last)
    {}

    link::Answer version() const;
    link::Answer rules() const;
    /// `data`: the data process's part, or why there is none. Answers even while the data process does not. `more`: the
    /// members of others, beside `problems`.
    link::Answer status(const Result<link::Answer>& data, HostDoctor& doctor, const Json& more) const;

private:
    Json problems(const Json& of_data, const Result<link::Answer>& data, const std::string& missing,
                  const Json& more) const;

    const Options& options_;
    const InForce& in_force_;
    const DataSide& data_;
    Rules& rules_;
    const LastReload& last_reload_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    std::int64_t began_at_ = std::time(nullptr);
};

} // namespace gw::keeper
