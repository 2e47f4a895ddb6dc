// The laboratory itself, without a gateway program in between: what the other tests stand on.

#include "tests/support/lab.h"

#include <fcntl.h>

namespace gw::lab {
namespace {

TEST_F(Appliance, ForwardsBetweenClientsAndServersWithoutTheGateway)
{
    WebServer site(network, "site.example", 10);

    const auto v4 = network.client("10.0.1.3").asks("http://site.example/hello");
    const auto v6 = network.client("fd00:1::3").asks("http://site.example/hello");

    EXPECT_EQ(v4.status, 200) << v4.said;
    EXPECT_EQ(v4.body, "this is site.example\n");
    EXPECT_EQ(v4.header("content-type"), "text/plain");
    EXPECT_EQ(v6.status, 200) << v6.said;
    const auto log = site.log(2);
    EXPECT_EQ(log[0].value("client", ""), "10.0.1.3");
    EXPECT_EQ(log[0].value("target", ""), "/hello");
    EXPECT_EQ(log[1].value("client", ""), "fd00:1::3");
}

TEST_F(Appliance, ShowsTheCertificateOfAServer)
{
    WebServer site(network, "site.example", 10);
    const auto answer = network.client("10.0.1.2").asks("https://site.example/");
    EXPECT_EQ(answer.status, 200) << answer.said;
    EXPECT_NE(answer.certificate.find(site.certificate()), std::string::npos) << answer.certificate;
}

TEST_F(Appliance, RecordsWhatAnOriginReceives)
{
    Origin origin(network.servers(), "10.0.2.11:80", echoes());

    auto client = network.client("10.0.1.2").dials("10.0.2.11:80", 40'000);
    ASSERT_TRUE(client.connected());
    client.sends_byte_by_byte(request("POST", "/a", "x", "Content-Length: 3\r\n") + "abc");
    const auto first = receive_message(client);
    client.sends(request("POST", "/b", "x", "Transfer-Encoding: chunked\r\n") + chunk("de") + chunk("f") +
                 "0\r\nT: 1\r\n\r\n");
    const auto second = receive_message(client);
    client.closes();

    EXPECT_EQ(first.first_line(), "HTTP/1.1 200 Fine");
    EXPECT_TRUE(first.body.ends_with("\r\n\r\nabc")) << first.body;
    EXPECT_TRUE(second.body.ends_with("\r\n\r\ndefT: 1\r\n")) << second.body;
    EXPECT_EQ(origin.connections(), 1u);
    EXPECT_EQ(origin.client_of(0).text(), "10.0.1.2:40000");
    EXPECT_NE(origin.received().find("POST /a HTTP/1.1\r\n"), std::string::npos);
}

TEST_F(Appliance, TellsARefusedConnectionAndAResetFromAnEnd)
{
    Origin resetting(network.servers(), "10.0.2.11:80", [](Origin::Connection& connection) {
        connection.receives(1);
        connection.resets();
    });
    Origin ending(network.servers(), "10.0.2.11:81", [](Origin::Connection& connection) { connection.receives(1); });
    const auto client = network.client("10.0.1.2");

    EXPECT_EQ(client.dials("10.0.2.11:82").error(), ECONNREFUSED);
    auto reset = client.dials("10.0.2.11:80");
    reset.sends("x");
    EXPECT_EQ(reset.receives_all(), "");
    EXPECT_TRUE(reset.was_reset());
    auto ended = client.dials("10.0.2.11:81");
    ended.sends("x");
    EXPECT_EQ(ended.receives_all(), "");
    EXPECT_FALSE(ended.was_reset());
}

TEST(Lab, RemovesItsNamespacesAndFolders)
{
    if (Appliance::cannot_run()) GTEST_SKIP() << why_no_network();
    std::string name;
    {
        const Network network;
        name = network.gateway().name();
        EXPECT_EQ(::access(("/run/netns/" + name).c_str(), F_OK), 0);
    }
    EXPECT_NE(::access(("/run/netns/" + name).c_str(), F_OK), 0);
}

TEST(Lab, SweepsWhatADeadTestLeft)
{
    if (Appliance::cannot_run()) GTEST_SKIP() << why_no_network();
    Process gone({"true"});
    gone.wait();
    const auto name = "gwlab-" + std::to_string(gone.id()) + "-left";
    run_well({"ip", "netns", "add", name});
    const Network network;
    EXPECT_NE(::access(("/run/netns/" + name).c_str(), F_OK), 0);
}

} // namespace
} // namespace gw::lab
