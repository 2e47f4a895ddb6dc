#pragma once

#include "gateway/datagram/flow.h"
#include "gateway/datagram/settings.h"

#include <array>
#include <functional>
#include <unordered_map>
#include <vector>

namespace gw::datagram {

/// Keyed at random, so that nobody outside can choose flows that meet in one place of the table.
class FlowHash {
public:
    FlowHash();
    std::size_t operator()(const FlowKey& key) const noexcept;

private:
    std::array<std::uint64_t, 6> secret_;
};

/// The flows of one worker: found by their key, ended in the order in which they fell silent. No socket is touched
/// here. Every call costs the same however many flows there are.
class FlowTable {
public:
    FlowTable() = default;
    ~FlowTable();
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    Flow* find(const FlowKey& key);
    /// A flow that is not there yet.
    Flow& add(const FlowKey& key, Clock::time_point now);
    /// A datagram of it went by.
    void touch(Flow& flow, Clock::time_point now);
    /// Takes it out; it lives until `bury`.
    void remove(Flow& flow);
    void bury() { removed_.clear(); }

    /// The one to end when there is no room: the quietest of those without an answer, so that a flood with false
    /// senders ends itself first; then of those that asked DNS; then of the others. Null: there is none.
    Flow* first_to_evict() const;
    /// One that was quiet for longer than it may be; null: none.
    Flow* first_expired(const Settings& settings, Clock::time_point now) const;

    std::size_t size() const { return flows_.size(); }
    /// Flows that were not answered yet.
    std::size_t waiting() const { return sizes_[0]; }
    /// Until `visit` says false.
    void for_each(const std::function<bool(Flow&)>& visit);

private:
    enum List : std::size_t { unanswered, dns, answered, list_count };
    static List list_of(const Flow& flow);
    void link(Flow& flow);
    void unlink(Flow& flow);

    using Map = std::unordered_map<FlowKey, Flow, FlowHash>;
    Map flows_;
    std::vector<Map::node_type> removed_;
    std::array<Flow*, list_count> oldest_{};
    std::array<Flow*, list_count> newest_{};
    std::array<std::size_t, list_count> sizes_{};
};

} // namespace gw::datagram
