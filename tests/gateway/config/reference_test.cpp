#include "gateway/config/vocabulary.h"
#include "tests/gateway/config/support.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace gw::config::testing {

namespace {

using Kind = Type::Kind;

constexpr std::string_view begin_mark =
    "<!-- reference: made from the program's own tables, kept equal by a test -->\n";
constexpr std::string_view end_mark = "<!-- end of reference -->\n";

/// The files that are made from the tables are written anew when this is set.
constexpr const char* write_variable = "GATEWAY_WRITE_GENERATED";

std::string file_name(const std::string& name) { return std::string{GW_SOURCE_DIR} + "/" + name; }

std::string content_of(const std::string& name)
{
    std::ifstream file{file_name(name), std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::string amount(const Type& type, std::uint64_t value)
{
    const auto in = [&](std::uint64_t unit, const char* name) { return std::to_string(value / unit) + name; };
    if (type.kind == Kind::size)
        return value >= (1u << 30) && value % (1u << 30) == 0   ? in(1u << 30, "GiB")
               : value >= (1u << 20) && value % (1u << 20) == 0 ? in(1u << 20, "MiB")
               : value >= 1024 && value % 1024 == 0             ? in(1024, "KiB")
                                                                : in(1, "B");
    if (type.kind == Kind::duration)
        return value >= 3'600'000 && value % 3'600'000 == 0 ? in(3'600'000, "h")
               : value >= 1'000 && value % 1'000 == 0       ? in(1'000, "s")
                                                            : in(1, "ms");
    return std::to_string(value);
}

std::string value_text(const Type& type)
{
    std::string words;
    for (const auto& word : type.words)
        if (word.supported) words += (words.empty() ? "`" : ", `") + std::string{word.text} + "`";
    const auto also = words.empty() ? "" : ", or " + words;
    const auto range = ", " + amount(type, type.least) + " to " + amount(type, type.most);
    switch (type.kind) {
    case Kind::word: return words;
    case Kind::text: return std::string{type.noun};
    case Kind::integer: return "number" + range + also;
    case Kind::size: return "size" + range + also;
    case Kind::duration: return "time" + range;
    case Kind::list: return "list of: " + (type.is_mapping_list() ? "mappings" : value_text(type.of.front())) + also;
    case Kind::dictionary: return "mapping: " + value_text(type.of[0]) + " to " + value_text(type.of[1]);
    case Kind::mapping:
        return type.short_for.empty() ? "mapping" : "mapping, or its `" + std::string{type.short_for} + "` alone";
    }
    return {};
}

std::string later_text(const Type& mapping)
{
    std::string names;
    const auto add = [&](const std::string& name) { names += (names.empty() ? "`" : ", `") + name + "`"; };
    for (const auto& key : mapping.keys) {
        if (!key.supported) add(std::string{key.name});
        for (const auto& word : key.type.words)
            if (!word.supported) add(std::string{key.name} + ": " + std::string{word.text} + (word.opens ? "..." : ""));
    }
    return names.empty() ? "" : "\nNot supported yet, and refused as such: " + names + ".\n";
}

void append_mapping(std::string& out, const Type& mapping, const std::string& path)
{
    out += "### " + (path.empty() ? "The file" : "`" + path + "`") +
           "\n\n| key | value | default | |\n| --- | --- | --- | --- |\n";
    for (const auto& key : mapping.keys) {
        if (!key.supported) continue;
        const auto standard = key.required           ? "required"
                              : key.standard.empty() ? ""
                                                     : "`" + std::string{key.standard} + "`";
        out += "| `" + std::string{key.name} + "` | " + value_text(key.type) + " | " + standard + " | " +
               std::string{key.doc} + " |\n";
    }
    out += later_text(mapping) + "\n";
    for (const auto& key : mapping.keys) {
        const auto here = path + (path.empty() ? "" : ".") + std::string{key.name};
        if (key.supported && key.type.kind == Kind::mapping) append_mapping(out, key.type, here);
        if (key.supported && key.type.kind == Kind::dictionary && key.type.of[1].kind == Kind::mapping)
            append_mapping(out, key.type.of[1], here + ".NAME");
        if (key.supported && key.type.is_mapping_list()) append_mapping(out, key.type.of.front(), here + "[]");
    }
}

std::string reference()
{
    std::string out{begin_mark};
    out += "\n";
    append_mapping(out, vocabulary(), "");
    return out + std::string{end_mark};
}

/// `text` with the part between the marks replaced.
std::string with_reference(const std::string& text)
{
    const auto begin = text.find(begin_mark);
    const auto end = text.find(end_mark);
    if (begin == std::string::npos || end == std::string::npos) return text + "\n" + reference();
    return text.substr(0, begin) + reference() + text.substr(end + end_mark.size());
}

void expect_generated(const std::string& name, const std::string& wanted)
{
    if (std::getenv(write_variable)) std::ofstream{file_name(name), std::ios::binary} << wanted;
    EXPECT_TRUE(content_of(name) == wanted)
        << name << " is not what the tables say; run config_tests with " << write_variable << "=1";
}

} // namespace

TEST(Reference, IsInTheDocumentationAsTheTablesSay)
{
    expect_generated("docs/configuration.md", with_reference(content_of("docs/configuration.md")));
}

TEST(Reference, HasTheSchemaBesideIt) { expect_generated("docs/gateway.schema.json", json_schema()); }

TEST(Reference, HasExamplesThatAreRight)
{
    const auto text = content_of("docs/configuration.md");
    int examples = 0;
    for (auto at = text.find("```yaml\n"); at != std::string::npos; at = text.find("```yaml\n", at + 1), ++examples) {
        const auto begin = at + 8;
        const auto example = text.substr(begin, text.find("```", begin) - begin);
        EXPECT_EQ(wrong_with(example), "") << example;
    }
    EXPECT_GE(examples, 3);
}

TEST(DefaultFile, IsRightAndInterceptsNothing)
{
    const auto settings = settings_of(content_of("systemd/gateway.yaml"));
    EXPECT_TRUE(settings.listeners.empty());
    EXPECT_EQ(settings.waf.policies[0].mode, waf::Mode::detect);
}

TEST(DefaultFile, ShowsAnExampleThatIsRight)
{
    auto text = content_of("systemd/gateway.yaml");
    const auto begin = text.find("#   listeners:\n");
    const auto end = text.find("#\n", begin);
    ASSERT_NE(begin, std::string::npos);
    std::string example;
    for (auto at = begin; at < end; at = text.find('\n', at) + 1)
        example += text.substr(at + 4, text.find('\n', at) + 1 - at - 4);
    EXPECT_EQ(settings_of(example).listeners.size(), 1u);
}

} // namespace gw::config::testing
