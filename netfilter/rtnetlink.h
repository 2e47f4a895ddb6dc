#pragma once

#include "gateway/base/result.h"

#include <array>
#include <cstdint>
#include <libmnl/libmnl.h>
#include <memory>
#include <vector>

namespace gw::netfilter {

/// A socket to the kernel's tables of routes, rules and interfaces. One question at a time.
class Rtnetlink {
public:
    /// Errors: `system`.
    static Result<Rtnetlink> open();

    using Visit = int (*)(const nlmsghdr* message, void* data);
    /// Sends a request with NLM_F_ACK or NLM_F_DUMP and gives each message of the answer to `visit`, which returns
    /// MNL_CB_OK. A dump that a change interrupted is asked for again, some times; then what came last counts. Returns
    /// 0, or the errno the kernel answered.
    int exchange(nlmsghdr* request, Visit visit = nullptr, void* data = nullptr);

private:
    struct Close {
        void operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }
    };
    int receive(bool& interrupted);

    std::unique_ptr<mnl_socket, Close> socket_;
    std::vector<char> answer_;
    std::uint32_t sequence_ = 0;
};

/// Room for a request of ours.
struct alignas(nlmsghdr) Request {
    std::array<char, 512> bytes{};
};

/// Attributes by type; null where there is none. Types from `Count` on are left out.
template <std::size_t Count> using Attributes = std::array<const nlattr*, Count>;

template <std::size_t Count> int note_attribute(const nlattr* attribute, void* data) noexcept
{
    const auto type = mnl_attr_get_type(attribute);
    if (type < Count) (*static_cast<Attributes<Count>*>(data))[type] = attribute;
    return MNL_CB_OK;
}

/// Of a message, after a family header of `header_bytes`.
template <std::size_t Count> Attributes<Count> attributes_of(const nlmsghdr* message, unsigned header_bytes)
{
    Attributes<Count> found{};
    mnl_attr_parse(message, header_bytes, note_attribute<Count>, &found);
    return found;
}

/// Inside an attribute that may be null.
template <std::size_t Count> Attributes<Count> attributes_in(const nlattr* nest)
{
    Attributes<Count> found{};
    if (nest != nullptr) mnl_attr_parse_nested(nest, note_attribute<Count>, &found);
    return found;
}

/// 0 when there is none.
inline std::uint32_t number_in(const nlattr* attribute)
{
    return attribute == nullptr ? 0 : mnl_attr_get_u32(attribute);
}

} // namespace gw::netfilter
