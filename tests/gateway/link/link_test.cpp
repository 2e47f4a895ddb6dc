#include "gateway/link/link.h"
#include "gateway/link/order.h"

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace gw::link {
namespace {

class LinkTest : public ::testing::Test {
protected:
    LinkTest()
    {
        auto pair = Link::make_pair();
        one = std::make_unique<Link>(io, std::move(pair->first));
        other_end = std::move(pair->second);
    }
    void run(Task<void> task)
    {
        asio::co_spawn(io, std::move(task), [](std::exception_ptr bug) {
            if (bug) std::rethrow_exception(bug);
        });
    }
    asio::io_context io{1};
    std::unique_ptr<Link> one;
    Descriptor other_end;
};

TEST_F(LinkTest, CarriesALargeTextAndManyDescriptors)
{
    Link other{io, std::move(other_end)};
    Message sent;
    sent.kind = Kind::commit;
    sent.number = 7;
    sent.text.assign(3'000'000, 'x');
    for (int i = 0; i < 450; ++i) sent.descriptors.emplace_back(::dup(0));
    Message got;
    run([](Link& link, Message message) -> Task<void> {
        const auto result = co_await link.send(std::move(message));
        EXPECT_TRUE(result);
    }(*one, std::move(sent)));
    run([](Link& link, Message& into) -> Task<void> {
        auto result = co_await link.receive();
        if (result) into = std::move(*result);
    }(other, got));
    io.run();

    EXPECT_EQ(got.kind, Kind::commit);
    EXPECT_EQ(got.number, 7U);
    EXPECT_EQ(got.text.size(), 3'000'000U);
    ASSERT_EQ(got.descriptors.size(), 450U);
    struct stat status {};
    EXPECT_EQ(::fstat(got.descriptors.back().number(), &status), 0);
}

TEST_F(LinkTest, KeepsMessagesOfTwoSendersApart)
{
    Link other{io, std::move(other_end)};
    std::vector<std::size_t> sizes;
    for (const std::size_t size : {500'000U, 10U, 400'000U})
        run([](Link& link, std::size_t bytes) -> Task<void> {
            Message message;
            message.text.assign(bytes, 'y');
            const auto result = co_await link.send(std::move(message));
            EXPECT_TRUE(result);
        }(*one, size));
    run([](Link& link, std::vector<std::size_t>& into) -> Task<void> {
        for (int i = 0; i < 3; ++i) {
            auto message = co_await link.receive();
            if (message) into.push_back(message->text.size());
        }
    }(other, sizes));
    io.run();
    std::sort(sizes.begin(), sizes.end());
    EXPECT_EQ(sizes, (std::vector<std::size_t>{10, 400'000, 500'000}));
}

TEST_F(LinkTest, SaysWhenTheOtherEndHasGoneOrSpeaksNonsense)
{
    other_end.reset();
    std::optional<Fault> fault;
    const auto receive = [](Link& link, std::optional<Fault>& into) -> Task<void> {
        const auto result = co_await link.receive();
        if (!result) into = result.error().fault;
    };
    run(receive(*one, fault));
    io.run();
    EXPECT_EQ(fault, Fault::closed);

    auto pair = Link::make_pair();
    Link strict{io, std::move(pair->first)};
    ASSERT_EQ(::send(pair->second.number(), "this is no message at all", 25, 0), 25);
    run(receive(strict, fault));
    io.restart();
    io.run();
    EXPECT_EQ(fault, Fault::malformed);
}

TEST_F(LinkTest, RefusesATextOverItsLimitAndGoesOnWorking)
{
    Link other{io, std::move(other_end)};
    std::vector<std::string> said;
    run([](Link& link, std::vector<std::string>& into) -> Task<void> {
        Message large;
        large.text.assign(max_text_bytes + 1, 'x');
        const auto refused = co_await link.send(std::move(large));
        EXPECT_FALSE(refused);
        if (!refused) into.push_back(std::string{name_of(refused.error().fault)});
        Message small;
        small.text = "small";
        const auto sent = co_await link.send(std::move(small));
        EXPECT_TRUE(sent);
    }(*one, said));
    run([](Link& link, std::vector<std::string>& into) -> Task<void> {
        auto message = co_await link.receive();
        if (message) into.push_back(std::move(message->text));
    }(other, said));
    io.run();
    EXPECT_EQ(said, (std::vector<std::string>{"too_large", "small"}));
}

std::string outcome_of(const Result<>& result) { return result ? "sent" : std::string{name_of(result.error().fault)}; }

TEST_F(LinkTest, DoesNotWaitLongerThanItMayForWhatIsNotTakenIn)
{
    using namespace std::chrono_literals;
    std::vector<std::string> said;
    const auto send = [](Link& link, std::size_t bytes, Link::Time until,
                         std::vector<std::string>& into) -> Task<void> {
        Message message;
        message.text.assign(bytes, 'x');
        const auto sent = co_await link.send(std::move(message), until);
        into.push_back(outcome_of(sent) + (link.is_open() ? ", open" : ", closed"));
    };
    const auto now = std::chrono::steady_clock::now();
    run(send(*one, 2'000'000, now + 200ms, said)); // nobody reads
    run(send(*one, 10, now + 50ms, said));         // waits for its turn in vain, which costs nothing
    run(send(*one, 10, now + 10s, said));          // comes to its turn when there is nothing to send to any more
    io.run();
    EXPECT_EQ(said, (std::vector<std::string>{"timed_out, open", "timed_out, closed", "closed, closed"}));
    EXPECT_LT(std::chrono::steady_clock::now() - now, 5s);
}

TEST_F(LinkTest, GoesOnAfterAMessageOfWhichNothingCouldBeSent)
{
    using namespace std::chrono_literals;
    const int before = one->copy().number();
    EXPECT_GE(before, 0);
    // Filled to the last byte by another holder of this end.
    const auto filler = one->copy();
    std::size_t filled = 0;
    for (ssize_t count = 0; (count = ::send(filler.number(), "x", 1, MSG_DONTWAIT)) > 0;) filled += 1;
    std::vector<std::string> said;
    run([](Link& link, std::vector<std::string>& into) -> Task<void> {
        Message message;
        const auto until = std::chrono::steady_clock::now() + 50ms;
        const auto sent = co_await link.send(std::move(message), until);
        into.push_back(outcome_of(sent) + (link.is_open() ? ", open" : ", closed"));
    }(*one, said));
    io.run();
    EXPECT_EQ(said, std::vector<std::string>{"timed_out, open"});
    EXPECT_GT(filled, 0U);
}

TEST_F(LinkTest, KeepsMessagesApartWhenDescriptorsFindNoRoom)
{
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    Link other{io, std::move(other_end)};
    std::vector<std::size_t> got;
    run([](Link& link) -> Task<void> {
        Message many;
        many.text = "many";
        for (int i = 0; i < 450; ++i) many.descriptors.emplace_back(::dup(0));
        auto sent = co_await link.send(std::move(many));
        EXPECT_TRUE(sent);
        Message next;
        next.text = "next one";
        sent = co_await link.send(std::move(next));
        EXPECT_TRUE(sent);
    }(*one));
    io.run();
    io.restart();
    const Descriptor next{::dup(0)};
    const rlimit little{static_cast<rlim_t>(next.number()) + 100, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &little), 0);
    run([](Link& link, std::vector<std::size_t>& into) -> Task<void> {
        for (int i = 0; i < 2; ++i) {
            auto message = co_await link.receive();
            if (!message) continue;
            into.push_back(message->text.size());
            if (i == 0) {
                EXPECT_LT(message->descriptors.size(), 450U);
            }
        }
    }(other, got));
    io.run();
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(got, (std::vector<std::size_t>{4, 8}));
}

TEST(Order, SurvivesTheWay)
{
    Order order;
    order.generation = 3;
    order.workers = 2;
    order.sources = {{"gateway.yaml", "listeners: []\n# \"quoted\" \xc3\xa4\n"}};
    order.sockets = {{"web", *Endpoint::parse("127.0.0.1:4000"), 1}, {"six", *Endpoint::parse("[::1]:4001"), 0}};
    order.added = {order.sockets[1]};
    const auto decoded = decode_order(encode(order));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->generation, 3U);
    EXPECT_EQ(decoded->sources[0].text, order.sources[0].text);
    EXPECT_EQ(decoded->sockets, order.sockets);
    EXPECT_EQ(decoded->added, order.added);
}

TEST(Order, RefusesWhatIsNone)
{
    for (const auto* text : {"", "{", "[]", "{}", R"({"generation":"x"})", "null"})
        EXPECT_FALSE(decode_order(text)) << text;
}

TEST(Answer, SurvivesTheWay)
{
    const auto decoded = decode_answer(encode(Answer{422, "text/plain", "a\nb"}));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->status, 422);
    EXPECT_EQ(decoded->content_type, "text/plain");
    EXPECT_EQ(decoded->body, "a\nb");
    for (const auto* text : {"", "200", "200 x", "abc x\n", "2000 x\n"}) EXPECT_FALSE(decode_answer(text)) << text;
}

} // namespace
} // namespace gw::link
