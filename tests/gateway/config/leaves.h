#pragma once

#include "gateway/config/vocabulary.h"

#include <functional>
#include <string>
#include <vector>

namespace gw::config::testing {

/// A key that has a value of its own, and the smallest right file around it.
struct Leaf {
    std::string path; ///< "routes.timeout"
    const Key* key;
    std::function<std::string(const std::string&)> file; ///< with this value; an empty one leaves the key out
};

/// What must stand beside `key` in the mapping at `path`, so that the file is right.
inline std::string beside(const std::string& path, std::string_view key)
{
    if (path == "listeners" && key == "proxy_protocol") return "bind: [\"127.0.0.1:80\"]";
    if (path == "listeners.proxy_protocol" && key != "trusted") return "trusted: []";
    if (path == "pools" && key != "servers") return "servers: [\"192.0.2.1:80\"]";
    if (path == "pools.servers" && key != "address") return "address: \"192.0.2.1:80\"";
    if (path == "listeners" && key != "intercept" && key != "bind") return "intercept: {to: [192.0.2.1], ports: [80]}";
    if (path == "listeners.intercept" && key == "to") return "ports: [80]";
    if (path == "listeners.intercept" && key == "ports") return "to: [192.0.2.1]";
    if (path == "listeners.intercept") return "to: [192.0.2.1], ports: [80]";
    if (path == "routes" && key != "to") return "to: original";
    // Policies that inspect nothing are all the same, so a change would not show.
    if (path == "waf" && key != "mode") return "mode: detect";
    if (path == "routes.waf" && key != "mode") return "mode: block";
    return "";
}

using Wrap = std::function<std::string(const std::string&)>;

inline void collect_leaves(const Type& mapping, const std::string& path, const Wrap& wrap, std::vector<Leaf>& into)
{
    for (const auto& key : mapping.keys) {
        const auto here = path + (path.empty() ? "" : ".") + std::string{key.name};
        const auto name = std::string{key.name};
        const auto siblings = beside(path, key.name);
        const Wrap file = [wrap, name, siblings](const std::string& value) {
            const auto pair = value.empty() ? "" : name + ": " + value;
            return wrap("{" + siblings + (siblings.empty() || pair.empty() ? "" : ", ") + pair + "}");
        };
        if (key.supported && key.type.kind == Type::Kind::mapping)
            collect_leaves(key.type, here, file, into);
        else if (key.supported && key.type.is_mapping_list())
            collect_leaves(
                key.type.of.front(), here, [file](const std::string& entry) { return file("[" + entry + "]"); }, into);
        else if (key.supported && key.type.kind == Type::Kind::dictionary && key.type.of[1].kind == Type::Kind::mapping)
            collect_leaves(
                key.type.of[1], here, [file](const std::string& entry) { return file("{one: " + entry + "}"); }, into);
        else if (here != "include")
            into.push_back({here, &key, file});
    }
}

/// Every key of the vocabulary but `include`.
inline std::vector<Leaf> leaves()
{
    const Wrap whole = [](const std::string& mapping) {
        const auto listeners =
            mapping.starts_with("{listeners:") ? "" : "listeners: [{intercept: {to: [192.0.2.1], ports: [80]}}]";
        // One mapping, written as the document.
        const auto inner = mapping.substr(1, mapping.size() - 2);
        return std::string{"{"} + listeners + (*listeners && !inner.empty() ? ", " : "") + inner + "}\n";
    };
    std::vector<Leaf> all;
    collect_leaves(vocabulary(), "", whole, all);
    return all;
}

} // namespace gw::config::testing
