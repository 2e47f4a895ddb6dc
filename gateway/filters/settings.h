#pragma once

#include <string>
#include <utility>
#include <vector>

namespace gw::filters {

/// What is done to the fields of a message on its way, in this order: remove, set (replaces every one of that name),
/// add. Values may hold {client.address}, {client.port}, {host}, {path}, {listener} and {request.id}.
struct HeaderEdits {
    std::vector<std::string> remove;
    std::vector<std::pair<std::string, std::string>> set;
    std::vector<std::pair<std::string, std::string>> add;

    bool empty() const { return remove.empty() && set.empty() && add.empty(); }
};

} // namespace gw::filters
