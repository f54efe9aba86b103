#include "net/strangers.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <tuple>

namespace pgmpc {

std::uint64_t source_of(const sockaddr_storage& address) noexcept {
  std::uint64_t source = 0;
  if (address.ss_family == AF_INET6)
    std::memcpy(&source, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, sizeof source);
  else if (address.ss_family == AF_INET)
    std::memcpy(&source, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, sizeof(in_addr));
  return source;
}

std::size_t who_makes_room(std::span<const Stranger> strangers) noexcept {
  auto of_same_source = [&](const Stranger& one) {
    return std::ranges::count(strangers, one.source, &Stranger::source);
  };
  // min_element takes the first of equals: the oldest.
  auto victim = std::ranges::min_element(
      strangers, {}, [&](const Stranger& one) { return std::tuple(-of_same_source(one), one.standing); });
  return static_cast<std::size_t>(victim - strangers.begin());
}

}  // namespace pgmpc
