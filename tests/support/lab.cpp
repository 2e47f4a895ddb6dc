#include "tests/support/lab.h"

#include <cstdlib>

namespace gw::lab {

bool Appliance::cannot_run()
{
    static const bool cannot = !why_no_network().empty();
    return cannot;
}

void Appliance::SetUp()
{
    if (!cannot_run()) return;
    if (std::getenv("CI") != nullptr) FAIL() << why_no_network();
    GTEST_SKIP() << why_no_network();
}

} // namespace gw::lab
