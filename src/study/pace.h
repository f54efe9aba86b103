// Decides when a party may send before the match count is announced.
//
// Security
// How long a party works depends on how many records it has. Everything that others could time before they know the
// match count therefore happens at the next power of two times a fixed start value. So others learn only the binary
// order of magnitude of the exact time (rule B12). A party that shifts its own times learns a little more with every
// attempt. That is why attempts that end before the match are counted (pg_mpc.early_attempts).
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

namespace pgmpc {

using PaceClock = std::chrono::steady_clock;

// Start values: of a controller's first message, which follows the reading and the preparation of its source, and of
// the announcement.
inline constexpr std::chrono::milliseconds kSmallestStart{32};
inline constexpr std::chrono::milliseconds kSmallestAnnouncement{125};

// Returns the least of smallest, 2 * smallest, 4 * smallest, ... that is not below elapsed.
PaceClock::duration next_power(PaceClock::duration elapsed, PaceClock::duration smallest);

// Returns the delay of the announcement, counted from the first push. elapsed: the time that push and match took. With
// expected_records it is a function of these and of key_bits. Without them, or when that time has passed, it is
// next_power(elapsed, kSmallestAnnouncement).
PaceClock::duration announcement_delay(PaceClock::duration elapsed, std::optional<std::int64_t> expected_records,
                                       int key_bits);

}  // namespace pgmpc
