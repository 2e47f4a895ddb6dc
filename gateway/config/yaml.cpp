#include "gateway/config/yaml.h"

#include "gateway/config/encoding.h"

#include <exception>
#include <istream>
#include <streambuf>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace gw::config {

namespace {

/// A stream over bytes that stay where they are.
class ViewBuffer final : public std::streambuf {
public:
    explicit ViewBuffer(std::string_view text)
    {
        auto* begin = const_cast<char*>(text.data()); // streambuf wants it so; it is only read
        setg(begin, begin, begin + text.size());
    }
};

constexpr const char* not_a_key = "a key must be a plain text; a text that begins with \"[\" or \"{\" needs quotes";

/// Builds the tree from the library's events. To stop the library, its own exception is thrown; it ends in parse_yaml.
class TreeBuilder final : public YAML::EventHandler {
public:
    explicit TreeBuilder(std::uint32_t file) : file_{file} {}
    Node take() { return std::move(root_); }
    /// Where the last scalar of the document begins.
    const YAML::Mark& last_scalar() const { return last_scalar_; }

    void OnDocumentStart(const YAML::Mark& mark) override
    {
        if (++documents_ > 1) stop(mark, "this does not continue what stands above; a file holds one document");
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override
    {
        refuse_anchor(mark, anchor);
        auto node = node_of(Node::Kind::null, mark);
        // The library puts an absent value at whatever follows it. Its key is where a person looks.
        if (wants_value()) node.place = open_.back().items.back().place;
        add(std::move(node), mark);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { stop(mark, "aliases (*name) are not used here"); }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override
    {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        auto node = node_of(Node::Kind::scalar, mark);
        node.plain = tag == "?";
        last_scalar_ = mark;
        node.text = value;
        add(std::move(node), mark);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override
    {
        open(Node::Kind::sequence, mark, tag, anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override
    {
        open(Node::Kind::mapping, mark, tag, anchor);
    }
    void OnMapEnd() override { close(); }

private:
    [[noreturn]] static void stop(const YAML::Mark& mark, const std::string& what)
    {
        throw YAML::ParserException(mark, what);
    }
    static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor)
    {
        if (anchor != YAML::NullAnchor) stop(mark, "anchors (&name) are not used here");
    }
    static void refuse_tag(const YAML::Mark& mark, const std::string& tag)
    {
        if (!tag.empty() && tag != "?" && tag != "!") stop(mark, "tags (!name) are not used here");
    }
    Node node_of(Node::Kind kind, const YAML::Mark& mark) const
    {
        Node node;
        node.kind = kind;
        node.place = {file_, mark.line < 0 ? 1 : mark.line + 1, mark.column < 0 ? 1 : mark.column + 1};
        return node;
    }
    bool wants_value() const
    {
        return !open_.empty() && open_.back().is_mapping() && open_.back().items.size() % 2 == 1;
    }
    bool wants_key() const { return !open_.empty() && open_.back().is_mapping() && open_.back().items.size() % 2 == 0; }
    void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor)
    {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (wants_key()) stop(mark, not_a_key);
        if (open_.size() >= max_depth) stop(mark, "lists and mappings are nested too deeply");
        open_.push_back(node_of(kind, mark));
    }
    void close()
    {
        auto node = std::move(open_.back());
        open_.pop_back();
        add(std::move(node), YAML::Mark::null_mark());
    }
    void add(Node node, const YAML::Mark& mark)
    {
        if (wants_key() && !node.is_scalar()) stop(mark, not_a_key);
        if (++nodes_ > max_nodes) stop(mark, "more than " + std::to_string(max_nodes) + " values in one file");
        if (open_.empty())
            root_ = std::move(node);
        else
            open_.back().items.push_back(std::move(node));
    }

    std::uint32_t file_;
    Node root_;
    std::vector<Node> open_; // lists and mappings that are not complete, outermost first
    std::size_t nodes_ = 0;
    int documents_ = 0;
    YAML::Mark last_scalar_ = YAML::Mark::null_mark();
};

/// The library's words for common mistakes, and what to say of them.
constexpr std::pair<std::string_view, std::string_view> explanations[] = {
    {"end of map not found", "the mapping does not go on properly here; check the indentation and the quotes"},
    {"end of sequence not found", "the list does not go on properly here; check the indentation"},
    {"end of map flow not found", "a \"}\" or a comma is missing before this"},
    {"end of sequence flow not found", "a \"]\" or a comma is missing before this"},
    {"illegal map value", "a \": \" is not expected here; a text that holds one needs quotes"},
    {"illegal flow end", "a \"]\" or \"}\" without its beginning"},
    {"illegal block entry", "a \"- \" is not expected here"},
    {"illegal EOF in scalar", "the file ends within a quoted text"},
    {"alias not found after *", "\"*\" begins an alias in YAML, which is not used here; in quotes it is a text"},
    {"anchor not found after &", "\"&\" begins an anchor in YAML, which is not used here; in quotes it is a text"},
    {"the referenced anchor is not defined", "aliases (*name) are not used here; in quotes it is a text"},
    {"unknown token", "a text that begins like this needs quotes"},
    {"bad file", "lists and mappings are nested too deeply"},
};

/// Whether a quoted text begins at `begin` and never ends. The library takes the end of the file for its end.
bool never_ends(std::string_view text, int begin)
{
    if (begin < 0 || static_cast<std::size_t>(begin) >= text.size()) return false;
    const char quote = text[static_cast<std::size_t>(begin)];
    if (quote != '"' && quote != '\'') return false;
    for (auto at = static_cast<std::size_t>(begin) + 1; at < text.size(); ++at) {
        if (quote == '"' && text[at] == '\\') ++at;
        // In single quotes a quote is written twice; whichever of two ends the text, it has an end.
        else if (text[at] == quote)
            return false;
    }
    return true;
}

bool indented_by_tab(std::string_view text, int line)
{
    for (int at = 1; at < line; ++at) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return false;
        text.remove_prefix(end + 1);
    }
    const auto indentation = text.substr(0, text.find_first_not_of(" \t"));
    return indentation.find('\t') != std::string_view::npos && indentation.find('\n') == std::string_view::npos;
}

Mistake mistake_of(const YAML::Exception& error, std::string_view text, std::uint32_t file)
{
    Mistake mistake{{file, std::max(error.mark.line, 0) + 1, std::max(error.mark.column, 0) + 1}, error.msg};
    for (const auto& [theirs, ours] : explanations)
        if (error.msg == theirs) mistake.what = ours;
    if (indented_by_tab(text, mistake.place.line)) mistake.what = "a tab in the indentation; YAML wants spaces";
    mistake.what = "not readable: " + mistake.what;
    return mistake;
}

} // namespace

std::variant<Node, Mistake> parse_yaml(std::string_view text, std::uint32_t file)
{
    text = without_mark(text);
    if (auto bad = find_bad_byte(text)) return Mistake{{file, bad->line, bad->column}, "not readable: " + bad->what};
    ViewBuffer buffer{text};
    std::istream stream{&buffer};
    TreeBuilder builder{file};
    try {
        YAML::Parser parser{stream};
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const YAML::Exception& error) {
        return mistake_of(error, text, file);
    } catch (const std::exception& error) {
        return Mistake{{file, 1, 1}, std::string{"not readable: "} + error.what()};
    }
    const auto& last = builder.last_scalar();
    if (never_ends(text, last.pos))
        return Mistake{{file, last.line + 1, last.column + 1}, "not readable: a quoted text that never ends"};
    return builder.take();
}

} // namespace gw::config
