// Implements the approximate inverse and the plan of its steps.
#include "algebra/inverse.h"

namespace pgmpc {

namespace {
constexpr int kFactorOne = 1 << kFactorBits;

// The start is c = 2^-shift, with c * most <= 1.9.
int start_shift(double most) { return std::max(1, static_cast<int>(std::ceil(std::log2(most / 1.9)))); }

// Bound of |P'| for |P| <= residual.
double next_residual(double residual, double a) {
  return std::max(a - 1, std::fabs(a * residual * residual - (a - 1)));
}

// The residual with F bits, and with kFactorBits fewer. A product with the second one times the whole-number factor is
// no wider than the plain product.
struct Residual {
  Matrix fine, coarse;
};

// Returns the identity times `one`, plus scale * (opened[first ...] >> shift).
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

class ChebyshevInverse {
 public:
  ChebyshevInverse(const Fixed& fixed, std::uint32_t id, const FpVector& triangle, const FpVector& bits, double most,
                   double least, int scale = 0)
      : fixed_(fixed), id_(id), scale_(scale), steps_(chebyshev_steps(most, least)) {
    while (triangle_size(d_) < triangle.size()) ++d_;
    square_ = 2 * fixed.bits + 1;
    // cA, and c^2 A with the first factor over 2^scale, are shifts of one opening.
    const int shift = start_shift(most), entry_bound = fixed.bits + static_cast<int>(std::ceil(std::log2(most))) + 1;
    const Stretch bounds[] = {{triangle.size(), std::max(entry_bound, 2 * shift + kFactorBits + scale + 2)},
                              {bits.size(), 2}};
    const Opened opened =
        masked_open(fixed.session, fixed_.label(Phase::inverse, id, 1), concatenate(triangle, bits), bounds);
    const Fp minus = Fp::from_int(-1);
    p_.fine = from_identity(fixed, opened, 0, d_, shift, fixed.one(), minus);
    p_.coarse = from_identity(fixed, opened, 0, d_, shift + kFactorBits, coarse_one(), minus);
    x_ = from_identity(fixed, opened, 0, d_, 2 * shift + kFactorBits + scale,
                       fixed.constant(steps_[0].factor * std::ldexp(1.0, 1 - shift - kFactorBits - scale)),
                       Fp::from_int(-steps_[0].factor));
    bits_ = truncated(fixed.session, opened, 0, triangle.size(), bits.size());
  }

  ApproximateInverse run(const CancelToken& cancel) {
    const std::size_t half = triangle_size(d_);
    const Stretch squares[] = {{half, square_}};
    if (steps_.size() > 1) {
      const Opened opened =
          masked_open(fixed_.session, fixed_.label(Phase::inverse, id_, 2), next_square(steps_[0].factor), squares);
      set_residual(opened, 0, steps_[0].factor);
    }
    // Both products of a step are opened in one round. The last residual is not needed.
    for (std::size_t k = 1; k < steps_.size(); ++k) {
      cancel.check();
      const bool last = k + 1 == steps_.size();
      FpVector values = next_inverse(steps_[k].factor);
      std::vector<Stretch> bounds = {{half, grown_bound(fixed_.bits, steps_[k], scale_)}};
      if (!last) {
        values = concatenate(values, next_square(steps_[k].factor));
        bounds.push_back(squares[0]);
      }
      const Opened opened =
          masked_open(fixed_.session, fixed_.label(Phase::inverse, id_, 10 + static_cast<int>(k)), values, bounds);
      x_ = from_upper(truncated(fixed_.session, opened, fixed_.bits, 0, half), d_);
      if (!last) set_residual(opened, half, steps_[k].factor);
    }
    return {std::move(x_), std::move(bits_)};
  }

 private:
  Fp coarse_one() const { return Fp::from_signed(static_cast<i128>(1) << (fixed_.bits - kFactorBits)); }

  FpVector next_square(int factor) const { return times(product(p_.fine, p_.coarse, Entries::upper), factor); }

  FpVector next_inverse(int factor) const {
    Matrix more = p_.coarse.clone();
    for (std::size_t i = 0; i < d_; ++i) more(i, i) += coarse_one();
    return times(product(x_, more, Entries::upper), factor);
  }

  // Sets P to a P^2 - (a - 1) I, in both precisions.
  void set_residual(const Opened& opened, std::size_t first, int factor) {
    const Fp rest = Fp::from_int(kFactorOne - factor), unit = Fp::from_int(1);
    const Fp coarse = Fp::from_signed(static_cast<i128>(1) << (fixed_.bits - 2 * kFactorBits));
    p_.fine = from_identity(fixed_, opened, first, d_, fixed_.bits, rest * coarse_one(), unit);
    p_.coarse = from_identity(fixed_, opened, first, d_, fixed_.bits + kFactorBits, rest * coarse, unit);
  }

  const Fixed& fixed_;
  std::uint32_t id_;
  int scale_;
  std::size_t d_ = 0;
  std::vector<ChebyshevStep> steps_;
  int square_;
  Residual p_;
  Matrix x_;
  FpVector bits_;
};
}  // namespace

std::vector<ChebyshevStep> chebyshev_steps(double most, double least) {
  const double c = std::ldexp(1.0, -start_shift(most));
  double residual = std::max(std::fabs(1 - c * least), std::fabs(1 - c * most));
  double size = c;  // of X: a step multiplies it by 2a at most
  std::vector<ChebyshevStep> out;
  do {
    const auto next = [&](int factor) { return next_residual(residual, static_cast<double>(factor) / kFactorOne); };
    int best = kFactorOne;
    for (int factor = kFactorOne + 1; factor < 2 * kFactorOne; ++factor)
      if (next(factor) < next(best)) best = factor;
    residual = next(best);
    size = std::min(size * 2 * best / kFactorOne, (1 + residual) / least);
    out.push_back({best, static_cast<int>(std::ceil(std::log2(size)))});
  } while (residual > kInverseError);
  return out;
}

ApproximateInverse approximate_inverse(const Fixed& fixed, std::uint32_t id, const FpVector& triangle,
                                       const FpVector& bits, double most, double least, const CancelToken& cancel) {
  return ChebyshevInverse(fixed, id, triangle, bits, most, least).run(cancel);
}

Matrix approximate_inverse(const Fixed& fixed, std::uint32_t id, const Matrix& gram, double shift, double least,
                           const CancelToken& cancel) {
  return approximate_inverse(fixed, id, gram, shift, static_cast<double>(gram.size) + shift, least, 0, cancel);
}

Matrix approximate_inverse(const Fixed& fixed, std::uint32_t id, const Matrix& gram, double shift, double most,
                           double least, int scale, const CancelToken& cancel) {
  Matrix a = gram.clone();
  for (std::size_t j = 0; j < a.size; ++j) a(j, j) += fixed.constant(shift);
  return ChebyshevInverse(fixed, id, upper(a), {}, most, least, scale).run(cancel).matrix;
}

}  // namespace pgmpc
