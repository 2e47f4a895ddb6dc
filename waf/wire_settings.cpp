#include "waf/wire.h"
#include "waf/wire_bytes.h"

namespace gw::waf {

namespace {

constexpr std::size_t least_policy_bytes = 21;

template <class Enum> Enum one_of(Reader& from, Enum last)
{
    const auto value = from.u8();
    if (value > static_cast<std::uint8_t>(last)) from.refuse();
    return from.broken() ? Enum{} : static_cast<Enum>(value);
}

std::chrono::milliseconds time_of(Reader& from)
{
    const auto count = from.u64();
    if (count > 24ULL * 60 * 60 * 1000) from.refuse();
    return std::chrono::milliseconds(from.broken() ? 0 : count);
}

void put_time(std::string& into, std::chrono::milliseconds time)
{
    put64(into, static_cast<std::uint64_t>(time.count()));
}

void put_policy(std::string& into, const Policy& policy)
{
    put8(into, static_cast<std::uint8_t>(policy.mode));
    put32(into, static_cast<std::uint32_t>(policy.paranoia));
    put32(into, static_cast<std::uint32_t>(policy.request_threshold));
    put32(into, static_cast<std::uint32_t>(policy.response_threshold));
    put32(into, policy.disable_rules.size());
    for (const auto id : policy.disable_rules) put32(into, id);
    put32(into, policy.disable_targets.size());
    for (const auto& [id, targets] : policy.disable_targets) {
        put32(into, id);
        put32(into, targets.size());
        for (const auto& target : targets) put_text(into, target);
    }
}

std::vector<std::string> texts_of(Reader& from)
{
    std::vector<std::string> texts;
    const auto count = from.count(4);
    for (std::size_t i = 0; i < count && !from.broken(); ++i) texts.emplace_back(from.text());
    return texts;
}

Policy policy_of(Reader& from)
{
    Policy policy;
    policy.mode = one_of(from, Mode::block);
    policy.paranoia = static_cast<int>(from.u32());
    policy.request_threshold = static_cast<int>(from.u32());
    policy.response_threshold = static_cast<int>(from.u32());
    const auto rules = from.count(4);
    for (std::size_t i = 0; i < rules; ++i) policy.disable_rules.push_back(from.u32());
    const auto targets = from.count(8);
    for (std::size_t i = 0; i < targets && !from.broken(); ++i) {
        const auto id = from.u32();
        policy.disable_targets[id] = texts_of(from);
    }
    return policy;
}

} // namespace

void encode_settings(std::string& into, const Settings& settings)
{
    put32(into, settings.policies.size());
    for (const auto& policy : settings.policies) put_policy(into, policy);
    put8(into, settings.crs ? 1 : 0);
    put32(into, settings.rule_files.size());
    for (const auto& file : settings.rule_files) put_text(into, file);
    put64(into, settings.request_max_bytes);
    put64(into, settings.response_max_bytes);
    put8(into, static_cast<std::uint8_t>(settings.over_limit));
    put8(into, static_cast<std::uint8_t>(settings.on_failure));
    put_time(into, settings.request_cpu_limit);
    put_time(into, settings.deadline);
    put64(into, settings.queue_limit);
}

Result<Settings> decode_settings(std::string_view bytes)
{
    Reader from{bytes};
    Settings settings;
    settings.policies.clear();
    const auto policies = from.count(least_policy_bytes);
    for (std::size_t i = 0; i < policies && !from.broken(); ++i) settings.policies.push_back(policy_of(from));
    settings.crs = from.flag();
    settings.rule_files = texts_of(from);
    settings.request_max_bytes = from.u64();
    settings.response_max_bytes = from.u64();
    settings.over_limit = one_of(from, OverLimit::pass_uninspected);
    settings.on_failure = one_of(from, OnFailure::pass);
    settings.request_cpu_limit = time_of(from);
    settings.deadline = time_of(from);
    settings.queue_limit = from.u64();
    if (!from.whole()) return Error{Fault::malformed, Side::gateway, "settings for the inspector"};
    return settings;
}

} // namespace gw::waf
