// Implements the choice of the unauthenticated connection to evict.
#include "net/eviction.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace pgmpc {

std::uint64_t source_of(const sockaddr_storage& address) noexcept {
  std::uint64_t source = 0;
  if (address.ss_family == AF_INET6)
    std::memcpy(&source, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, sizeof source);
  else if (address.ss_family == AF_INET)
    std::memcpy(&source, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, sizeof(in_addr));
  return source;
}

std::size_t choose_eviction(std::span<const UnauthenticatedConnection> connections) {
  std::unordered_map<std::uint64_t, std::size_t> of_source;
  for (const auto& one : connections) ++of_source[one.source];
  // Of equals, min_element returns the first, which is the oldest.
  auto goes_before = [&](const UnauthenticatedConnection& one, const UnauthenticatedConnection& other) {
    std::size_t ones = of_source[one.source], others = of_source[other.source];
    return ones != others ? ones > others : one.standing < other.standing;
  };
  return static_cast<std::size_t>(std::ranges::min_element(connections, goes_before) - connections.begin());
}

}  // namespace pgmpc
