// Which connection is closed when the table is full: one of the address with the most connections, the least advanced
// first.
#include "net/eviction.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <vector>

namespace pgmpc {
namespace {
constexpr auto silent = Standing::silent, answered = Standing::answered, refused = Standing::refused;

TEST(Eviction, TheSourceWithTheMostLosesItsOldest) {
  EXPECT_EQ(choose_eviction(std::vector<UnauthenticatedConnection>{{1, silent}, {2, silent}, {2, silent}, {3, silent}}),
            1u);
  EXPECT_EQ(choose_eviction(std::vector<UnauthenticatedConnection>{{1, silent}, {2, answered}, {2, answered}}), 1u);
}

TEST(Eviction, OfOneSourceTheLeastAdvancedAndOfThoseTheOldest) {
  EXPECT_EQ(choose_eviction(std::vector<UnauthenticatedConnection>{{1, answered}, {1, silent}, {1, silent}}), 1u);
  EXPECT_EQ(choose_eviction(std::vector<UnauthenticatedConnection>{{1, answered}, {1, silent}, {1, refused}}), 2u);
  EXPECT_EQ(choose_eviction(std::vector<UnauthenticatedConnection>{{1, answered}, {1, answered}}), 0u);
}

TEST(Eviction, ManySourcesOfOneConnectionEach) {
  EXPECT_EQ(
      choose_eviction(std::vector<UnauthenticatedConnection>{{1, answered}, {2, silent}, {3, silent}, {4, silent}}),
      1u);
  EXPECT_EQ(choose_eviction(std::vector<UnauthenticatedConnection>{{7, silent}}), 0u);
}

sockaddr_storage address(int family, const char* text) {
  sockaddr_storage storage{};
  storage.ss_family = static_cast<sa_family_t>(family);
  void* into = family == AF_INET6 ? static_cast<void*>(&reinterpret_cast<sockaddr_in6&>(storage).sin6_addr)
                                  : static_cast<void*>(&reinterpret_cast<sockaddr_in&>(storage).sin_addr);
  EXPECT_EQ(inet_pton(family, text, into), 1);
  return storage;
}

TEST(Eviction, ASourceIsAnAddressOrTheNetworkOfAHost) {
  auto four = [](const char* text) { return source_of(address(AF_INET, text)); };
  auto six = [](const char* text) { return source_of(address(AF_INET6, text)); };
  EXPECT_NE(four("192.0.2.1"), four("192.0.2.2"));
  EXPECT_EQ(six("2001:db8:1:2::1"), six("2001:db8:1:2:ffff::9"));
  EXPECT_NE(six("2001:db8:1:2::1"), six("2001:db8:1:3::1"));
}
}  // namespace
}  // namespace pgmpc
