#include "regression/plan.h"

#include <algorithm>
#include <cmath>

#include "mpc/comparison.h"
#include "mpc/dcf.h"
#include "regression/fixed.h"
#include "regression/matrix.h"
#include "regression/solver.h"

namespace pgmpc {

namespace {
constexpr int kTypicalIterations = 30, kRefreshLength = 10, kTypicalSetupRounds = 40;

// Sums count * 2^(bound + 1 - 125) over the openings named.
class Openings {
 public:
  void add(double count, int bound) { exposure_ += count * std::ldexp(1.0, bound + 1 - kMaskBits); }
  double exposure() const { return exposure_; }

 private:
  double exposure_ = 0;
};

double doublings(double d, double least) {
  const double shift = std::max(1.0, std::ceil(std::log2((d + 4) / 1.9)));
  return std::ceil(std::log2(std::log(0x1p34) * std::exp2(shift) / least));
}

void add_inverse(Openings& o, double d, int bits, double least) {
  const double pairs = d * (d + 1) / 2;
  const int square = 2 * bits + 1, grown = 2 * bits + static_cast<int>(std::ceil(std::log2(1 / least))) + 1;
  o.add(pairs, bits + static_cast<int>(std::ceil(std::log2(d + 4))) + 1);
  o.add(pairs * doublings(d, least), grown);
  o.add(pairs * (doublings(d, least) + 1), square);
  o.add(pairs, square + 2);
  o.add(pairs, grown + 1);
}

void add_metric(Openings& o, double d, int bits) {
  o.add(d * d, bits + 15);
  o.add(d, 2 * bits + 7 + static_cast<int>(std::ceil(std::log2(d) / 2)));
  o.add(2 * d, bits + 10);
}

void add_setup(Openings& o, double columns, double rows, int bits) {
  const double pairs = columns * (columns + 1) / 2;
  o.add(pairs + columns, 61 + static_cast<int>(std::ceil(std::log2(std::max(rows, 2.0)))));
  o.add(columns + 2 * pairs + 1, kCompareBound);  // precheck, every column a 0/1 column
  o.add(2 * pairs, 2 * bits + 13);
  o.add(17 * columns, kCompareBound);  // means, spline and its corrections
  o.add(pairs + columns, 2 * bits + 13);
  o.add(pairs, 2 * bits + 3);
}

void add_problem(Openings& o, double d, int bits, int max_iterations) {
  o.add(2 * d, kCompareBound);
  add_metric(o, d, bits);
  const int refreshes = std::clamp((max_iterations - kRefreshLength) / kRefreshLength + 1, 0, 12);
  for (int k = 0; k < refreshes; ++k) {
    o.add(d, 2);
    add_inverse(o, d, bits, 1.0 / 64);
    add_metric(o, d, bits);
    o.add(d, 70);
  }
  o.add(3 * d * max_iterations, 2 * bits + 9);
  const double checks = max_iterations / kCheckEvery + 1;
  o.add(2 * checks, 88);
  o.add(checks, kCompareBound);
  o.add(2 * d + 1, 2 * bits + 15);          // unscale
  o.add(1 + 4 + 3 * d + 2, kCompareBound);  // fit, faults, release
  o.add(1, 84);                             // intercept
}
}  // namespace

double planned_exposure(const PlannedAnalysis& plan) {
  const int bits = Fixed::bits_for(plan.columns, plan.rows, plan.problems);
  const auto columns = static_cast<double>(plan.columns), d = std::max(columns - 1, 1.0);
  Openings o;
  add_setup(o, columns, static_cast<double>(plan.rows), bits);
  add_inverse(o, d, bits, kStartMetric);
  for (std::size_t k = 0; k < plan.problems; ++k) add_problem(o, d, bits, plan.max_iterations);
  o.add(1, kCompareBound);
  return o.exposure();
}

std::int64_t typical_rounds() { return kTypicalSetupRounds + 2 * kTypicalIterations; }

std::int64_t typical_bytes_per_party(const PlannedAnalysis& plan) {
  const auto columns = static_cast<double>(plan.columns), d = std::max(columns - 1, 1.0);
  const double pairs = d * (d + 1) / 2, elements = 16.0 * 4 / 3;
  const double key_bytes = DcfShape{kCompareBound - 46, 2}.key_bytes() * 2.0 / 3;
  const double per_iteration = 2 * d * (key_bytes + elements * 1.5) + d * elements;
  const double inverses = 3 * 2 * doublings(d, 1.0 / 64) * pairs * elements;
  const double setup = 6 * pairs * elements + columns * DcfShape{kCompareBound, 1}.key_bytes() * 2.0 / 3;
  return static_cast<std::int64_t>(setup + static_cast<double>(plan.problems) *
                                               (kTypicalIterations * per_iteration + inverses));
}

}  // namespace pgmpc
