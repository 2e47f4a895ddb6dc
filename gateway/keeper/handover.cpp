#include "gateway/keeper/handover.h"

#include "gateway/keeper/answers.h"

#include <nlohmann/json.hpp>

namespace gw::keeper {

namespace {

/// The library throws on anything unexpected; that ends here.
template <class Value, class Read> Result<Value> guarded(const char* what, Read read)
{
    try {
        return read();
    } catch (const std::exception& wrong) {
        return Error{Fault::malformed, Side::gateway, std::string{what} + ": " + wrong.what(), {}};
    }
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Endpoint endpoint_in(const Json& json)
{
    const auto endpoint = Endpoint::parse(json.get<std::string>());
    if (!endpoint) throw std::invalid_argument{"endpoint"};
    return *endpoint;
}

netfilter::Mode mode_in(const Json& json)
{
    const auto number = json.get<int>();
    if (number < 0 || number > static_cast<int>(netfilter::Mode::external)) throw std::invalid_argument{"mode"};
    return static_cast<netfilter::Mode>(number);
}

} // namespace

std::string encode(const Greeting& greeting)
{
    return dump({{"protocol", greeting.protocol}, {"version", greeting.version}});
}

Result<Greeting> decode_greeting(std::string_view text)
{
    return guarded<Greeting>("greeting", [&] {
        const auto json = Json::parse(text);
        return Greeting{json.at("protocol").get<unsigned>(), json.at("version").get<std::string>()};
    });
}

std::string encode(const Handover& handover)
{
    auto sources = Json::array();
    for (const auto& source : handover.sources) sources.push_back({{"name", source.name}, {"text", source.text}});
    auto sockets = Json::array();
    for (const auto& socket : handover.sockets)
        sockets.push_back({{"listener", socket.name.listener},
                           {"bound", socket.name.bound.text()},
                           {"worker", socket.name.worker},
                           {"asked", socket.asked.text()},
                           {"intercepting", socket.intercepting},
                           {"datagrams", socket.datagrams},
                           {"mode", static_cast<int>(socket.mode)}});
    Json json{{"config_file", handover.config_file},
              {"sources", sources},
              {"generation", handover.generation},
              {"workers", handover.workers},
              {"sockets", sockets},
              {"metrics", handover.metrics},
              {"rules", handover.rules}};
    if (handover.level) json["level"] = static_cast<int>(*handover.level);
    return dump(json);
}

Result<Handover> decode_handover(std::string_view text)
{
    return guarded<Handover>("handover", [&] {
        const auto json = Json::parse(text);
        Handover handover;
        handover.config_file = json.at("config_file").get<std::string>();
        for (const auto& source : json.at("sources"))
            handover.sources.push_back({source.at("name").get<std::string>(), source.at("text").get<std::string>()});
        handover.generation = json.at("generation").get<std::uint64_t>();
        handover.workers = json.at("workers").get<std::size_t>();
        for (const auto& socket : json.at("sockets"))
            handover.sockets.push_back({{socket.at("listener").get<std::string>(), endpoint_in(socket.at("bound")),
                                         socket.at("worker").get<std::size_t>()},
                                        endpoint_in(socket.at("asked")),
                                        socket.at("intercepting").get<bool>(),
                                        socket.at("datagrams").get<bool>(),
                                        mode_in(socket.at("mode"))});
        handover.metrics = json.at("metrics").get<bool>();
        handover.rules = json.at("rules").get<std::string>();
        if (json.contains("level")) {
            const auto level = json.at("level").get<int>();
            if (level < 0 || level > static_cast<int>(log::Level::error)) throw std::invalid_argument{"level"};
            handover.level = static_cast<log::Level>(level);
        }
        return handover;
    });
}

} // namespace gw::keeper
