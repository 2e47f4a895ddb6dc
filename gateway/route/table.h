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
    std::string_view host;  ///< lower case, no port, no final dot; empty: none given
    std::string_view path;  ///< in normal form (http/path.h), begins with '/'; "*" for OPTIONS *
    std::string_view query; ///< with its '?', or empty
    std::string_view method;
    std::string_view listener;
};

enum class Action { forward_original, forward_url, forward_pool, redirect, respond, deny };
std::string_view name_of(Action action);

/// Where a request or connection goes. Kept by the session and refilled for each request, so its strings keep their
/// memory.
struct Decision {
    Action action = Action::deny;
    int route = -1;                ///< index into the settings the table was built from; -1: no route matched
    bool tls = false;              ///< forward_url: https
    std::string host;              ///< forward_url: name or address (no brackets)
    std::uint16_t port = 0;        ///< forward_url
    bool host_from_client = false; ///< forward_url: a binding is part of the host or port, so a client had a say in it
    std::string target;            ///< forward_url: path and query to ask for; empty: as the client wrote it
    std::string text;              ///< redirect: the location; respond: the body
    int status = 0;                ///< redirect, respond
};

/// Why a route was or was not taken; for people.
struct Trial {
    int route = -1;
    bool taken = false;
    std::string why; ///< "host \"a.example\" is not \"b.example\""
};

/// The routes of one generation, immutable. First match wins, whatever index is kept inside: the cost of a decision
/// does not grow with the number of routes that differ in host or path.
///
/// host      "_" any, also none; "www.example.org", "192.0.2.1", "2001:db8::1"; ":name.example.org", where each name
///           binds exactly one label.
/// path      the first segments, whole: "/admin" fits "/admin", "/admin/" and "/admin/x", not "/administrator". ":name"
///           binds one segment. "/" and "_" fit every path. Several slashes count as one.
/// method    "_" any, or one method.
/// A name that is there twice must bind the same text both times.
///
/// to        a URL, or "redirect:[STATUS ]URL" (302 unless said), that is only scheme, host and port gets the whole
///           path appended; one with a path, even "/", gets what follows the part that matched. The query goes along.
///           Names may stand for labels of its host, its port ("http://host::name") and segments of its path. What a
///           name holds must be able to stand there (a label, a port), else the route does not match.
/// Source: MongooseIM's mod_revproxy, whose three examples are tests.
class Table {
public:
    /// Errors: every problem of every route, with its position and its place ("routes[3].to"). Checks patterns,
    /// bindings used but not bound, URLs. `tunnel:` is not supported yet and refused by name. That a pool exists is
    /// for others to check.
    static std::variant<Table, Problems> build(std::vector<RouteSettings> routes);

    /// Pure. Fills `into`; when no route matches, `action` becomes `otherwise` and `route` -1.
    void decide(const Request& request, Action otherwise, Decision& into) const;

    /// For TLS that is passed on: only the name is known. Routes whose path or method is not the wildcard ("/" counts
    /// as one) do not match. A URL target's path is not used. A route that redirects or responds gives `deny`: nothing
    /// can be said inside somebody else's TLS.
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
