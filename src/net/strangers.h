// What: which connection makes room when too many of a listener's connections are not (yet) those of a peer.
// Terms: stranger = a connection whose client is not authenticated; source = the network it comes from (an IPv4
// address,
//        the first 64 bits of an IPv6 address, as one host may have all the rest); standing = how far it has come.
// Invariants: who floods a listener pushes out himself: the source with the most strangers loses one. Among those of
// one
//        source, or where all have as many, who has shown least goes first, so that connections that stay silent or
//        send their hello one byte at a time never push out one that is in the middle of its handshake; of equals the
//        oldest.
#pragma once
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace pgmpc {

// Ordered: the first goes first. refused = only waits for its client to read why; silent = no whole hello yet (it
// may be in several records);
// answered = the hello has come and ours is out.
enum class Standing : std::uint8_t { refused, silent, answered };

struct Stranger {
  std::uint64_t source = 0;
  Standing standing = Standing::silent;
};

std::uint64_t source_of(const sockaddr_storage& address) noexcept;

// Index of the one that makes room. strangers: oldest first, not empty.
std::size_t who_makes_room(std::span<const Stranger> strangers);

}  // namespace pgmpc
