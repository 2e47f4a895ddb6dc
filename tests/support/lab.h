#pragma once

#include "tests/support/lab_gateway.h"
#include "tests/support/lab_network.h"
#include "tests/support/lab_server.h"

#include <gtest/gtest.h>

namespace gw::lab {

/// Clients, a gateway and servers in network namespaces, and the real programs: the fixture of every end-to-end test.
///
///     TEST_F(Appliance, KeepsTheClientsAddress)
///     {
///         WebServer site(network, "site.example", 10);
///         gateway.runs_with("listeners: [{intercept: {to: [10.0.2.0/24], ports: [80]}}]");
///         EXPECT_EQ(network.client("10.0.1.2").asks("http://site.example/").status, 200);
///         EXPECT_EQ(site.last_client(), "10.0.1.2");
///     }
class Appliance : public ::testing::Test {
public:
    /// Skips the test where it cannot run; with CI in the environment that is a failure.
    static bool cannot_run();

protected:
    void SetUp() override;

    // Made only where they can be; `network` and `gateway` name them.
    std::unique_ptr<Network> network_made_ = cannot_run() ? nullptr : std::make_unique<Network>();
    std::unique_ptr<Gateway> gateway_made_ = network_made_ ? std::make_unique<Gateway>(*network_made_) : nullptr;
    Network& network = *network_made_;
    Gateway& gateway = *gateway_made_;
};

} // namespace gw::lab
