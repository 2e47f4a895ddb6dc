#include "gateway/session/worker.h"

#include <boost/asio/post.hpp>

// What is asked about a worker and its connections.

namespace gw::session {

void Worker::count(std::function<void(Counters)> take)
{
    asio::post(io_, [this, take = std::move(take)] {
        counters_.datagrams = datagrams_.count();
        if (dialer_ != nullptr) counters_.upstream_taken_over = dialer_->taken_over();
        counters_.suppressed_records = records_.suppressed();
        take(counters_);
    });
}

void Worker::connections(ConnectionFilter filter, std::function<void(ConnectionList)> take)
{
    asio::post(io_, [this, filter = std::move(filter), take = std::move(take)] {
        ConnectionList list;
        const auto now = std::chrono::steady_clock::now();
        for (auto* session = first_; session != nullptr; session = session->next_) {
            ++list.total;
            if (!filter.fits(session->record())) continue;
            if (++list.matching > filter.limit) continue;
            if (!list.json.empty()) list.json += ',';
            append_progress(list.json, session->record(), now);
            ++list.listed;
        }
        datagrams_.for_each_flow([&](const datagram::Flow& flow) {
            ++list.total;
            if (!filter.fits(flow) || ++list.matching > filter.limit) return true;
            if (!list.json.empty()) list.json += ',';
            append_progress(list.json, flow, id_prefix_ + std::to_string(flow.number), now);
            ++list.listed;
            return true;
        });
        take(std::move(list));
    });
}

void Worker::find(std::string id, std::optional<Endpoint> client, std::function<void(FoundConnection)> take)
{
    asio::post(io_, [this, id = std::move(id), client, take = std::move(take)] {
        FoundConnection found;
        auto* session = first_;
        const auto is_it = [&] {
            const auto& record = session->record();
            return client ? record.flow.client == *client : record.id == id;
        };
        while (session != nullptr && !is_it()) session = session->next_;
        if (session != nullptr) {
            append_detail(found.record, session->record(), std::chrono::steady_clock::now());
            found.generation = session->generation();
        }
        take(std::move(found));
    });
}

} // namespace gw::session
