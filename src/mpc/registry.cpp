#include "mpc/registry.h"

#ifdef PG_MPC_TESTING
#include <algorithm>
#include <atomic>
#include <string>

#include "base/error.h"
#include "base/mutants.h"
#include "mpc/session.h"

namespace pgmpc {

void LabelRegistry::claim(Purpose purpose, int sender, int receiver, const GateLabel& label, std::uint16_t part,
                          std::uint32_t first, std::uint32_t stride, std::size_t count) {
  if (count == 0) return;
  auto& ranges = used_[std::make_tuple(purpose, sender, receiver, label, part)];
  const std::uint64_t last = first + (count - 1) * std::uint64_t{stride};
  for (const Range& r : ranges) {
    const std::uint64_t r_last = r.first + (r.count - 1) * r.stride;
    const bool overlap = first <= r_last && r.first <= last;
    const bool same_class = r.stride != stride || r.first % stride == first % stride;
    if (overlap && same_class && active_mutant == Mutant::none)
      throw Error(ErrorCode::internal, "a pseudorandom label was used twice",
                  "phase " + std::to_string(label.phase) + " iteration " + std::to_string(label.iteration) + " gate " +
                      std::to_string(label.gate) + " purpose " + std::to_string(static_cast<int>(purpose)));
  }
  ranges.push_back({first, stride, count});
}

namespace {
struct Deposit {
  int parties = 0;
  std::vector<Fp> sum;
};
std::mutex probe_mutex;
std::map<std::pair<std::array<std::uint8_t, 32>, GateLabel>, Deposit> deposits;
std::atomic<bool> probe_enabled{false};

int bits_of(Fp x) {
  const i128 value = x.to_signed();
  u128 magnitude = value < 0 ? static_cast<u128>(-value) : static_cast<u128>(value);
  int bits = 0;
  for (; magnitude != 0; magnitude >>= 1) ++bits;
  return bits;
}
}  // namespace

void RangeProbe::enable(bool on) {
  std::lock_guard lock(probe_mutex);
  probe_enabled = on;
  deposits.clear();
}

int RangeProbe::check(const std::array<std::uint8_t, 32>& sid, const GateLabel& label, int party,
                      std::span<const Fp> additive, std::span<const Stretch> bounds) {
  if (!probe_enabled) return 0;
  std::lock_guard lock(probe_mutex);
  auto [at, fresh] = deposits.try_emplace({sid, label});
  Deposit& deposit = at->second;
  if (fresh) deposit.sum.resize(additive.size());
  for (std::size_t i = 0; i < additive.size(); ++i) deposit.sum[i] += additive[i];
  if (++deposit.parties < kParties) return 0;
  int widest = 0;
  auto stretch = bounds.begin();
  std::size_t left = stretch->count;
  for (std::size_t i = 0; i < deposit.sum.size(); ++i) {
    for (; left == 0; left = stretch->count) ++stretch;
    --left;
    const int bits = bits_of(deposit.sum[i]);
    widest = std::max(widest, bits);
    if (bits > stretch->bound)
      throw Error(ErrorCode::internal, "an opened value exceeds its declared bound",
                  "phase " + std::to_string(label.phase) + " iteration " + std::to_string(label.iteration) + " gate " +
                      std::to_string(label.gate) + " coordinate " + std::to_string(i) + ": " + std::to_string(bits) +
                      " bits, bound " + std::to_string(stretch->bound));
  }
  deposits.erase(at);
  return widest;
}

}  // namespace pgmpc
#endif
