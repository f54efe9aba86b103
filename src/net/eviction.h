// Chooses which unauthenticated connection of a listener is evicted when there are too many.
//
// Terms
// A connection is unauthenticated until its client has shown a certificate that is known. Its source is the network it
// comes from: an IPv4 address, or the first 64 bits of an IPv6 address, because one host may have all the rest. Its
// standing says how far the handshake has come.
//
// Invariants
// The source with the most unauthenticated connections loses one, so that a flood from one source evicts its own.
// Among the connections of the sources with the highest number, the one with the lowest standing goes first, then the
// oldest. Connections that stay silent, or send their hello one byte at a time, are thus evicted before one in the
// middle of its handshake.
#pragma once
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace pgmpc {

// In order of eviction.
// refused: the connection only waits for its client to read the reason.
// silent: the hello, which may have several records, is not complete.
// answered: the hello has arrived and the server's answer is sent.
enum class Standing : std::uint8_t { refused, silent, answered };

struct UnauthenticatedConnection {
  std::uint64_t source = 0;
  Standing standing = Standing::silent;
};

std::uint64_t source_of(const sockaddr_storage& address) noexcept;

// Returns the index of the connection to evict. `connections` is ordered from oldest to newest and not empty.
std::size_t choose_eviction(std::span<const UnauthenticatedConnection> connections);

}  // namespace pgmpc
