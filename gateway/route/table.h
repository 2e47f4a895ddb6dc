#pragma once

#include "gateway/base/flow.h"
#include "gateway/route/settings.h"

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gw::route {

/// What of a request a route looks at. Views live as long as the request.
struct Request {
    std::string_view host;       ///< lower case, no port, no final dot; empty: none given
    std::string_view path;       ///< in normal form (http/path.h), begins with '/'; "*" for OPTIONS *
    std::string_view query;      ///< with its '?', or empty
    std::string_view method;
    std::string_view listener;
};

enum class Action { forward_original, forward_url, redirect, respond, deny };
std::string_view name_of(Action action);

/// Where a request or connection goes. Kept by the session and refilled for each request, so its strings keep their
/// memory.
struct Decision {
    Action action = Action::deny;
    int route = -1;                  ///< index into the settings the table was built from; -1: no route matched
    bool tls = false;                ///< forward_url: https
    std::string host;                ///< forward_url: name or address (no brackets)
    std::uint16_t port = 0;          ///< forward_url
    std::string target;              ///< forward_url: path and query to ask for; empty: as the client wrote it
    std::string text;                ///< redirect: the location; respond: the body
    int status = 0;                  ///< redirect, respond
};

/// Why a route was or was not taken; for people.
struct Trial {
    int route = -1;
    bool taken = false;
    std::string why;                 ///< "host \"a.example\" is not \"b.example\""
};

/// The routes of one generation, immutable. First match wins, whatever index is kept inside.
class Table {
public:
    /// Errors: every problem of every route, with its position. Checks patterns, bindings used but not bound, URLs.
    static std::variant<Table, Problems> build(std::vector<RouteSettings> routes);

    /// Pure. Fills `into`; when no route matches, `action` becomes `otherwise` and `route` -1.
    void decide(const Request& request, Action otherwise, Decision& into) const;

    /// For TLS that is passed on: only the name is known. Routes whose path or method is not the wildcard ("/" counts
    /// as one) do not match. A URL target's path is not used.
    void decide_by_name(std::string_view server_name, std::string_view listener, Action otherwise,
                        Decision& into) const;

    /// The same answer as `decide`, with the routes looked at in order and the reason for each. Slow; for explain.
    std::vector<Trial> explain(const Request& request, Action otherwise, Decision& into) const;

    const std::vector<RouteSettings>& routes() const;

    Table(Table&&) noexcept;
    Table& operator=(Table&&) noexcept;
    ~Table();

private:
    struct Index;
    explicit Table(std::unique_ptr<const Index> index);
    std::unique_ptr<const Index> index_;
};

} // namespace gw::route
