// Implements the times of messages before the announcement.
#include "study/pace.h"

#include <algorithm>

#include "base/mutants.h"

namespace pgmpc {

namespace {
// Controllers push at different times mostly because key generation time varies: by seconds, times four per 1024 bits
// of the key. The time for the encryption of the agreed records is added.
constexpr std::chrono::milliseconds kKeySpread{1000};
constexpr std::chrono::microseconds kRecordSpread{50};
}  // namespace

PaceClock::duration next_power(PaceClock::duration elapsed, PaceClock::duration smallest) {
  while (smallest < elapsed && smallest < std::chrono::hours(24 * 365)) smallest *= 2;
  return std::max(smallest, elapsed);
}

PaceClock::duration announcement_delay(PaceClock::duration elapsed, std::optional<std::int64_t> expected_records,
                                       int key_bits) {
  if (mutant(Mutant::announces_at_once)) return elapsed;
  if (expected_records) {
    const std::int64_t size = std::int64_t{1} << (2 * (key_bits - 2048) / 1024);
    const PaceClock::duration agreed =
        size * (kKeySpread + std::min<std::int64_t>(*expected_records, 1 << 30) * kRecordSpread);
    if (elapsed <= agreed) return agreed;
  }
  return next_power(elapsed, kSmallestAnnouncement);
}

}  // namespace pgmpc
