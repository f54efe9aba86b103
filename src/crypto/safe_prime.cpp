// What: the bodies of crypto/safe_prime.h.
#include "crypto/safe_prime.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pgmpc {

namespace {

constexpr std::uint32_t kSieveBound = 1u << 20;  // small primes: more would cost more than the tests they save
constexpr std::size_t kWindow = 1u << 14;
constexpr mp_limb_t kStep = 12;
constexpr int kDrawRounds = 40;  // Miller-Rabin rounds for a prime that is kept

struct SmallPrime {
  std::uint32_t prime, inverse_of_step;
};

// Primes from 5 to the bound with the inverse of 12 modulo each.
std::vector<SmallPrime> make_small_primes() {
  std::vector<bool> composite(kSieveBound);
  std::vector<SmallPrime> out;
  for (std::uint32_t r = 2; r < kSieveBound; ++r) {
    if (composite[r]) continue;
    for (std::uint64_t m = static_cast<std::uint64_t>(r) * r; m < kSieveBound; m += r) composite[m] = true;
    if (r < 5) continue;
    std::uint64_t inverse = 1;  // (1 + r*t) / 12 for the t that makes it whole
    while (inverse % kStep != 0) inverse += r;
    out.push_back({r, static_cast<std::uint32_t>(inverse / kStep)});
  }
  return out;
}

// Powers modulo one odd number, in constant time and in memory of our own.
class Tester {
 public:
  explicit Tester(const Limbs& modulus)
      : m_(modulus),
        size_(static_cast<mp_size_t>(modulus.size())),
        minus_one_(modulus.clone()),
        power_(modulus.size()),
        scratch_(static_cast<std::size_t>(
            std::max(mpn_sec_powm_itch(size_, static_cast<mp_bitcnt_t>(size_) * 64, size_), 4 * size_ + 1))) {
    minus_one_[0] -= 1;  // odd: no borrow
  }

  // base^(m-1) = 1 for base 2.
  bool fermat() {
    Limbs two(m_.size());
    two[0] = 2;
    raise(two, minus_one_);
    return is_one();
  }

  bool miller_rabin(Rng& rng) {
    const mp_bitcnt_t twos = mpn_scan1(minus_one_.data(), 0);
    Limbs odd = minus_one_.clone();
    for (mp_bitcnt_t i = 0; i < twos; ++i) mpn_rshift(odd.data(), odd.data(), size_, 1);
    raise(random_base(rng), odd);
    if (is_one() || is_minus_one()) return true;
    const Modulus modulus(m_.clone());
    for (mp_bitcnt_t i = 1; i < twos; ++i) {
      modulus.multiply(power_.data(), power_.data(), power_.data(), scratch_.data());
      if (is_minus_one()) return true;
    }
    return false;
  }

 private:
  void raise(const Limbs& base, const Limbs& exponent) {
    mpn_sec_powm(power_.data(), base.data(), size_, exponent.data(), static_cast<mp_bitcnt_t>(size_) * 64, m_.data(),
                 size_, scratch_.data());
  }
  bool is_one() const { return power_[0] == 1 && (size_ == 1 || mpn_zero_p(power_.data() + 1, size_ - 1)); }
  bool is_minus_one() const { return mpn_cmp(power_.data(), minus_one_.data(), size_) == 0; }

  // Uniform in [2, m-1].
  Limbs random_base(Rng& rng) const {
    Limbs base(m_.size());
    const int spare = __builtin_clzl(m_.back());
    for (;;) {
      rng.fill({reinterpret_cast<std::uint8_t*>(base.data()), base.size() * sizeof(mp_limb_t)});
      base.back() = base.back() << spare >> spare;
      const bool small = base[0] < 2 && (size_ == 1 || mpn_zero_p(base.data() + 1, size_ - 1));
      if (!small && mpn_cmp(base.data(), m_.data(), size_) < 0) return base;
    }
  }

  const Limbs& m_;
  mp_size_t size_;
  Limbs minus_one_, power_, scratch_;
};

Limbs half_of(const Limbs& p) {
  Limbs half(p.size());
  mpn_rshift(half.data(), p.data(), static_cast<mp_size_t>(p.size()), 1);
  return half;
}

// A random number = 11 (mod 12) with its two top bits set.
Limbs draw_start(std::size_t limbs, Rng& rng) {
  SecretBytes random(limbs * 8);
  rng.fill(random);
  random[0] |= 0xc0;
  Limbs start = limbs_of(view_of(random));
  start[0] &= ~mp_limb_t{0xff};  // room: the correction below never carries
  const mp_limb_t residue = mpn_mod_1(start.data(), static_cast<mp_size_t>(limbs), kStep);
  start[0] += (11 + kStep - residue) % kStep;
  return start;
}

// sieved[k] for the candidates p0 + 12k where a small prime divides p or (p-1)/2.
std::vector<bool> sieve(const Limbs& start) {
  static const std::vector<SmallPrime> small_primes = make_small_primes();
  std::vector<bool> sieved(kWindow);
  for (const auto& [r, inverse] : small_primes) {
    const std::uint64_t residue = mpn_mod_1(start.data(), static_cast<mp_size_t>(start.size()), r);
    const std::uint64_t divides_p = (r - residue) * inverse % r;
    const std::uint64_t divides_half = (r + 1 - residue) * inverse % r;
    for (std::uint64_t k = divides_p; k < kWindow; k += r) sieved[k] = true;
    for (std::uint64_t k = divides_half; k < kWindow; k += r) sieved[k] = true;
  }
  return sieved;
}

// (p-1)/2 first: most candidates fail there.
bool passes(const Limbs& p, Rng& rng) {
  const Limbs half = half_of(p);
  return Tester(half).fermat() && Tester(p).fermat() && check_safe_prime(p, kDrawRounds, rng) == PrimeCheck::safe_prime;
}

}  // namespace

PrimeCheck check_safe_prime(const Limbs& p, int rounds, Rng& rng) {
  const Limbs half = half_of(p);
  Tester p_tester(p);
  if (!p_tester.fermat()) return PrimeCheck::not_prime;
  Tester tester(half);
  if (!tester.fermat()) return PrimeCheck::not_safe;
  for (int i = 0; i < rounds; ++i)
    if (!tester.miller_rabin(rng)) return PrimeCheck::not_safe;
  return PrimeCheck::safe_prime;
}

SecretBytes draw_safe_prime(int bits, Rng& rng, const CancelToken& cancel) {
  const std::size_t limbs = static_cast<std::size_t>(bits) / 64;
  for (;;) {
    cancel.check();
    const Limbs start = draw_start(limbs, rng);
    const std::vector<bool> sieved = sieve(start);
    Limbs p(limbs);
    for (std::size_t k = 0; k < kWindow; ++k) {
      if (sieved[k]) continue;
      cancel.check();
      const mp_limb_t carry = mpn_add_1(p.data(), start.data(), static_cast<mp_size_t>(limbs), kStep * k);
      if (carry != 0) break;  // ran over the top: another window
      if (!passes(p, rng)) continue;
      SecretBytes out(limbs * 8);
      bytes_from_limbs(out.data(), p.data(), limbs);
      return out;
    }
  }
}

}  // namespace pgmpc
