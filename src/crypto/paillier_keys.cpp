// Validates, encodes and decodes Paillier keys (crypto/paillier.h).
#include <string>
#include <utility>

#include "base/error.h"
#include "bignum/mpz.h"
#include "bignum/safe_prime.h"
#include "crypto/paillier.h"

namespace pgmpc {

namespace {

constexpr std::uint8_t kKeyVersion = 1;
constexpr unsigned long kSmallFactors = 1ul << 16;
constexpr int kPrimeRounds = 16;  // of Miller-Rabin with random bases

[[noreturn]] void invalid(const char* which, const char* reason) {
  throw Error(ErrorCode::invalid_text, std::string("invalid Paillier ") + which + " key", reason);
}

[[noreturn]] void invalid_public(const char* reason) { invalid("public", reason); }
[[noreturn]] void invalid_private(const char* reason) { invalid("private", reason); }

bool valid_bits(std::size_t bits) { return bits == 2048 || bits == 3072 || bits == 4096; }

bool has_small_factor(const Integer& n) {
  for (unsigned long d = 3; d < kSmallFactors; d += 2) {
    if (d % 3 == 0 && d != 3) continue;
    if (d % 5 == 0 && d != 5) continue;
    if (mpz_divisible_ui_p(n, d)) return true;
  }
  return false;
}

void check_modulus(const Bytes& bytes) {
  if (!valid_bits(bytes.size() * 8)) invalid_public("N does not have 2048, 3072 or 4096 bits.");
  const Integer n{ByteView(bytes)};
  if (n.bits() != bytes.size() * 8) invalid_public("N does not have 2048, 3072 or 4096 bits.");
  if (mpz_even_p(static_cast<mpz_srcptr>(n))) invalid_public("N is even.");
  if (has_small_factor(n)) invalid_public("N has a factor below 65536.");
  if (mpz_perfect_square_p(n)) invalid_public("N is a square.");
}

void check_base(const Bytes& n_bytes, const Bytes& h_bytes) {
  if (h_bytes.size() != 2 * n_bytes.size()) invalid_public("h_s does not have the size of N squared.");
  const Integer n{ByteView(n_bytes)}, h{ByteView(h_bytes)};
  Integer square, gcd;
  mpz_mul(square, n, n);
  if (mpz_sgn(static_cast<mpz_srcptr>(h)) == 0 || mpz_cmp(h, square) >= 0)
    invalid_public("h_s is not between 0 and N squared.");
  mpz_gcd(gcd, h, n);
  if (mpz_cmp_ui(static_cast<mpz_srcptr>(gcd), 1) != 0) invalid_public("h_s and N have a common factor.");
  // If h_s is 1 or -1 modulo N or a factor of it, its powers there are only 1 and -1 (rule B8).
  Integer neighbour;
  mpz_sub_ui(neighbour, h, 1);
  mpz_gcd(gcd, neighbour, n);
  bool common = mpz_cmp_ui(static_cast<mpz_srcptr>(gcd), 1) != 0;
  mpz_add_ui(neighbour, h, 1);
  mpz_gcd(gcd, neighbour, n);
  common = common || mpz_cmp_ui(static_cast<mpz_srcptr>(gcd), 1) != 0;
  if (common) invalid_public("h_s is 1 or -1 modulo N or a factor of N.");
  if (mpz_jacobi(h, n) != 1) invalid_public("the Jacobi symbol of h_s is not 1.");
}

void check_prime(const Integer& p, std::size_t bits) {
  if (p.bits() != bits || !mpz_tstbit(p, bits - 2)) invalid_private("a prime does not have its two top bits set.");
  if (!mpz_tstbit(p, 0) || !mpz_tstbit(p, 1)) invalid_private("a prime is not 3 modulo 4.");
  switch (check_safe_prime(limbs_of(p, bits / 64), kPrimeRounds, system_rng())) {
    case PrimeCheck::safe_prime:
      return;
    case PrimeCheck::not_prime:
      invalid_private("a factor is not prime.");
    case PrimeCheck::not_safe:
      invalid_private("a prime is not a safe prime.");
  }
}

void check_distance(const Integer& p, const Integer& q, std::size_t bits) {
  Integer distance;
  mpz_sub(distance, p, q);
  mpz_abs(distance, distance);
  if (distance.bits() <= bits - 100) invalid_private("the two primes are too close to each other.");
}

std::size_t read_header(Reader& in, const char* which) {
  if (in.u8() != kKeyVersion) invalid(which, "the version is not known.");
  const std::size_t bits = in.u16();
  if (!valid_bits(bits)) invalid(which, "the number of bits is not 2048, 3072 or 4096.");
  return bits;
}

Bytes copy(ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); }

}  // namespace

PaillierPublicKey PaillierPublicKey::from_parts(Bytes n, Bytes h_s) {
  check_modulus(n);
  check_base(n, h_s);
  PaillierPublicKey key;
  key.n_ = std::move(n);
  key.h_s_ = std::move(h_s);
  return key;
}

PaillierPublicKey PaillierPublicKey::decode(ByteView encoded) {
  Reader in(encoded);
  const std::size_t bits = read_header(in, "public");
  Bytes n = copy(in.raw(bits / 8)), h_s = copy(in.raw(bits / 4));
  in.expect_end();
  return from_parts(std::move(n), std::move(h_s));
}

Bytes PaillierPublicKey::encode() const {
  Bytes out;
  Writer(out).u8(kKeyVersion).u16(static_cast<std::uint16_t>(bits())).raw(n_).raw(h_s_);
  return out;
}

PaillierPrivateKey PaillierPrivateKey::decode(ByteView encoded) {
  Reader in(encoded);
  const std::size_t bits = read_header(in, "private");
  const ByteView p_bytes = in.raw(bits / 16), q_bytes = in.raw(bits / 16);
  Bytes h_s = copy(in.raw(bits / 4));
  in.expect_end();
  const Integer p(p_bytes), q(q_bytes);
  check_prime(p, bits / 2);
  check_prime(q, bits / 2);
  check_distance(p, q, bits / 2);
  Integer n;
  mpz_mul(n, p, q);
  Bytes n_bytes(bits / 8);
  n.store(n_bytes);

  PaillierPrivateKey key;
  key.public_key_ = PaillierPublicKey::from_parts(std::move(n_bytes), std::move(h_s));
  key.p_.assign(p_bytes.begin(), p_bytes.end());
  key.q_.assign(q_bytes.begin(), q_bytes.end());
  return key;
}

SecretBytes PaillierPrivateKey::encode() const {
  const auto bits = static_cast<std::uint16_t>(public_key_.bits());
  SecretBytes out;
  out.reserve(3 + p_.size() + q_.size() + public_key_.h_s().size());
  out.push_back(kKeyVersion);
  out.push_back(static_cast<std::uint8_t>(bits >> 8));
  out.push_back(static_cast<std::uint8_t>(bits));
  out.insert(out.end(), p_.begin(), p_.end());
  out.insert(out.end(), q_.begin(), q_.end());
  out.insert(out.end(), public_key_.h_s().begin(), public_key_.h_s().end());
  return out;
}

void PaillierPrivateKey::wipe() noexcept {
  p_.wipe();
  q_.wipe();
}

}  // namespace pgmpc
