#pragma once

#include "gateway/ctl/capture.h"
#include "gateway/ctl/configuration.h"
#include "gateway/ctl/json.h"
#include "gateway/ctl/text.h"
#include "gateway/ctl/url.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gw::ctl {

/// A request nobody has sent.
struct Question {
    Url url;
    std::string method = "GET";
    Packet packet;
    std::string destination_from; ///< "--to", "the URL", "resolved here"; empty: not known
    std::string listener;         ///< asked for by name; empty: the one that takes it
    std::vector<std::pair<std::string, std::string>> headers;
};

/// One route and what became of it.
struct Tried {
    enum class Fate {
        taken,
        no,
        near_miss, ///< the host fits, something else does not
        later,     ///< would fit, but an earlier one is taken
    };
    int route = -1;
    Fate fate = Fate::no;
    std::string why;
};

struct Explanation {
    std::vector<Fit> fits;               ///< one for each listener of the settings
    std::optional<std::size_t> listener; ///< none: the connection passes by, or comes to a closed port
    bool asked_for = false;              ///< `listener` because of --listener
    std::string speaks;                  ///< http, tls, tcp: what peeking finds
    std::string peek_why;
    std::string ends;     ///< set: why it goes no further before any route is tried
    bool by_name = false; ///< TLS that is passed on: routes see its name only
    std::string host;     ///< what routes see: of the Host field, or of the URL
    std::vector<Tried> tried;
    route::Decision decision;
    std::string upstream;                         ///< "http://10.0.0.1:8080/x"; empty: none is asked
    const upstream::PoolSettings* pool = nullptr; ///< of the configuration; null: none is asked
    std::string refused;                          ///< set: why the decision cannot be carried out
    std::vector<std::string> header_notes;        ///< what happens to the headers that were named
    std::optional<std::size_t> waf_policy;        ///< of the settings; none: not inspected
    std::string waf_why;                          ///< whose policy it is, or why there is none
};

/// Follows a request through a configuration. Pure.
/// Errors: `malformed`, side client, when --listener names none, with what would.
Result<Explanation> explain(const Question& question, const Configuration& configuration);

/// `all`: each route and listener, else those that tell something.
std::string explanation_text(const Question& question, const Explanation& explanation,
                             const Configuration& configuration, bool all, const Look& look);
/// Documented in gatewayctl(1).
Json explanation_json(const Question& question, const Explanation& explanation, const Configuration& configuration);

std::string_view name_of(Tried::Fate fate);
std::string_view name_of(waf::Mode mode);

} // namespace gw::ctl
