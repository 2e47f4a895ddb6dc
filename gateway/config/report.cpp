#include "gateway/config/report.h"

#include <algorithm>

namespace gw::config {

std::vector<Finding> Report::take()
{
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const Finding& a, const Finding& b) { return a.place < b.place; });
    if (full()) {
        auto last = findings_.back();
        last.what = "there is more that is wrong; only the first " + std::to_string(limit) + " problems are told";
        findings_.push_back(std::move(last));
    }
    return std::move(findings_);
}

} // namespace gw::config
