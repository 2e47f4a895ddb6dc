#pragma once

#include "gateway/config/node.h"

#include <string>
#include <vector>

namespace gw::config {

/// Something wrong, before its place has a name.
struct Finding {
    Place place;
    std::string path;
    std::string what;
    bool schema_says = false; ///< the JSON Schema refuses it too
};

/// Collects what is wrong, up to a limit nobody reads beyond.
class Report {
public:
    static constexpr std::size_t limit = 1'000;

    void add(const Place& place, std::string path, std::string what, bool schema_says = false)
    {
        if (!full()) findings_.push_back({place, std::move(path), std::move(what), schema_says});
    }
    bool full() const { return findings_.size() >= limit; }
    bool empty() const { return findings_.empty(); }
    /// In order of their places.
    std::vector<Finding> take();

private:
    std::vector<Finding> findings_;
};

} // namespace gw::config
