// What: Paillier key generation (crypto/paillier.h): two safe primes and the public base h_s.
#include <string>

#include "base/error.h"
#include "crypto/mpz.h"
#include "crypto/paillier.h"
#include "crypto/safe_prime.h"

namespace pgmpc {

namespace {

bool far_apart(const SecretBytes& p_bytes, const SecretBytes& q_bytes) {
  const Integer p(view_of(p_bytes)), q(view_of(q_bytes));
  Integer distance;
  mpz_sub(distance, p, q);
  mpz_abs(distance, distance);
  return distance.bits() > p_bytes.size() * 8 - 100;
}

// h_s = (x^2)^N mod N^2 for a random x: generates the square N-th residues (except with negligible probability).
Bytes draw_base(const Integer& n, std::size_t size, Rng& rng) {
  Integer square, gcd, h;
  mpz_mul(square, n, n);
  SecretBytes random(size + 16);
  for (;;) {
    rng.fill(random);
    const Integer x(view_of(random));
    mpz_gcd(gcd, x, n);
    if (mpz_cmp_ui(static_cast<mpz_srcptr>(gcd), 1) != 0) continue;
    mpz_mul(h, x, x);
    mpz_mod(h, h, n);
    mpz_powm(h, h, n, square);
    Bytes out(2 * size);
    h.store(out);
    return out;
  }
}

}  // namespace

PaillierPrivateKey PaillierPrivateKey::generate(int bits, Rng& rng, const CancelToken& cancel) {
  if (bits != 2048 && bits != 3072 && bits != 4096)
    throw Error(ErrorCode::invalid_parameter, "a Paillier key has 2048, 3072 or 4096 bits",
                "The call asked for " + std::to_string(bits) + " bits.");
  PaillierPrivateKey key;
  key.p_ = draw_safe_prime(bits / 2, rng, cancel);
  do key.q_ = draw_safe_prime(bits / 2, rng, cancel);
  while (!far_apart(key.p_, key.q_));

  const std::size_t size = static_cast<std::size_t>(bits) / 8;
  const Integer p(view_of(key.p_)), q(view_of(key.q_));
  Integer n;
  mpz_mul(n, p, q);
  Bytes n_bytes(size);
  n.store(n_bytes);
  key.public_key_ = PaillierPublicKey::from_parts(std::move(n_bytes), draw_base(n, size, rng));
  return key;
}

}  // namespace pgmpc
