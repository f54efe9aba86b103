// What: when a party may be heard before the match count is announced.
// Security: how long a party works depends on how many records it has. What others could time before they know the
// match
//           count therefore happens at the next power of two of seconds: of the exact time they learn its binary order
//           of magnitude. A party that shifts its own times finds out a little more with every attempt, which is why
//           attempts that end before the match are counted (pg_mpc.early_attempts).
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

namespace pgmpc {

using PaceClock = std::chrono::steady_clock;

// A controller is heard first after it has read, and after it has prepared, its source.
inline constexpr std::chrono::milliseconds kSmallestStart{32};
inline constexpr std::chrono::milliseconds kSmallestAnnouncement{125};

// The smallest of smallest, 2 * smallest, 4 * smallest, ... that is not below elapsed.
PaceClock::duration next_power(PaceClock::duration elapsed, PaceClock::duration smallest);

// When the match count is announced to a controller, counted from its first hash: the time that follows from the agreed
// number of records and the key size, or, without it or when it has passed, the next power of two of seconds.
PaceClock::duration announcement_delay(PaceClock::duration elapsed, std::optional<std::int64_t> expected_records,
                                       int key_bits);

}  // namespace pgmpc
