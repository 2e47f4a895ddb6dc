// fuzz-sources: gateway/link/order.cpp
#include "gateway/link/order.h"

#include <cstdlib>
#include <vector>

namespace {

using namespace gw::link;

void require(bool holds)
{
    if (!holds) std::abort();
}

void check_order(std::string_view text)
{
    const auto order = decode_order(text);
    if (!order) return;
    const auto written = encode(*order);
    const auto again = decode_order(written);
    require(again.has_value() && encode(*again) == written);
    require(again->generation == order->generation && again->workers == order->workers);
    require(again->sockets == order->sockets && again->added == order->added);
    require(again->sources.size() == order->sources.size());
    for (std::size_t i = 0; i < order->sources.size(); ++i)
        require(again->sources[i].text == order->sources[i].text && again->sources[i].name == order->sources[i].name);
}

void check_answer(std::string_view text)
{
    const auto answer = decode_answer(text);
    if (!answer) return;
    require(answer->status >= 0 && answer->status <= 999);
    const auto again = decode_answer(encode(*answer));
    if (answer->status < 100) return; // encoded with fewer digits: nobody makes one
    require(again.has_value() && again->status == answer->status);
    require(again->content_type == answer->content_type && again->body == answer->body);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::vector<char> exact(data, data + size);
    check_order({exact.data(), exact.size()});
    check_answer({exact.data(), exact.size()});
    return 0;
}
