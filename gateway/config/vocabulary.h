#pragma once

#include "gateway/config/node.h"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace gw::config {

// The description of the configuration file. The parser, the schema and the reference in docs/ all follow it, so what
// one of them says the others say too. A new option is one more row in a table of vocabulary_*.cpp.

struct Draft;
struct Key;

/// Puts a value that fits its type where it belongs.
using Apply = void (*)(Draft&, const Node&);
/// What is wrong with a text; empty: nothing.
using Judge = std::string (*)(std::string_view);

/// A word that stands for itself.
struct Word {
    std::string_view text;
    bool supported = true; ///< else it is refused as "not supported yet"
    bool opens = false;    ///< more follows: "pool:" in "pool:shop"
};

/// What a value may be.
struct Type {
    enum class Kind { word, text, integer, size, duration, list, mapping, dictionary };
    Kind kind = Kind::text;
    std::string_view noun{};   ///< "a duration such as 500ms, 5s or 1m"
    std::vector<Word> words{}; ///< word: one of them; other kinds: may stand instead of the value
    std::uint64_t least = 0;   ///< integer; size, bytes; duration, milliseconds; list and dictionary, entries
    std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    std::string_view pattern{};             ///< text: what a schema can say of it (ECMA 262), never more than `judge`
    Judge judge = nullptr;                  ///< text
    bool any_scalar = false;                ///< text: may look like a number or true and false
    std::string_view schema{};              ///< text: JSON that replaces type and pattern
    std::vector<Type> of{};                 ///< list: its entries; dictionary: key and value
    std::vector<Key> keys;                  ///< mapping
    std::vector<std::string_view> any_of{}; ///< mapping: at least one of these keys
    std::string_view short_for{};           ///< mapping: a single value stands for this key
    bool appends = false;                   ///< list: entries of included files are added
    Apply begin = nullptr;                  ///< mapping: before its keys

    bool is_mapping_list() const { return kind == Kind::list && of.front().kind == Kind::mapping; }
};

/// A row of a mapping's table.
struct Key {
    std::string_view name;
    Type type;
    std::string_view standard; ///< the default, as it would be written; empty: none, or said in `doc`
    std::string_view doc;
    Apply apply = nullptr;
    bool required = false;
    bool supported = true;
};

/// The file as a whole.
const Type& vocabulary();

// Its parts.
Type listeners_type();
Type routes_type();
Type waf_type();
Type route_waf_type();
Type admin_type();
Type logs_type();
Type limits_type();
Type timeouts_type();
Type kernel_type();
Type pools_type();
void name_pools(Draft& draft, const Node& node);

// Makers of types and rows.
Type word(std::initializer_list<Word> words);
Type text(std::string_view noun, Judge judge, std::string_view pattern);
Type free_text(std::string_view noun, Judge judge, std::string_view pattern);
Type integer(std::uint64_t least, std::uint64_t most);
Type size(std::uint64_t least, std::uint64_t most);
Type duration(std::uint64_t least_ms = 10, std::uint64_t most_ms = 86'400'000);
Type list(Type of, std::uint64_t least = 0, std::uint64_t most = 10'000);
Type dictionary(Type key, Type value, std::uint64_t most = 1'000);
Type mapping(std::initializer_list<Key> keys);
/// A row that is in the contract and not in the program.
Key later(std::string_view name, std::string_view doc);

} // namespace gw::config
