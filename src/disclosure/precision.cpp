// Implements the grids of released numbers and their exponents.
#include "disclosure/precision.h"

#include "base/error.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {
// sd_y / sd_j in local units is in [2^-12, 2^11] (algebra/standardise.h), sd_y in [2^-7, 2^5].
constexpr int kLowest = -13, kOctaves = 26;
}  // namespace

double error_part(Precision precision, std::size_t rows) {
  return (precision == Precision::coarse ? 1.0 / 2 : 1.0 / 8) / std::sqrt(static_cast<double>(rows));
}

int r_squared_exponent(Precision precision, std::size_t rows) { return std::ilogb(error_part(precision, rows)); }

ExponentRange grid_exponents(Precision precision, std::size_t rows) {
  const int lowest = std::ilogb(error_part(precision, rows)) + kLowest;
  return {lowest - 2, lowest + kOctaves};
}

std::vector<int> open_exponents(const Fixed& fixed, std::span<const Fp> shares, int lowest,
                                const ExponentRange& range) {
  std::vector<int> out;
  for (const Fp& share : open(fixed.session, static_cast<std::uint16_t>(Phase::grid), shares)) {
    const i128 exponent = share.to_signed() + lowest;
    if (exponent < range.lowest || exponent > range.highest)
      throw Error(ErrorCode::inconsistent_shares, "an exponent of a release grid is out of range", {},
                  "memory or software failed at one of the parties; start the study again");
    out.push_back(static_cast<int>(exponent));
  }
  return out;
}

ReleaseGrid release_grid(const Fixed& fixed, const Standardised& standard, std::size_t rows, Precision precision) {
  Session& s = fixed.session;
  const std::size_t d = standard.reciprocal_sd.size() - 1, numbers = d + 1;
  const double scale = error_part(precision, rows);
  ReleaseGrid grid;
  grid.lowest = std::ilogb(scale) + kLowest;
  FpVector ratio(d);
  const Fp outcome_sd = standard.sd.back();
  for (std::size_t j = 0; j < d; ++j)
    ratio[j] = (standard.reciprocal_sd[j] + fixed.one() - shifted(standard.varies[j], fixed.bits)) * outcome_sd;
  ratio = truncate(s, fixed.label(Phase::grid, 0, 1), ratio, fixed.bits, 2 * fixed.bits + 12);
  ratio.push_back(outcome_sd);
  // The ratios are compared with all powers of the square root of two.
  std::vector<i128> edges;
  for (int i = 0; i <= 2 * kOctaves; ++i)
    edges.push_back(std::llround(std::ldexp(std::exp2(grid.lowest + 0.5 * i) / scale, fixed.bits)));
  const std::size_t points = edges.size();
  const FpVector bits = at_least(s, fixed.label(Phase::grid, 0, 2), ratio, edges);
  FpVector values(numbers);
  grid.count.resize(numbers);
  grid.settled.resize(numbers);
  for (std::size_t j = 0; j < numbers; ++j) {
    const Fp* bit = &bits[j * points];
    Fp factor;
    for (std::size_t i = 0; i < points; ++i) {
      if (i % 2 == 0) grid.count[j] += bit[i];
      if (i + 1 == points) break;
      const Fp inside = bit[i] - bit[i + 1];
      if (i % 2 == 1) grid.settled[j] += inside;
      factor += inside * fixed.constant(scale * std::exp2(-grid.lowest - static_cast<int>(i / 2)));
    }
    values[j] = factor * ratio[j];
  }
  const FpVector above = truncate(s, fixed.label(Phase::grid, 0, 3), values, fixed.bits, 2 * fixed.bits + 2);
  for (std::size_t j = 0; j < numbers; ++j) values[j] = above[j] * above[j];
  grid.square =
      truncate(s, fixed.label(Phase::grid, 0, 4), values, 2 * fixed.bits - square_bits(fixed.bits), 2 * fixed.bits + 3);
  return grid;
}

FpVector exponents(const Fixed& fixed, std::uint32_t problem, const ReleaseGrid& grid, const Fp& r_squared) {
  // The largest power stays where square (1 - R^2) >= 1 or square >= 2.
  const int bits = square_bits(fixed.bits) + fixed.bits;
  FpVector room(grid.count.size());
  const Fp rest = fixed.one() - r_squared;
  for (std::size_t j = 0; j < room.size(); ++j)
    room[j] = grid.square[j] * rest - shifted(Fp::from_int(1), bits) + shifted(grid.settled[j], bits + 1);
  const std::vector<i128> zero = {0};
  FpVector out = at_least(fixed.session, fixed.label(Phase::grid, 1 + problem, 5), room, zero);
  for (std::size_t j = 0; j < out.size(); ++j) out[j] += grid.count[j] - Fp::from_int(2);
  return out;
}

}  // namespace pgmpc
