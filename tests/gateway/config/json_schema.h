#pragma once

#include "gateway/config/node.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <regex>
#include <string>

namespace gw::config::testing {

/// A JSON Schema checker for the words our schema uses. Schema and value are trees as parse_yaml gives them; plain
/// scalars are read by YAML 1.2's core schema, as an editor does.
class SchemaChecker {
public:
    bool accepts(const Node& schema, const Node& value)
    {
        if (schema.is_scalar()) return schema.text == "true";
        for (std::size_t at = 0; at + 1 < schema.items.size(); at += 2)
            if (!holds(schema, schema.items[at].text, schema.items[at + 1], value)) return false;
        return true;
    }
    /// The first word that the checker does not know; empty: none.
    std::string unknown;

private:
    static std::string type_of(const Node& value)
    {
        static const std::regex integer{"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+"};
        static const std::regex number{"[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?"};
        if (value.kind == Node::Kind::null) return "null";
        if (value.is_sequence()) return "array";
        if (value.is_mapping()) return "object";
        if (!value.plain || value.text.size() > 400) return "string";
        if (value.text == "true" || value.text == "false") return "boolean";
        if (std::regex_match(value.text, integer)) return "integer";
        if (!std::regex_match(value.text, number)) return "string";
        const double real = std::strtod(value.text.c_str(), nullptr);
        return real == std::floor(real) ? "integer" : "number";
    }
    static double number_of(const Node& value) { return std::strtod(value.text.c_str(), nullptr); }
    static bool is_number(const Node& value) { return type_of(value) == "integer" || type_of(value) == "number"; }
    static bool fits_type(const std::string& wanted, const Node& value)
    {
        const auto type = type_of(value);
        return type == wanted || (wanted == "number" && type == "integer");
    }
    bool matches(const std::string& pattern, const std::string& text)
    {
        const auto [at, fresh] = patterns_.try_emplace(pattern);
        if (fresh) at->second = std::regex{pattern, std::regex::ECMAScript};
        return text.size() > 1'000 || std::regex_search(text, at->second);
    }
    template <class Holds> static bool any(const Node& list, Holds holds)
    {
        for (const auto& item : list.items)
            if (holds(item)) return true;
        return false;
    }
    int count_accepting(const Node& schemas, const Node& value)
    {
        int count = 0;
        for (const auto& each : schemas.items) count += accepts(each, value);
        return count;
    }
    bool holds_for_members(const Node& schema, const Node& members, const Node& value)
    {
        const auto* properties = schema.find("properties");
        for (std::size_t at = 0; at + 1 < value.items.size(); at += 2)
            if (!(properties && properties->find(value.items[at].text)) && !accepts(members, value.items[at + 1]))
                return false;
        return true;
    }
    bool holds_for_properties(const Node& properties, const Node& value)
    {
        for (std::size_t at = 0; at + 1 < value.items.size(); at += 2)
            if (const auto* schema = properties.find(value.items[at].text);
                schema && !accepts(*schema, value.items[at + 1]))
                return false;
        return true;
    }
    bool holds_for_names(const Node& schema, const Node& value)
    {
        for (std::size_t at = 0; at + 1 < value.items.size(); at += 2) {
            auto name = value.items[at];
            name.plain = false; // a name is always a string
            if (!accepts(schema, name)) return false;
        }
        return true;
    }
    bool holds(const Node& schema, const std::string& word, const Node& with, const Node& value)
    {
        static const std::map<std::string, int> annotations{
            {"$schema", 0}, {"title", 0}, {"description", 0}, {"default", 0}};
        const auto size = static_cast<double>(value.items.size());
        if (annotations.contains(word)) return true;
        if (word == "type")
            return with.is_scalar() ? fits_type(with.text, value)
                                    : any(with, [&](const Node& each) { return fits_type(each.text, value); });
        if (word == "enum")
            return type_of(value) == "string" && any(with, [&](const Node& each) { return each.text == value.text; });
        if (word == "pattern") return type_of(value) != "string" || matches(with.text, value.text);
        if (word == "minimum") return !is_number(value) || number_of(value) >= number_of(with);
        if (word == "maximum") return !is_number(value) || number_of(value) <= number_of(with);
        if (word == "minItems") return !value.is_sequence() || size >= number_of(with);
        if (word == "maxItems") return !value.is_sequence() || size <= number_of(with);
        if (word == "maxProperties") return !value.is_mapping() || size / 2 <= number_of(with);
        if (word == "items")
            return !value.is_sequence() || !any(value, [&](const Node& item) { return !accepts(with, item); });
        if (word == "required")
            return !value.is_mapping() || !any(with, [&](const Node& name) { return !value.find(name.text); });
        if (word == "properties") return !value.is_mapping() || holds_for_properties(with, value);
        if (word == "additionalProperties") return !value.is_mapping() || holds_for_members(schema, with, value);
        if (word == "propertyNames") return !value.is_mapping() || holds_for_names(with, value);
        if (word == "anyOf") return count_accepting(with, value) > 0;
        if (word == "allOf") return count_accepting(with, value) == static_cast<int>(with.items.size());
        if (word == "oneOf") return count_accepting(with, value) == 1;
        if (word == "not") return !accepts(with, value);
        unknown = word;
        return false;
    }

    std::map<std::string, std::regex> patterns_;
};

} // namespace gw::config::testing
