#include "gateway/keeper/succession.h"

namespace gw::keeper {

namespace {

Task<Result<>> answer(link::Link& predecessor, std::uint64_t number, link::Kind kind, std::string text)
{
    link::Message message;
    message.kind = kind;
    message.number = number;
    message.text = std::move(text);
    co_return co_await predecessor.send(std::move(message));
}

Task<Result<>> answer(link::Link& predecessor, std::uint64_t number, const Result<>& outcome)
{
    auto said = outcome ? std::string{} : outcome.error().what;
    co_return co_await answer(predecessor, number, outcome ? link::Kind::done : link::Kind::failed, std::move(said));
}

} // namespace

Task<Result<>> succeed(link::Link& predecessor, const std::string& version, const Heir& heir)
{
    for (;;) {
        auto order = co_await predecessor.receive();
        if (!order) co_return order.error();
        const auto number = order->number;
        Result<> sent;
        if (order->kind == link::Kind::ask) {
            auto greeting = encode(Greeting{handover_protocol, version});
            sent = co_await answer(predecessor, number, link::Kind::done, std::move(greeting));
        } else if (order->kind == link::Kind::prepare) {
            auto handover = decode_handover(order->text);
            if (!handover) co_return handover.error();
            const auto taken = co_await heir.take_in(*handover, order->descriptors);
            sent = co_await answer(predecessor, number, taken);
            if (!taken) co_return taken.error();
        } else if (order->kind == link::Kind::commit) {
            const auto taken = co_await heir.take_over(order->descriptors);
            sent = co_await answer(predecessor, number, taken);
            if (!taken) co_return taken.error();
            co_return sent;
        } else {
            co_return Error{Fault::malformed, Side::gateway, "unexpected message of a predecessor", {}};
        }
        if (!sent) co_return sent;
    }
}

} // namespace gw::keeper
