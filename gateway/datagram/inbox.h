#pragma once

#include "gateway/datagram/control_data.h"

#include <array>
#include <memory>
#include <string_view>
#include <sys/socket.h>

namespace gw::datagram {

/// What is received together: up to `slots` datagrams a system call, each of any size there is. One a worker; what it
/// gives out is good until the next `receive`. Only the memory that datagrams fill is ever touched.
class Inbox {
public:
    static constexpr std::size_t slots = 32;

    Inbox();

    /// How many came, 0: none wait. Negative: `-errno`; of a socket that is connected this may be what an ICMP message
    /// said.
    int receive(int socket);

    std::string_view bytes(std::size_t slot) const;
    Endpoint sender(std::size_t slot) const { return from_sockaddr(names_[slot]); }
    ControlData control(std::size_t slot) const { return parse_control(messages_[slot].msg_hdr); }
    /// The datagram, or what came beside it, did not fit.
    bool is_cut(std::size_t slot) const { return (messages_[slot].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0; }

private:
    void prepare(std::size_t count);

    std::size_t used_ = 0;
    std::unique_ptr<char[]> room_;
    std::array<mmsghdr, slots> messages_{};
    std::array<iovec, slots> parts_{};
    std::array<sockaddr_storage, slots> names_{};
    struct alignas(cmsghdr) Control {
        std::array<char, control_bytes> bytes;
    };
    std::array<Control, slots> controls_{};
};

} // namespace gw::datagram
