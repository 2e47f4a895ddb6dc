#include "gateway/base/log.h"
#include "gateway/datagram/forwarder.h"
#include "gateway/session/record.h"
#include "gateway/session/record_json.h"

// Records of flows of UDP.

namespace gw::session {

namespace {

void put_flow(JsonObject& object, const datagram::Flow& flow)
{
    object.text("listener", flow.listener->policy.listener);
    object.text("transport", "udp");
    object.text("protocol", "udp");
    put_endpoint(object, "client", flow.key.client);
    put_endpoint(object, "destination", flow.key.destination);
}

void put_traffic(JsonObject& object, const datagram::Traffic& traffic)
{
    object.number("from_client_datagrams", traffic.datagrams_from_client);
    object.number("to_client_datagrams", traffic.datagrams_to_client);
    object.number("from_client_bytes", traffic.from_client_bytes);
    object.number("to_client_bytes", traffic.to_client_bytes);
}

} // namespace

void append_json_line(std::string& into, const datagram::Flow& flow, std::string_view id)
{
    JsonObject object{into};
    object.text("time", time_text(std::chrono::system_clock::now()));
    object.text("kind", "flow");
    object.text("id", id);
    put_flow(object, flow);
    object.boolean("source_kept", flow.source_kept);
    put_traffic(object, flow.traffic);
    object.number("dropped_datagrams", flow.traffic.dropped);
    object.milliseconds("duration_ms", flow.last - flow.began); // without the silence at its end
    object.text("ended", datagram::name_of(flow.ending));
    put_error(object, flow.error ? &*flow.error : nullptr);
    object.end();
}

void append_human_line(std::string& into, const datagram::Flow& flow, std::string_view id)
{
    const auto& traffic = flow.traffic;
    into.append(time_text(std::chrono::system_clock::now())).append(" flow ").append(id).append(" ");
    into.append(flow.key.client.text()).append(" -> ").append(flow.key.destination.text()).append(" udp in ");
    into.append(std::to_string(traffic.from_client_bytes)).append(" (");
    into.append(std::to_string(traffic.datagrams_from_client)).append(") out ");
    into.append(std::to_string(traffic.to_client_bytes)).append(" (");
    into.append(std::to_string(traffic.datagrams_to_client)).append(") ");
    JsonObject::append_milliseconds(into, flow.last - flow.began);
    into.append(" ms ").append(datagram::name_of(flow.ending));
    if (!flow.error) return;
    into += ' ';
    log::append_plain(into, describe(*flow.error));
}

void append_progress(std::string& into, const datagram::Flow& flow, std::string_view id,
                     std::chrono::steady_clock::time_point now)
{
    JsonObject object{into};
    object.text("id", id);
    put_flow(object, flow);
    object.text("recovered", "original_destination");
    object.text("server_name", "");
    object.number("route", -1);
    object.text("action", "original");
    object.text("upstream", flow.key.destination.text());
    object.boolean("source_kept", flow.source_kept);
    object.number("requests", 0);
    put_traffic(object, flow.traffic);
    object.number("age_seconds", std::chrono::duration_cast<std::chrono::seconds>(now - flow.began).count());
    object.number("idle_seconds", std::chrono::duration_cast<std::chrono::seconds>(now - flow.last).count());
    object.text("state", flow.answered ? "answered" : "waiting");
    object.end();
}

} // namespace gw::session
