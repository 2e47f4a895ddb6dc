#include "gateway/session/record_json.h"

#include <ctime>

namespace gw::session {

// The part up to the second is made once a second and thread.
std::string_view time_text(std::chrono::system_clock::time_point at)
{
    thread_local std::time_t second = -1;
    thread_local std::array<char, 32> text{};
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
    const auto now = static_cast<std::time_t>(since / 1000);
    if (now != second) {
        std::tm parts{};
        ::gmtime_r(&now, &parts);
        std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
        second = now;
    }
    const auto milli = static_cast<int>(since % 1000);
    text[20] = static_cast<char>('0' + milli / 100);
    text[21] = static_cast<char>('0' + milli / 10 % 10);
    text[22] = static_cast<char>('0' + milli % 10);
    return {text.data(), 24};
}

void put_endpoint(JsonObject& object, std::string_view name, const Endpoint& endpoint)
{
    auto& out = object.raw(name);
    out += '"';
    out += endpoint.text();
    out += '"';
}

void put_error(JsonObject& object, const Error* error)
{
    if (error == nullptr) {
        object.text("end", "ok");
        return;
    }
    object.text("end", name_of(error->fault));
    object.text("side", name_of(error->side));
    auto what = error->what;
    if (error->cause) what += ": " + error->cause.message();
    object.text("what", what);
}

} // namespace gw::session
