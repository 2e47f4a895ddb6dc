#include "gateway/ctl/meaning.h"

#include "gateway/base/position.h"
#include "gateway/config/yaml.h"

#include <algorithm>
#include <map>

namespace gw::ctl {

namespace {

using config::Node;
using Kind = MeaningChange::Kind;

constexpr std::size_t most_value_bytes = 100;

/// One line, keys in order, so that equal values have equal texts.
void append_value(std::string& into, const Node& node)
{
    if (node.is_scalar()) {
        into += node.text;
        return;
    }
    if (node.kind == Node::Kind::null) {
        into += "null";
        return;
    }
    into += node.is_mapping() ? '{' : '[';
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < node.items.size(); ++at) {
        std::string part;
        if (node.is_mapping()) part = node.items[at++].text + ": ";
        if (at < node.items.size()) append_value(part, node.items[at]);
        parts.push_back(std::move(part));
    }
    if (node.is_mapping()) std::sort(parts.begin(), parts.end());
    for (const auto& part : parts) into += (&part == parts.data() ? "" : ", ") + part;
    into += node.is_mapping() ? '}' : ']';
}

std::string value_of(const Node& node)
{
    std::string text;
    append_value(text, node);
    return text;
}

std::string cut(std::string text)
{
    if (text.size() > most_value_bytes) text.replace(most_value_bytes - 3, std::string::npos, "...");
    return text;
}

std::string text_of(const Node& node, std::string_view key)
{
    const auto* value = node.find(key);
    return value != nullptr && value->is_scalar() ? value->text : std::string{};
}

/// What an element of a list is called; empty: only its value says which one it is.
std::string name_of(const Node& item, std::string_view list)
{
    if (!item.is_mapping()) return {};
    if (list == "routes") {
        auto name = text_of(item, "host") + text_of(item, "path");
        if (const auto method = text_of(item, "method"); !method.empty()) name += ' ' + method;
        return name.empty() ? "any" : name;
    }
    return text_of(item, "name");
}

class Comparison {
public:
    Comparison(const config::Sources& before, const config::Sources& after) : before_(before), after_(after) {}

    void compare(const std::string& path, const Node& from, const Node& to);
    std::vector<MeaningChange> take() { return std::move(found_); }

private:
    void compare_mappings(const std::string& path, const Node& from, const Node& to);
    void compare_lists(const std::string& path, const Node& from, const Node& to);
    void note(Kind kind, const std::string& path, const Node* from, const Node* to);

    const config::Sources& before_;
    const config::Sources& after_;
    std::vector<MeaningChange> found_;
};

void Comparison::note(Kind kind, const std::string& path, const Node* from, const Node* to)
{
    const auto& sources = to != nullptr ? after_ : before_;
    const auto& place = (to != nullptr ? to : from)->place;
    const auto file = place.file < sources.size() ? sources[place.file].name : "";
    found_.push_back({kind, path, from != nullptr ? cut(value_of(*from)) : "", to != nullptr ? cut(value_of(*to)) : "",
                      Position{file, place.line, place.column}.text()});
}

void Comparison::compare(const std::string& path, const Node& from, const Node& to)
{
    if (from.is_mapping() && to.is_mapping()) return compare_mappings(path, from, to);
    if (from.is_sequence() && to.is_sequence()) return compare_lists(path, from, to);
    if (value_of(from) != value_of(to)) note(Kind::changed, path, &from, &to);
}

void Comparison::compare_mappings(const std::string& path, const Node& from, const Node& to)
{
    const auto below = [&](const Node& key) { return path.empty() ? key.text : path + '.' + key.text; };
    for (std::size_t at = 0; at + 1 < from.items.size(); at += 2) {
        const auto* other = to.find(from.items[at].text);
        if (other != nullptr)
            compare(below(from.items[at]), from.items[at + 1], *other);
        else
            note(Kind::removed, below(from.items[at]), &from.items[at + 1], nullptr);
    }
    for (std::size_t at = 0; at + 1 < to.items.size(); at += 2)
        if (from.find(to.items[at].text) == nullptr) note(Kind::added, below(to.items[at]), nullptr, &to.items[at + 1]);
}

/// Equal elements first, whatever their place; then those of the same name; what is left came or went.
void Comparison::compare_lists(const std::string& path, const Node& from, const Node& to)
{
    std::multimap<std::string, const Node*> gone;
    for (const auto& item : from.items) gone.emplace(value_of(item), &item);
    std::vector<const Node*> come;
    for (const auto& item : to.items) {
        const auto same = gone.find(value_of(item));
        if (same == gone.end())
            come.push_back(&item);
        else
            gone.erase(same);
    }
    if (gone.empty() && come.empty()) {
        if (value_of(from) != value_of(to)) note(Kind::changed, path + " (order)", &from, &to);
        return;
    }
    std::vector<const Node*> left; // in their order
    for (const auto& item : from.items)
        if (std::any_of(gone.begin(), gone.end(), [&](const auto& one) { return one.second == &item; }))
            left.push_back(&item);
    for (const auto* item : come) {
        const auto name = name_of(*item, path);
        const auto named = std::find_if(left.begin(), left.end(),
                                        [&](const Node* one) { return !name.empty() && name_of(*one, path) == name; });
        if (named == left.end()) {
            note(Kind::added, name.empty() ? path : path + '[' + name + ']', nullptr, item);
        } else {
            compare(path + '[' + name + ']', **named, *item);
            left.erase(named);
        }
    }
    for (const auto* item : left) {
        const auto name = name_of(*item, path);
        note(Kind::removed, name.empty() ? path : path + '[' + name + ']', item, nullptr);
    }
}

/// All files as one: lists of the same key follow each other, mappings are united.
Node united(const config::Sources& sources)
{
    Node all;
    all.kind = Node::Kind::mapping;
    for (std::uint32_t file = 0; file < sources.size(); ++file) {
        auto read = config::parse_yaml(sources[file].text, file);
        auto* root = std::get_if<Node>(&read);
        if (root == nullptr || !root->is_mapping()) continue;
        for (std::size_t at = 0; at + 1 < root->items.size(); at += 2) {
            auto& value = root->items[at + 1];
            auto* before = const_cast<Node*>(all.find(root->items[at].text));
            if (before != nullptr && before->kind == value.kind && !value.is_scalar()) {
                std::move(value.items.begin(), value.items.end(), std::back_inserter(before->items));
            } else {
                all.items.push_back(std::move(root->items[at]));
                all.items.push_back(std::move(value));
            }
        }
    }
    return all;
}

} // namespace

std::vector<MeaningChange> changes_between(const config::Sources& before, const config::Sources& after)
{
    Comparison comparison{before, after};
    comparison.compare("", united(before), united(after));
    return comparison.take();
}

} // namespace gw::ctl
