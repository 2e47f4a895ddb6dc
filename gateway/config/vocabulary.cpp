#include "gateway/config/vocabulary.h"

#include "gateway/config/apply.h"
#include "gateway/config/judge.h"

namespace gw::config {

namespace {

Type workers_type()
{
    auto type = integer(0, 1'024);
    type.words = {{"auto"}};
    type.noun = "a number or auto";
    return type;
}

Type whole_file()
{
    return mapping({
        {"include",
         text("a file name or a pattern", judge_include, {}),
         {},
         "Files that are read after this one, in the order of their names: a pattern such as `conf.d/*.yaml`, relative "
         "to "
         "this file's folder. Their listeners and routes are added behind; anything else is set in one file only."},
        {"listeners", listeners_type(), {}, "Where connections come from."},
        {"routes", routes_type(), {}, "Where HTTP requests and TLS connections go. The first that fits is taken."},
        {"pools", pools_type(), {}, "Servers that are as good as each other, by the name of the pool.", name_pools},
        {"waf", waf_type(), {}, "Inspection of HTTP. A single word stands for its mode."},
        {"admin", admin_type(), {}, "How the daemon is managed."},
        {"logs", logs_type(), {}, "What is written down."},
        {"limits", limits_type(), {}, "How much is taken."},
        {"timeouts", timeouts_type(), {}, "How long things may take."},
        {"workers", workers_type(), "auto", "How many threads carry connections. `auto`, or 0: one for each processor.",
         [](Draft& d, const Node& n) { d.settings.control.workers = n.text == "auto" ? 0 : integer_in(n); }},
        {"kernel",
         kernel_type(),
         {},
         "The numbers and names used in the kernel, should they meet those of other programs."},
        later("tunnels", "tunnels to servers without a public address"),
        later("admission", "a verdict on first packets"),
        later("certificates", "certificates for opening TLS"),
    });
}

} // namespace

const Type& vocabulary()
{
    static const Type whole = whole_file();
    return whole;
}

} // namespace gw::config
