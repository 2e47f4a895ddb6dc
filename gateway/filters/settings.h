#pragma once

#include <string>
#include <utility>
#include <vector>

namespace gw::filters {

/// What is done to the fields of a message on its way, in this order: remove, set (replaces every one of that name),
/// add. Values may hold {client.address}, {client.port}, {host}, {path}, {listener} and {request.id}; "{{" is a brace.
/// Names are tokens, and none that frames the message or ends at this hop; values hold no control character.
struct HeaderEdits {
    std::vector<std::string> remove;
    std::vector<std::pair<std::string, std::string>> set;
    std::vector<std::pair<std::string, std::string>> add;

    bool empty() const { return remove.empty() && set.empty() && add.empty(); }
};

} // namespace gw::filters
