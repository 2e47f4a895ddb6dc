#include "gateway/config/apply.h"
#include "gateway/config/judge.h"
#include "gateway/config/vocabulary.h"

namespace gw::config {

namespace {

constexpr std::string_view field_name_pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields fields_in(const Node& node)
{
    Fields fields;
    for (std::size_t at = 0; at + 1 < node.items.size(); at += 2)
        fields.emplace_back(node.items[at].text, node.items[at + 1].text);
    return fields;
}

Type field_name() { return free_text("the name of a header field", judge_field_name, field_name_pattern); }
Type fields() { return dictionary(field_name(), free_text("a text", judge_field_value, {}), 100); }

Type edits(Apply begin)
{
    auto type = mapping({
        {"set",
         fields(),
         {},
         "Fields that are to have this value and no other. A value may hold {client.address}, {client.port}, {host}, "
         "{path}, "
         "{listener} and {request.id}.",
         [](Draft& d, const Node& n) { d.in_edits->set = fields_in(n); }},
        {"add",
         fields(),
         {},
         "Fields that are added to what is there; values as in `set`.",
         [](Draft& d, const Node& n) { d.in_edits->add = fields_in(n); }},
        {"remove",
         list(field_name(), 0, 100),
         {},
         "Fields that are taken away, before the others are set.",
         [](Draft& d, const Node& n) { d.in_edits->remove = texts_in(n); }},
    });
    type.begin = begin;
    return type;
}

Type max_body()
{
    auto type = size(0, std::uint64_t{1} << 50);
    type.words = {{"unlimited"}};
    return type;
}

Key request_headers()
{
    return {"request_headers",
            edits([](Draft& d, const Node&) { d.in_edits = &d.settings.route_extras.back().request_headers; }),
            {},
            "What is changed in the header of a request on its way to the upstream."};
}

Key response_headers()
{
    return {"response_headers",
            edits([](Draft& d, const Node&) { d.in_edits = &d.settings.route_extras.back().response_headers; }),
            {},
            "What is changed in the header of a response on its way to the client."};
}

Key to()
{
    return {"to",
            text("a URL, pool:NAME, original, redirect:URL or respond:STATUS", judge_target,
                 "^(https?://.|redirect:.|respond:.|pool:.|original$)"),
            {},
            "Where it goes: a URL, which may use the names bound in `host` and `path`; `pool:NAME`, a server of that "
            "pool; `original`, where the client was going; `redirect:URL`; `respond:STATUS TEXT`.",
            [](Draft& d, const Node& n) {
                d.route().to = n.text;
                d.routes.back().to = &n;
            },
            true};
}

Type route()
{
    auto type = mapping({
        {"host", free_text("a host name", judge_host, "^[!-~]+$"), "_",
         "The name in the request (HTTP) or in the ClientHello (TLS): literal, `_` for any, or with `:name` for a part "
         "of it.",
         [](Draft& d, const Node& n) { d.route().host = n.text; }},
        {"path", text("a path", judge_path, "^(_$|/)"), "/",
         "How the path begins, by whole segments: literal, `_` for any, `:name` for one segment.",
         [](Draft& d, const Node& n) { d.route().path = n.text; }},
        {"method", free_text("a method", judge_method, "^[A-Z0-9_-]+$"), "_", "The method, or `_` for any.",
         [](Draft& d, const Node& n) { d.route().method = n.text; }},
        {"listeners",
         list(free_text("the name of a listener", judge_name, "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"), 1, 1'000),
         {},
         "Only what came in by these listeners. Default: all.",
         [](Draft& d, const Node& n) {
             d.route().listeners = texts_in(n);
             d.routes.back().listeners = &n;
         }},
        to(),
        {"timeout", duration(), "60s", "How long the upstream may take until its response begins; then 504.",
         [](Draft& d, const Node& n) { d.route().timeout = duration_in(n); }},
        {"max_body", max_body(), "1GiB", "The largest request body; above it 413. Or `unlimited`.",
         [](Draft& d, const Node& n) {
             d.route().max_body_bytes.reset();
             if (n.text != "unlimited") d.route().max_body_bytes = size_in(n);
         }},
        request_headers(),
        response_headers(),
        {"waf",
         route_waf_type(),
         {},
         "How requests that take this route are inspected; what is not said here is as in the global `waf`."},
        later("rewrite", "rewriting of locations, cookies, HTML and paths"),
        later("compress", "compression of responses"),
        later("cache", "stored responses"),
        later("limits", "limits of requests for a route"),
    });
    type.begin = [](Draft& d, const Node& n) {
        d.settings.routes.emplace_back().where = d.position(n.place);
        d.settings.route_extras.emplace_back();
        d.routes.emplace_back().entry = &n;
    };
    return type;
}

} // namespace

Type routes_type()
{
    auto type = list(route(), 0, 100'000);
    type.appends = true;
    return type;
}

} // namespace gw::config
