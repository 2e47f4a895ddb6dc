// The PROXY header of a connection: the one that came in, and those that go out.
#include "gateway/intake/proxy_header.h"
#include "gateway/intake/read_proxy_header.h"
#include "gateway/session/session.h"

namespace gw::session {

namespace {

HeaderFate fate_of(const Error& error)
{
    switch (error.fault) {
    case Fault::refused: return HeaderFate::absent;
    case Fault::malformed:
    case Fault::too_large: return HeaderFate::malformed;
    case Fault::timed_out: return HeaderFate::late;
    default: return HeaderFate::cut;
    }
}

Endpoint unmapped(const Endpoint& endpoint) { return {endpoint.address.unmapped(), endpoint.port}; }

} // namespace

/// The header's client and destination become the connection's; with LOCAL and UNKNOWN they stay its own.
Task<Result<>> Session::take_proxy_header()
{
    record_.state = "proxy header";
    const auto introduced = std::make_shared<Introduced>();
    introduced->sender = record_.flow.client;
    record_.introduced = introduced;
    if (!listener_.proxy_protocol->trusted.contains(introduced->sender.address)) {
        introduced->fate = HeaderFate::untrusted;
        stream_.close(true);
        co_return Error{Fault::denied,
                        Side::client,
                        introduced->sender.address.text() + " is not trusted to send a PROXY header",
                        {}};
    }
    const auto limit = around_.generation->intake.proxy_header_limit;
    auto header = co_await intake::read_proxy_header(stream_, received_, limit);
    if (!header) {
        introduced->fate = fate_of(header.error());
        co_return header.error();
    }
    introduced->fate = header->names_client() ? HeaderFate::client : HeaderFate::local;
    introduced->version = header->version;
    introduced->over_tls = intake::says_tls(header->tlvs);
    introduced->checksum = header->checksum;
    introduced->tlvs = std::move(header->tlvs);
    if (header->names_client()) {
        record_.flow.client = unmapped(header->source);
        record_.flow.destination = unmapped(header->destination);
        record_.flow.recovered = Recovered::proxy_header;
    }
    if (const auto named = host_.named(*this); !named) {
        stream_.close(true);
        co_return named.error();
    }
    if (listener_.serves_nobody)
        co_return Error{Fault::denied, Side::client, "no service stands behind the listener", {}};
    co_return Result<>{};
}

/// What goes in front of a connection to an upstream that wants it; empty: nothing.
std::string Session::proxy_header(upstream::SendProxy wanted) const
{
    if (wanted == upstream::SendProxy::none) return {};
    const auto& flow = record_.flow;
    const bool v6 = flow.client.address.is_v6();
    intake::ProxyHeader header;
    header.version = wanted == upstream::SendProxy::v1 ? 1 : 2;
    header.local = v6 != flow.destination.address.is_v6();
    header.family = v6 ? intake::ProxyHeader::Family::inet6 : intake::ProxyHeader::Family::inet;
    header.transport = intake::ProxyHeader::Transport::stream;
    header.source = flow.client;
    header.destination = flow.destination;
    if (record_.introduced != nullptr) {
        header.checksum = record_.introduced->checksum;
        header.tlvs = record_.introduced->tlvs;
    }
    auto encoded = intake::encode_proxy_header(header);
    if (!encoded) { // larger than the one that came in: without what it passed on, it is not
        header.tlvs.clear();
        encoded = intake::encode_proxy_header(header);
    }
    return encoded ? std::move(*encoded) : std::string{};
}

} // namespace gw::session
