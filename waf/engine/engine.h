#pragma once

#include "waf/settings.h"
#include "waf/verdict.h"

#include <memory>
#include <string>
#include <vector>

namespace gw::waf {

/// What the engine says of one message: facts only, what follows from them is the data process's to decide.
struct Findings {
    bool blocked = false; ///< a rule said so: a disruptive action in a policy that blocks
    int score = 0;
    std::string limit; ///< which bound was hit, "matching limit reached"; empty: none
    std::vector<Hit> hits;
};

/// One exchange inside the engine.
class Transaction {
public:
    virtual ~Transaction() = default;
    virtual Findings request(const RequestView& request) = 0;
    virtual Findings response(const ResponseView& response) = 0;
};

/// libmodsecurity with every policy's rules compiled.
class Engine {
public:
    /// Errors: `malformed`: a rule file is wrong; `what` is the engine's message with file and line.
    static Result<std::unique_ptr<Engine>> compile(const Settings& settings);
    virtual ~Engine() = default;

    /// `policy`: number of one whose mode is not `off`; else none.
    virtual std::unique_ptr<Transaction> begin(std::size_t policy) = 0;
    /// "OWASP_CRS/3.3.4, 923 rules"
    virtual std::string description() const = 0;
};

} // namespace gw::waf
