#pragma once

#include "netfilter/install.h"
#include "tests/netfilter/namespaces.h"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>

namespace gw::netfilter::testing {

inline bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A host of its own to install rules on.
class Installing : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (!is_root() || !host_.made()) GTEST_SKIP() << "needs root for a network namespace";
        if (!has(host_.shell("nft --version"), "nftables")) GTEST_SKIP() << "needs nft";
    }
    /// One that works there; null, and the test fails, when there is none.
    std::unique_ptr<Installer> open()
    {
        std::unique_ptr<Installer> opened;
        host_.inside([&] {
            auto made = Installer::open({});
            if (made)
                opened = std::move(*made);
            else
                ADD_FAILURE() << describe(made.error());
        });
        return opened;
    }

    Namespace host_;
};

} // namespace gw::netfilter::testing
