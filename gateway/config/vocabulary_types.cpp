#include "gateway/config/vocabulary.h"

namespace gw::config {

Type word(std::initializer_list<Word> words)
{
    Type type;
    type.kind = Type::Kind::word;
    type.noun = "a word";
    type.words = words;
    return type;
}

Type text(std::string_view noun, Judge judge, std::string_view pattern)
{
    Type type;
    type.kind = Type::Kind::text;
    type.noun = noun;
    type.judge = judge;
    type.pattern = pattern;
    return type;
}

Type free_text(std::string_view noun, Judge judge, std::string_view pattern)
{
    auto type = text(noun, judge, pattern);
    type.any_scalar = true;
    return type;
}

Type integer(std::uint64_t least, std::uint64_t most)
{
    Type type;
    type.kind = Type::Kind::integer;
    type.noun = "a number";
    type.least = least;
    type.most = most;
    return type;
}

Type size(std::uint64_t least, std::uint64_t most)
{
    auto type = integer(least, most);
    type.kind = Type::Kind::size;
    type.noun = "a size in B, KiB, MiB or GiB such as 8MiB";
    return type;
}

Type duration(std::uint64_t least_ms, std::uint64_t most_ms)
{
    auto type = integer(least_ms, most_ms);
    type.kind = Type::Kind::duration;
    type.noun = "a time in ms, s, m or h such as 5s";
    return type;
}

Type list(Type of, std::uint64_t least, std::uint64_t most)
{
    Type type;
    type.kind = Type::Kind::list;
    type.noun = "a list";
    type.least = least;
    type.most = most;
    type.of.push_back(std::move(of));
    return type;
}

Type dictionary(Type key, Type value, std::uint64_t most)
{
    Type type;
    type.kind = Type::Kind::dictionary;
    type.noun = "a mapping of names to values";
    type.most = most;
    type.of.push_back(std::move(key));
    type.of.push_back(std::move(value));
    return type;
}

Type mapping(std::initializer_list<Key> keys)
{
    Type type;
    type.kind = Type::Kind::mapping;
    type.noun = "a mapping";
    type.keys = keys;
    return type;
}

Key later(std::string_view name, std::string_view doc)
{
    Key key{name, Type{}, {}, doc};
    key.supported = false;
    return key;
}

} // namespace gw::config
