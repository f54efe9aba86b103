// Implements bignum/safe_prime.h: the sieve, the candidates it leaves, and their tests.
#include "bignum/safe_prime.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bignum/kernel.h"

namespace pgmpc {

namespace {

// Sieving is worth its time while it saves more Fermat tests than it costs: the slower the tests, the deeper the sieve.
std::uint32_t sieve_bound() { return selected_kernel() == KernelKind::ifma ? 1u << 20 : 1u << 22; }
constexpr std::uint32_t kDeepest = 1u << 22;

constexpr std::size_t kWindow = 1u << 17;
constexpr mp_limb_t kStep = 12;
constexpr int kDrawRounds = 40;  // Miller-Rabin rounds for a prime that is kept

struct SmallPrime {
  std::uint32_t prime, inverse_of_step;
};

// Primes from 5 to the deepest bound, each with the inverse of 12 modulo that prime.
std::vector<SmallPrime> make_small_primes() {
  std::vector<bool> composite(kDeepest);
  std::vector<SmallPrime> out;
  for (std::uint32_t r = 2; r < kDeepest; ++r) {
    if (composite[r]) continue;
    for (std::uint64_t m = static_cast<std::uint64_t>(r) * r; m < kDeepest; m += r) composite[m] = true;
    if (r < 5) continue;
    std::uint64_t inverse = 1;  // (1 + r*t) / 12 for the t that makes it an integer
    while (inverse % kStep != 0) inverse += r;
    out.push_back({r, static_cast<std::uint32_t>(inverse / kStep)});
  }
  return out;
}

// Powers modulo one odd number, in constant time and in memory that is cleansed.
class Tester {
 public:
  explicit Tester(const Limbs& modulus)
      : m_(modulus),
        size_(static_cast<mp_size_t>(modulus.size())),
        minus_one_(modulus.clone()),
        power_(modulus.size()),
        scratch_(static_cast<std::size_t>(
            std::max(mpn_sec_powm_itch(size_, static_cast<mp_bitcnt_t>(size_) * 64, size_), 4 * size_ + 1))) {
    minus_one_[0] -= 1;  // m is odd: no borrow
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

// Returns a random number = 11 (mod 12) with its two top bits set.
Limbs draw_start(std::size_t limbs, Rng& rng) {
  SecretBytes random(limbs * 8);
  rng.fill(random);
  random[0] |= 0xc0;
  Limbs start = limbs_of(view_of(random));
  start[0] &= ~mp_limb_t{0xff};  // the correction below never carries
  const mp_limb_t residue = mpn_mod_1(start.data(), static_cast<mp_size_t>(limbs), kStep);
  start[0] += (11 + kStep - residue) % kStep;
  return start;
}

// Marks the candidates p0 + 12k where r divides p or (p-1)/2. residue = p0 modulo r.
void mark(std::vector<bool>& sieved, const SmallPrime& small, std::uint64_t residue) {
  const std::uint64_t r = small.prime;
  for (const std::uint64_t distance : {r - residue, r + 1 - residue})
    for (std::uint64_t k = distance * small.inverse_of_step % r; k < kWindow; k += r) sieved[k] = true;
}

// sieved[k]: a small prime divides p or (p-1)/2 of the candidate p0 + 12k. p0 is reduced modulo the product of as many
// small primes as fit one limb, then the remainder modulo each of them.
std::vector<bool> sieve(const Limbs& start) {
  static const std::vector<SmallPrime> small_primes = make_small_primes();
  const std::uint32_t bound = sieve_bound();
  std::vector<bool> sieved(kWindow);
  for (std::size_t first = 0; first < small_primes.size() && small_primes[first].prime < bound;) {
    mp_limb_t product = 1, wider = 1;
    std::size_t last = first;
    for (; last < small_primes.size(); ++last, product = wider)
      if (__builtin_mul_overflow(product, mp_limb_t{small_primes[last].prime}, &wider)) break;
    const mp_limb_t rest = mpn_mod_1(start.data(), static_cast<mp_size_t>(start.size()), product);
    for (; first < last; ++first) mark(sieved, small_primes[first], rest % small_primes[first].prime);
  }
  return sieved;
}

// The candidates that the sieve leaves, in batches of at most 8.
class Candidates {
 public:
  explicit Candidates(const Limbs& start) : start_(start), sieved_(sieve(start)), p_(kKernelLanes * start.size()) {}

  // Advances to the next batch. Returns false at the end of the window.
  bool next() {
    const auto n = static_cast<mp_size_t>(start_.size());
    for (count_ = 0; at_ < kWindow && count_ < kKernelLanes; ++at_) {
      if (sieved_[at_]) continue;
      if (mpn_add_1(p_.data() + count_ * start_.size(), start_.data(), n, kStep * at_) != 0)
        at_ = kWindow;  // the candidate exceeds its limbs
      else
        ++count_;
    }
    return count_ != 0;
  }
  std::size_t count() const { return count_; }
  Limbs p(std::size_t i) const { return Limbs(p_.begin() + offset(i), p_.begin() + offset(i + 1)); }
  // Bit i: a Fermat test finds (p-1)/2 of candidate i prime. These are tested before p, because most candidates fail
  // here.
  unsigned fermat_halves() const {
    Limbs halves(count_ * start_.size());
    for (std::size_t i = 0; i < count_; ++i) {
      const Limbs half = half_of(p(i));
      std::copy_n(half.data(), half.size(), halves.data() + offset(i));
    }
    return fermat_base_two(halves.data(), start_.size(), count_);
  }

 private:
  std::ptrdiff_t offset(std::size_t i) const { return static_cast<std::ptrdiff_t>(i * start_.size()); }

  const Limbs& start_;
  std::vector<bool> sieved_;
  Limbs p_;
  std::size_t at_ = 0, count_ = 0;
};

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
    Candidates candidates(start);
    while (candidates.next()) {
      cancel.check();
      const unsigned passed = candidates.fermat_halves();
      for (std::size_t i = 0; i < candidates.count(); ++i) {
        if ((passed >> i & 1) == 0) continue;
        const Limbs p = candidates.p(i);
        if (fermat_base_two(p.data(), limbs, 1) == 0) continue;
        if (check_safe_prime(p, kDrawRounds, rng) != PrimeCheck::safe_prime) continue;
        SecretBytes out(limbs * 8);
        bytes_from_limbs(out.data(), p.data(), limbs);
        return out;
      }
    }
  }
}

}  // namespace pgmpc
