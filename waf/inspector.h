#pragma once

#include "gateway/base/task.h"
#include "waf/settings.h"
#include "waf/verdict.h"

#include <memory>
#include <string_view>

namespace gw::waf {

/// One exchange in inspection: the request, then its response. Dropping it ends the inspection.
class Inspection {
public:
    virtual ~Inspection() = default;
    virtual Task<Verdict> request(const RequestView& request) = 0;
    /// Call only after a request that passed.
    virtual Task<Verdict> response(const ResponseView& response) = 0;
};

/// A worker's way to its inspectors. Used on the worker's thread only.
class Inspector {
public:
    virtual ~Inspector() = default;
    /// `policy`: number of a policy whose mode is not `off`.
    virtual std::unique_ptr<Inspection> begin(std::size_t policy) = 0;
};

/// True for the types whose bodies response rules look at (text/plain, text/html, text/xml, application/json ...).
bool inspects_response_type(std::string_view content_type);

} // namespace gw::waf
