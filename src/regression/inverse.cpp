#include "regression/inverse.h"

namespace pgmpc {

namespace {
// Remaining residual before the Newton-Schulz step, which squares it and takes the rounding of the doublings away.
constexpr double kTarget = 0x1p-18, kProductTarget = 0x1p-34;
constexpr int kFactorBits = 3;

// c = 2^-shift: c * most <= 1.9.
int start_shift(double most) { return std::max(1, static_cast<int>(std::ceil(std::log2(most / 1.9)))); }

// Bits of the widest product whose entries are bounded by `entry`, at 2F fractional bits.
int product_bound(const Fixed& fixed, double entry) {
  return 2 * fixed.bits + static_cast<int>(std::ceil(std::log2(entry))) + 1;
}

// |P'| for |P| <= residual.
double next_residual(double residual, double a) {
  return std::max(a - 1, std::fabs(a * residual * residual - (a - 1)));
}

// A matrix with F bits and with those of the factor less: with the second one, a product times the whole number is no
// wider than the product.
struct Residual {
  Matrix fine, coarse;
};

// scale * opened[first ...] >> shift taken from the identity times one.
Matrix from_identity(const Fixed& fixed, const Opened& opened, std::size_t first, std::size_t size, int shift, Fp one,
                     Fp scale) {
  Matrix out = from_upper(truncated(fixed.session, opened, shift, first, triangle_size(size)), size);
  for (Fp& x : out.at) x *= scale;
  for (std::size_t i = 0; i < size; ++i) out(i, i) += one;
  return out;
}

FpVector times(FpVector values, int factor) {
  for (Fp& x : values) x *= Fp::from_int(factor);
  return values;
}

class Doublings {
 public:
  Doublings(const Fixed& fixed, std::uint32_t id, const Matrix& a, double most, double least)
      : fixed_(fixed), id_(id), d_(a.size), steps_(inverse_steps(most, least)) {
    square_ = product_bound(fixed, 1);
    grown_ = product_bound(fixed, (steps_.bits > 0 ? 2 : 1) / least);
    // cA, and c^2 A with the first factor: shifts of one opening.
    const int shift = start_shift(most), entry_bound = fixed.bits + static_cast<int>(std::ceil(std::log2(most))) + 1;
    const Opened opened = masked_open(fixed.session, label(Phase::inverse, id, 1), upper(a),
                                      std::max(entry_bound, 2 * shift + steps_.bits + 2));
    const Fp minus = Fp::from_int(-1), one = fixed.one();
    p_.fine = from_identity(fixed, opened, 0, d_, shift, one, minus);
    p_.coarse = from_identity(fixed, opened, 0, d_, shift + steps_.bits, coarse_one(), minus);
    x_ = from_identity(fixed, opened, 0, d_, 2 * shift + steps_.bits,
                       fixed.constant(steps_.factors[0] * std::ldexp(1.0, 1 - shift - steps_.bits)),
                       Fp::from_int(-steps_.factors[0]));
  }

  Matrix run(const CancelToken& cancel) {
    const std::size_t half = triangle_size(d_);
    const Stretch squares[] = {{half, square_}};
    if (steps_.factors.size() > 1) {
      const Opened opened =
          masked_open(fixed_.session, label(Phase::inverse, id_, 2), next_square(steps_.factors[0]), squares);
      set_residual(opened, 0, steps_.factors[0]);
    }
    // Both products of a doubling in one round; the last residual is not needed.
    for (std::size_t k = 1; k < steps_.factors.size(); ++k) {
      cancel.check();
      const bool last = k + 1 == steps_.factors.size();
      FpVector values = next_inverse(steps_.factors[k]);
      std::vector<Stretch> bounds = {{half, grown_}};
      if (!last) {
        values = concatenate(values, next_square(steps_.factors[k]));
        bounds.push_back(squares[0]);
      }
      const Opened opened =
          masked_open(fixed_.session, label(Phase::inverse, id_, 10 + static_cast<int>(k)), values, bounds);
      x_ = from_upper(truncated(fixed_.session, opened, fixed_.bits, 0, half), d_);
      if (!last) set_residual(opened, half, steps_.factors[k]);
    }
    return std::move(x_);
  }

 private:
  Fp coarse_one() const { return Fp::from_signed(static_cast<i128>(1) << (fixed_.bits - steps_.bits)); }

  FpVector next_square(int factor) const { return times(upper_product(p_.fine, p_.coarse), factor); }

  FpVector next_inverse(int factor) const {
    Matrix more = p_.coarse.clone();
    for (std::size_t i = 0; i < d_; ++i) more(i, i) += coarse_one();
    return times(upper_product(x_, more), factor);
  }

  // a P^2 - (a - 1) I in both precisions.
  void set_residual(const Opened& opened, std::size_t first, int factor) {
    const Fp rest = Fp::from_int((1 << steps_.bits) - factor), unit = Fp::from_int(1);
    const Fp coarse = Fp::from_signed(static_cast<i128>(1) << (fixed_.bits - 2 * steps_.bits));
    p_.fine = from_identity(fixed_, opened, first, d_, fixed_.bits, rest * coarse_one(), unit);
    p_.coarse = from_identity(fixed_, opened, first, d_, fixed_.bits + steps_.bits, rest * coarse, unit);
  }

  const Fixed& fixed_;
  std::uint32_t id_;
  std::size_t d_;
  InverseSteps steps_;
  int square_, grown_;
  Residual p_;
  Matrix x_;
};
}  // namespace

InverseSteps inverse_steps(double most, double least) {
  const double c = std::ldexp(1.0, -start_shift(most));
  InverseSteps out;
  if (most / least > kMostAccelerated) {
    // (1 - c least)^(2^doublings) <= kProductTarget
    const double doublings = std::ceil(std::log2(std::log(1 / kProductTarget) / (c * least)));
    out.factors.assign(static_cast<std::size_t>(std::max(1.0, doublings)), 1);
    return out;
  }
  out.bits = kFactorBits;
  constexpr int kOne = 1 << kFactorBits;
  double residual = std::max(std::fabs(1 - c * least), std::fabs(1 - c * most));
  do {
    const auto next = [&](int factor) { return next_residual(residual, static_cast<double>(factor) / kOne); };
    int best = kOne;
    for (int factor = kOne + 1; factor < 2 * kOne; ++factor)
      if (next(factor) < next(best)) best = factor;
    residual = next(best);
    out.factors.push_back(best);
  } while (residual > kTarget);
  return out;
}

Matrix inverse(const Fixed& fixed, std::uint32_t id, const Matrix& a, double most, double least,
               const CancelToken& cancel) {
  Session& s = fixed.session;
  const std::size_t d = a.size;
  const Matrix x = Doublings(fixed, id, a, most, least).run(cancel);
  // X := X(2I - AX). AX is symmetric up to rounding; its upper triangle stands for both.
  const int square = product_bound(fixed, 1), grown = product_bound(fixed, 1 / least);
  Matrix rest = from_upper(truncate(s, label(Phase::inverse, id, 3), upper_product(a, x), fixed.bits, square + 2), d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) rest(i, j) = (i == j ? fixed.one() + fixed.one() : Fp{}) - rest(i, j);
  return from_upper(truncate(s, label(Phase::inverse, id, 4), upper_product(x, rest), fixed.bits, grown + 1), d);
}

}  // namespace pgmpc
