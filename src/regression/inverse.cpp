#include "regression/inverse.h"

namespace pgmpc {

namespace {
constexpr double kTarget = 0x1p-34;  // remaining error of the product form before the Newton-Schulz step

// Bits of the widest product of an entry bounded by 2^bits with one bounded by 1, at 2F fractional bits.
int product_bound(const Fixed& fixed, double entry) {
  return 2 * fixed.bits + static_cast<int>(std::ceil(std::log2(entry))) + 1;
}
}  // namespace

Matrix inverse(const Fixed& fixed, std::uint32_t id, const Matrix& a, double most, double least,
               const CancelToken& cancel) {
  Session& s = fixed.session;
  const std::size_t d = a.size;
  const int shift = std::max(1, static_cast<int>(std::ceil(std::log2(most / 1.9))));
  const double c = std::ldexp(1.0, -shift);
  const int doublings = static_cast<int>(std::ceil(std::log2(std::log(1 / kTarget) / (c * least))));
  // cA and c^2 A are two shifts of one opening.
  const int entry_bound = fixed.bits + static_cast<int>(std::ceil(std::log2(most))) + 1;
  const Opened opened = masked_open(s, label(Phase::inverse, id, 1), upper(a), std::max(entry_bound, 2 * shift + 2));
  Matrix e = from_upper(truncated(s, opened, shift), d), x = from_upper(truncated(s, opened, 2 * shift), d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) {
      e(i, j) = (i == j ? fixed.one() : Fp{}) - e(i, j);
      x(i, j) = (i == j ? fixed.constant(std::ldexp(1.0, 1 - shift)) : Fp{}) - x(i, j);  // c(I + E)
    }
  const int square = product_bound(fixed, 1), grown = product_bound(fixed, 1 / least);
  e = from_upper(truncate(s, label(Phase::inverse, id, 2), upper_product(e, e), fixed.bits, square), d);
  for (int k = 1; k < doublings; ++k) {
    cancel.check();
    // Both products of a doubling in one round: X*E and E*E.
    const std::size_t half = triangle_size(d);
    const Stretch bounds[] = {{half, grown}, {half, square}};
    const FpVector both = truncated(s,
                                    masked_open(s, label(Phase::inverse, id, 10 + k),
                                                concatenate(upper_product(x, e), upper_product(e, e)), bounds),
                                    fixed.bits);
    const Matrix step = from_upper(FpVector(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(half)), d);
    for (std::size_t i = 0; i < d * d; ++i) x.at[i] += step.at[i];
    e = from_upper(FpVector(both.begin() + static_cast<std::ptrdiff_t>(half), both.end()), d);
  }
  // X := X(2I - AX). AX is symmetric up to rounding; its upper triangle stands for both.
  Matrix rest = from_upper(truncate(s, label(Phase::inverse, id, 3), upper_product(a, x), fixed.bits, square + 2), d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) rest(i, j) = (i == j ? fixed.one() + fixed.one() : Fp{}) - rest(i, j);
  return from_upper(truncate(s, label(Phase::inverse, id, 4), upper_product(x, rest), fixed.bits, grown + 1), d);
}

}  // namespace pgmpc
