#pragma once

#include "gateway/config/draft.h"
#include "gateway/config/report.h"
#include "gateway/config/vocabulary.h"

#include <map>
#include <string>

namespace gw::config {

/// Goes through documents beside the vocabulary: reports what does not fit and lets the rows apply what does.
class Walker {
public:
    Walker(Draft& draft, Report& report) : draft_{draft}, report_{report} {}

    /// The main file first. Nothing but comments is no mistake here.
    void read(const Node& document);

private:
    bool check(const Type& type, const Node& node);
    bool check_word(const Type& type, const Node& node);
    bool check_number(const Type& type, const Node& node);
    bool check_text(const Type& type, const Node& node);
    bool check_list(const Type& type, const Node& node);
    bool check_dictionary(const Type& type, const Node& node);
    bool check_mapping(const Type& type, const Node& node);
    void check_shorthand(const Type& type, const Node& node);
    void check_key(const Key& key, const Node& name, const Node& value);
    void check_complete(const Type& type, const Node& node, const std::vector<bool>& seen);
    void refuse_unknown(const Type& mapping, const Node& name);
    bool first_time(const Key& key, const Node& node, const std::string& path);
    bool refuse(const Node& node, std::string what, bool schema_says);
    bool refuse_kind(const Type& type, const Node& node);

    Draft& draft_;
    Report& report_;
    std::string path_;
    std::map<std::string, Place> set_at_;        // across files: every key outside a list's entries is given once
    std::map<std::string, std::size_t> entries_; // so far, of each list that is appended to
    int inside_entries_ = 0;
};

} // namespace gw::config
