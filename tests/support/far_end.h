#pragma once

#include "gateway/base/socket_stream.h"
#include "tests/support/descriptor_of.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

namespace gw {

/// Connects `far`, which the test holds and which does not block, over real TCP on loopback; the near end.
inline std::unique_ptr<SocketStream> connect_far_end(asio::ip::tcp::socket& far, asio::io_context& io, Side side,
                                                     DeadlineWheel& wheel)
{
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    far.connect(acceptor.local_endpoint());
    auto near = std::make_unique<SocketStream>(descriptor_of(acceptor.accept()), side, wheel);
    far.non_blocking(true);
    return near;
}

} // namespace gw
