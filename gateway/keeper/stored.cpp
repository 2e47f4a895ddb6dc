// gateway-configuration 1
// number 12
// at 1795260000
// how apply
// sources 2
// 25 310                     the bytes of the name and of the text that follow, a line break after both
// /etc/gateway/gateway.yaml...
// 31 80
// ...
// sum 0123456789abcdef       FNV-1a of all before this line
#include "gateway/keeper/stored.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace gw::keeper {

namespace {

constexpr std::string_view title = "gateway-configuration 1";
constexpr std::size_t most_sources = 1'001;
constexpr std::size_t sum_line_bytes = 4 + 16 + 1;

std::uint64_t sum_of(std::string_view text)
{
    std::uint64_t sum = 0xcbf29ce484222325;
    for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return sum;
}

std::string sum_line(std::string_view text)
{
    char line[sum_line_bytes + 1];
    std::snprintf(line, sizeof line, "sum %016llx\n", static_cast<unsigned long long>(sum_of(text)));
    return line;
}

/// Takes the text apart from its front; once something does not fit, it stays wrong.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    std::string_view line()
    {
        const auto end = rest_.find('\n');
        if (end == std::string_view::npos) return fail();
        return taken(end);
    }
    std::string_view after(std::string_view word)
    {
        const auto text = line();
        return text.starts_with(word) ? text.substr(word.size()) : fail();
    }
    template <class Number> Number number(std::string_view text)
    {
        Number value{};
        const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
        const auto digits = text.starts_with('-') ? text.substr(1) : text;
        const bool padded = digits.starts_with('0') && text != "0"; // one form only: no 007, no -0, no -02
        if (wrong != std::errc{} || end != text.data() + text.size() || padded) fail();
        return value;
    }
    std::string_view bytes(std::size_t count)
    {
        return count < rest_.size() && rest_[count] == '\n' ? taken(count) : fail();
    }
    std::string_view rest() const { return rest_; }
    bool good() const { return good_; }

private:
    std::string_view taken(std::size_t count)
    {
        const auto text = rest_.substr(0, count);
        rest_.remove_prefix(count + 1);
        return text;
    }
    std::string_view fail()
    {
        good_ = false;
        rest_ = {};
        return {};
    }

    std::string_view rest_;
    bool good_ = true;
};

config::Source read_source(Reader& reader)
{
    const auto sizes = reader.line();
    const auto blank = std::min(sizes.find(' '), sizes.size());
    const auto name_bytes = reader.number<std::size_t>(sizes.substr(0, blank));
    const auto text_bytes = reader.number<std::size_t>(sizes.substr(std::min(blank + 1, sizes.size())));
    if (!reader.good()) return {};
    const auto name = reader.bytes(name_bytes);
    const auto text = reader.bytes(text_bytes);
    return {std::string{name}, std::string{text}};
}

} // namespace

bool same_sources(const config::Sources& one, const config::Sources& other)
{
    return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](const auto& left, const auto& right) {
        return left.name == right.name && left.text == right.text;
    });
}

std::string encode_stored(const Stored& stored)
{
    std::string text{title};
    text += "\nnumber " + std::to_string(stored.number) + "\nat " + std::to_string(stored.at) + "\nhow " + stored.how +
            "\nsources " + std::to_string(stored.sources.size()) + '\n';
    for (const auto& source : stored.sources) {
        text += std::to_string(source.name.size()) + ' ' + std::to_string(source.text.size()) + '\n';
        text.append(source.name).append("\n").append(source.text).append("\n");
    }
    return text + sum_line(text);
}

Result<Stored> decode_stored(std::string_view text)
{
    const Error wrong{Fault::malformed, Side::gateway, "no configuration as it is stored, or only a piece of one", {}};
    if (text.size() < sum_line_bytes) return wrong;
    const auto content = text.substr(0, text.size() - sum_line_bytes);
    if (text.substr(content.size()) != sum_line(content)) return wrong;
    Reader reader{content};
    if (reader.line() != title) return wrong;
    Stored stored;
    stored.number = reader.number<std::uint64_t>(reader.after("number "));
    stored.at = reader.number<std::int64_t>(reader.after("at "));
    stored.how = reader.after("how ");
    const auto count = reader.number<std::size_t>(reader.after("sources "));
    if (count > most_sources) return wrong;
    for (std::size_t i = 0; i < count && reader.good(); ++i) stored.sources.push_back(read_source(reader));
    if (!reader.good() || !reader.rest().empty() || stored.sources.empty()) return wrong;
    return stored;
}

} // namespace gw::keeper
