#include "gateway/base/log.h"
#include "gateway/config/config.h"
#include "gateway/config/values.h"
#include "gateway/config/vocabulary.h"

namespace gw::config {

namespace {

std::string json_text(std::string_view text)
{
    std::string out = "\"";
    log::append_json(out, text);
    return out + "\"";
}

/// Writes indented JSON, one member at a time.
class Writer {
public:
    void open(char bracket)
    {
        text_ += bracket;
        indentation_ += 2;
        first_ = true;
    }
    void close(char bracket)
    {
        indentation_ -= 2;
        if (!first_) new_line();
        text_ += bracket;
        first_ = false;
    }
    Writer& key(std::string_view name)
    {
        item();
        text_ += json_text(name) + ": ";
        return *this;
    }
    void item()
    {
        if (!first_) text_ += ',';
        new_line();
        first_ = false;
    }
    void raw(std::string_view json) { text_ += json; }
    void string(std::string_view value) { text_ += json_text(value); }
    void number(std::uint64_t value) { text_ += std::to_string(value); }
    std::string take() { return std::move(text_) + "\n"; }

private:
    void new_line() { text_ += '\n' + std::string(indentation_, ' '); }

    std::string text_;
    std::size_t indentation_ = 0;
    bool first_ = true;
};

void write_type(Writer& json, const Type& type);

/// {"anyOf": [...]} around what `alternatives` write.
template <class... Alternatives> void any_of(Writer& json, Alternatives... alternatives)
{
    json.key("anyOf").open('[');
    (..., (json.item(), json.open('{'), alternatives(), json.close('}')));
    json.close(']');
}

void write_words(Writer& json, const Type& type)
{
    json.key("enum").open('[');
    for (const auto& word : type.words) {
        if (!word.supported) continue;
        json.item();
        json.string(word.text);
    }
    json.close(']');
}

void write_text(Writer& json, const Type& type)
{
    json.key("type").raw(type.any_scalar ? R"(["string", "number", "boolean"])" : R"("string")");
    if (!type.pattern.empty()) json.key("pattern").string(type.pattern);
}

void write_pattern(Writer& json, std::string_view pattern)
{
    json.key("type").raw(R"("string")");
    json.key("pattern").string(pattern);
}

void write_number(Writer& json, const Type& type)
{
    const auto bounded = [&] {
        json.key("type").raw(R"("integer")");
        json.key("minimum").number(type.least);
        json.key("maximum").number(type.most);
    };
    const auto pattern = type.kind == Type::Kind::size ? size_pattern : integer_pattern;
    if (type.words.empty())
        any_of(json, bounded, [&] { write_pattern(json, pattern); });
    else
        any_of(
            json, bounded, [&] { write_pattern(json, pattern); }, [&] { write_words(json, type); });
}

void write_array(Writer& json, const Type& type)
{
    json.key("type").raw(R"("array")");
    if (type.least > 0) json.key("minItems").number(type.least);
    json.key("maxItems").number(type.most);
    json.key("items").open('{');
    write_type(json, type.of.front());
    json.close('}');
}

void write_dictionary(Writer& json, const Type& type)
{
    json.key("type").raw(R"("object")");
    json.key("maxProperties").number(type.most);
    json.key("propertyNames").open('{');
    json.key("pattern").string(type.of[0].pattern);
    json.close('}');
    json.key("additionalProperties").open('{');
    write_type(json, type.of[1]);
    json.close('}');
}

void write_default(Writer& json, const Key& key)
{
    if (key.standard.empty() || key.type.kind == Type::Kind::list) return;
    json.key("default");
    const auto number = key.type.kind == Type::Kind::integer ? parse_integer(key.standard) : std::nullopt;
    if (number)
        json.number(*number);
    else
        json.string(key.standard);
}

void write_key(Writer& json, const Key& key)
{
    json.key(key.name).open('{');
    if (key.supported) {
        json.key("description").string(key.doc);
        write_default(json, key);
        write_type(json, key.type);
    } else {
        json.key("description").string("Not supported yet: " + std::string{key.doc} + ".");
        json.key("not").raw("{}");
    }
    json.close('}');
}

void write_required(Writer& json, const Type& type)
{
    bool any = false;
    for (const auto& key : type.keys) any = any || key.required;
    if (any) {
        json.key("required").open('[');
        for (const auto& key : type.keys) {
            if (!key.required) continue;
            json.item();
            json.string(key.name);
        }
        json.close(']');
    }
    if (type.any_of.empty()) return;
    json.key("anyOf").open('[');
    for (const auto name : type.any_of) {
        json.item();
        json.raw("{\"required\": [" + json_text(name) + "]}");
    }
    json.close(']');
}

void write_object(Writer& json, const Type& type)
{
    json.key("type").raw(R"("object")");
    json.key("additionalProperties").raw("false");
    write_required(json, type);
    json.key("properties").open('{');
    for (const auto& key : type.keys) write_key(json, key);
    json.close('}');
}

void write_mapping(Writer& json, const Type& type)
{
    for (const auto& key : type.keys)
        if (!type.short_for.empty() && key.name == type.short_for) {
            any_of(
                json, [&] { write_type(json, key.type); }, [&] { write_object(json, type); });
            return;
        }
    write_object(json, type);
}

void write_type(Writer& json, const Type& type)
{
    switch (type.kind) {
    case Type::Kind::word: return write_words(json, type);
    case Type::Kind::text:
        if (type.schema.empty()) return write_text(json, type);
        return json.key("allOf").raw("[" + std::string{type.schema} + "]");
    case Type::Kind::integer:
    case Type::Kind::size: return write_number(json, type);
    case Type::Kind::duration: return write_pattern(json, duration_pattern);
    case Type::Kind::list:
        if (type.words.empty()) return write_array(json, type);
        return any_of(
            json, [&] { write_words(json, type); }, [&] { write_array(json, type); });
    case Type::Kind::dictionary: return write_dictionary(json, type);
    case Type::Kind::mapping: return write_mapping(json, type);
    }
}

} // namespace

std::string json_schema()
{
    Writer json;
    json.open('{');
    json.key("$schema").string("https://json-schema.org/draft/2020-12/schema");
    json.key("title").string("Configuration of the gateway");
    json.key("description")
        .string("gateway.yaml. What a schema cannot say (names that must exist, addresses that may not meet) "
                "gatewayctl check does.");
    write_type(json, vocabulary());
    json.close('}');
    return json.take();
}

} // namespace gw::config
