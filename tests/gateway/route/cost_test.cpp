#include "tests/gateway/route/routes.h"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <new>

namespace {
std::size_t allocations = 0;
}

// Counted for this whole program; only differences are looked at.
void* operator new(std::size_t size)
{
    ++allocations;
    auto* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) std::abort();
    return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace gw::route {
namespace {

/// Hosts, bindings, wildcards and paths of one host, each a quarter.
std::vector<RouteSettings> many_routes(std::size_t count)
{
    std::vector<RouteSettings> routes;
    for (std::size_t at = 0; routes.size() + 1 < count; ++at) {
        const auto number = std::to_string(at);
        switch (at % 4) {
        case 0: routes.push_back(route("www.site" + number + ".example", "/", "_", "http://10.0.0.1:8080")); break;
        case 1: routes.push_back(route(":user.site" + number + ".example", "/", "_", "http://10.0.0.2/:user")); break;
        case 2: routes.push_back(route("www.:zone.zone" + number + ".example", "/", "_", "original")); break;
        default: routes.push_back(route("api.example", "/v1/service" + number, "_", "http://10.0.0.3/"));
        }
    }
    routes.push_back(route("_", "/last", "_", "http://10.0.0.4"));
    return routes;
}

std::vector<Request> mixed_requests()
{
    return {request("www.site4.example/index.html?a=b"),
            request("ann.site5.example/photos/1.jpg"),
            request("www.b.zone6.example/x"),
            request("api.example/v1/service7/items/42?full=1"),
            request("nowhere.example/last/resort"),
            request("nowhere.example/at/all")};
}

/// Of the processor's time, so that others on the machine do not count.
double nanoseconds_a_decision(const Table& routes, int turns)
{
    const auto requests = mixed_requests();
    Decision decision;
    const auto start = std::clock();
    for (int turn = 0; turn < turns; ++turn)
        for (const auto& asked : requests) routes.decide(asked, Action::deny, decision);
    const auto spent = static_cast<double>(std::clock() - start) * 1e9 / CLOCKS_PER_SEC;
    return spent / turns / static_cast<double>(requests.size());
}

TEST(Cost, DoesNotGrowWithTheNumberOfRoutes)
{
    const auto few = table(many_routes(10));
    const auto many = table(many_routes(10'000));
    nanoseconds_a_decision(many, 100);
    const auto of_few = nanoseconds_a_decision(few, 20'000);
    const auto of_many = nanoseconds_a_decision(many, 20'000);
    RecordProperty("ns_10_routes", static_cast<int>(of_few));
    RecordProperty("ns_10000_routes", static_cast<int>(of_many));
    std::cout << "decide: " << of_few << " ns with 10 routes, " << of_many << " ns with 10,000\n";
    EXPECT_LT(of_many, 20 * of_few + 2'000) << "a thousand times the routes must not show";
}

TEST(Cost, IsNoAllocationOnceTheDecisionHasGrown)
{
    const auto routes = table(many_routes(1'000));
    const auto requests = mixed_requests();
    Decision decision;
    for (const auto& asked : requests) routes.decide(asked, Action::deny, decision);
    const auto before = allocations;
    for (int turn = 0; turn < 100; ++turn)
        for (const auto& asked : requests) routes.decide(asked, Action::deny, decision);
    EXPECT_EQ(allocations, before);
}

TEST(Cost, OfBuildingTenThousandRoutesIsUnderASecond)
{
    const auto start = std::chrono::steady_clock::now();
    const auto routes = table(many_routes(10'000));
    const auto spent = std::chrono::steady_clock::now() - start;
    std::cout << "build: " << std::chrono::duration_cast<std::chrono::milliseconds>(spent).count() << " ms\n";
    EXPECT_LT(spent, std::chrono::seconds{10}) << "ten times slack for sanitizers and a busy machine";
}

} // namespace
} // namespace gw::route
