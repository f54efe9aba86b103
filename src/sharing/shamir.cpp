#include "sharing/shamir.h"

#include <algorithm>

#include "base/error.h"

namespace pgmpc {

Fp random_element(Rng& rng) {
  // A 128-bit block reduced modulo 2^127-1 is within 2^-126 of uniform.
  std::uint8_t block[kFpBytes];
  rng.fill(block);
  Fp out = load(block);
  cleanse(block, sizeof block);
  return out;
}

FpVector shamir_split(Fp secret, int threshold, int parties, Rng& rng) {
  if (parties < 1 || parties > kMaxShamirParties || threshold < 1 || threshold > parties)
    throw Error(ErrorCode::invalid_parameter, "invalid threshold or number of parties",
                "threshold " + std::to_string(threshold) + ", parties " + std::to_string(parties),
                "use 1 <= threshold <= parties <= 255");
  FpVector coefficients(static_cast<std::size_t>(threshold));
  coefficients[0] = secret;
  for (int i = 1; i < threshold; ++i) coefficients[i] = random_element(rng);
  FpVector shares(static_cast<std::size_t>(parties));
  for (int party = 1; party <= parties; ++party) {
    const Fp x = Fp::from_int(party);
    Fp value;
    for (int i = threshold - 1; i >= 0; --i) value = value * x + coefficients[i];
    shares[party - 1] = value;
  }
  return shares;
}

namespace {
// The weights of the polynomial through `points`, evaluated at x.
std::vector<Fp> lagrange_at(std::span<const int> points, Fp x) {
  std::vector<Fp> weights;
  for (std::size_t i = 0; i < points.size(); ++i) {
    Fp numerator = Fp::from_int(1), denominator = Fp::from_int(1);
    for (std::size_t j = 0; j < points.size(); ++j) {
      if (j == i) continue;
      numerator *= x - Fp::from_int(points[j]);
      denominator *= Fp::from_int(points[i] - points[j]);
    }
    weights.push_back(numerator * inverse(denominator));
  }
  return weights;
}

Fp weighted(std::span<const std::pair<int, Fp>> shares, std::span<const Fp> weights) {
  Fp sum;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * shares[i].second;
  return sum;
}
}  // namespace

std::vector<Fp> lagrange_at_zero(std::span<const int> points) { return lagrange_at(points, Fp{}); }

Fp shamir_combine(std::span<const std::pair<int, Fp>> shares, int threshold) {
  std::vector<std::pair<int, Fp>> sorted(shares.begin(), shares.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (sorted.empty()) throw Error(ErrorCode::invalid_parameter, "no shares to combine");
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i].first < 1 || sorted[i].first > kMaxShamirParties)
      throw Error(ErrorCode::invalid_parameter, "invalid party of a share", "party " + std::to_string(sorted[i].first),
                  "parties are numbered 1..255");
    if (i > 0 && sorted[i].first == sorted[i - 1].first)
      throw Error(ErrorCode::invalid_parameter, "two shares of the same party",
                  "party " + std::to_string(sorted[i].first), "combine one share per party");
  }
  const std::size_t used = threshold > 0 ? static_cast<std::size_t>(threshold) : sorted.size();
  if (sorted.size() < used)
    throw Error(ErrorCode::invalid_parameter, "too few shares to open the secret",
                std::to_string(sorted.size()) + " of " + std::to_string(used) + " shares");
  std::vector<int> points;
  for (std::size_t i = 0; i < used; ++i) points.push_back(sorted[i].first);
  const std::span head(sorted.data(), used);
  for (std::size_t i = used; i < sorted.size(); ++i)
    if (!(weighted(head, lagrange_at(points, Fp::from_int(sorted[i].first))) == sorted[i].second))
      throw Error(ErrorCode::inconsistent_shares, "the surplus shares do not agree with the others");
  return weighted(head, lagrange_at_zero(points));
}

}  // namespace pgmpc
