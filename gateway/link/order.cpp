#include "gateway/link/order.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gw::link {

namespace {

using Json = nlohmann::json;

Json to_json(const std::vector<SocketName>& sockets)
{
    auto list = Json::array();
    for (const auto& socket : sockets)
        list.push_back({{"listener", socket.listener}, {"bound", socket.bound.text()}, {"worker", socket.worker}});
    return list;
}

/// The library would turn -1 and 1e99 into something else.
std::uint64_t whole(const Json& number)
{
    if (!number.is_number_unsigned()) throw std::invalid_argument{"number"};
    return number.get<std::uint64_t>();
}

std::vector<SocketName> sockets_from(const Json& list)
{
    std::vector<SocketName> sockets;
    for (const auto& item : list) {
        const auto bound = Endpoint::parse(item.at("bound").get<std::string>());
        if (!bound) throw std::invalid_argument{"endpoint"};
        sockets.push_back({item.at("listener").get<std::string>(), *bound, whole(item.at("worker"))});
    }
    return sockets;
}

/// The library throws on anything unexpected; that ends here.
template <class Value, class Read> Result<Value> guarded(std::string_view what, Read read)
{
    try {
        return read();
    } catch (const std::exception& wrong) {
        return Error{Fault::malformed, Side::gateway, std::string{what} + ": " + wrong.what(), {}};
    }
}

} // namespace

std::string encode(const Order& order)
{
    auto sources = Json::array();
    for (const auto& source : order.sources) sources.push_back({{"name", source.name}, {"text", source.text}});
    const Json json{{"generation", order.generation},    {"workers", order.workers},
                    {"log_level", order.log_level},      {"sources", sources},
                    {"sockets", to_json(order.sockets)}, {"added", to_json(order.added)},
                    {"log_file", order.log_file}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Order> decode_order(std::string_view text)
{
    return guarded<Order>("order", [&] {
        const auto json = Json::parse(text);
        Order order;
        order.generation = whole(json.at("generation"));
        order.workers = whole(json.at("workers"));
        order.log_level = static_cast<int>(std::min<std::uint64_t>(whole(json.at("log_level")), 100));
        for (const auto& source : json.at("sources"))
            order.sources.push_back({source.at("name").get<std::string>(), source.at("text").get<std::string>()});
        order.sockets = sockets_from(json.at("sockets"));
        order.added = sockets_from(json.at("added"));
        order.log_file = json.at("log_file").get<bool>();
        return order;
    });
}

// "200 application/json\n" and then the body as it is: it may be large, and is text already.
std::string encode(const Answer& answer)
{
    return std::to_string(answer.status) + " " + answer.content_type + "\n" + answer.body;
}

Result<Answer> decode_answer(std::string_view text)
{
    const auto space = text.find(' ');
    const auto line = text.find('\n');
    if (space == std::string_view::npos || line == std::string_view::npos || space > line || space != 3)
        return Error{Fault::malformed, Side::gateway, "answer", {}};
    Answer answer;
    answer.status = 0;
    for (const char c : text.substr(0, 3)) {
        if (c < '0' || c > '9') return Error{Fault::malformed, Side::gateway, "answer", {}};
        answer.status = answer.status * 10 + (c - '0');
    }
    answer.content_type = text.substr(4, line - 4);
    answer.body = text.substr(line + 1);
    return answer;
}

} // namespace gw::link
