// Generates Paillier keys (crypto/paillier.h): two safe primes and the public base h_s.
#include <string>

#include "base/error.h"
#include "bignum/mpz.h"
#include "bignum/residue_base.h"
#include "bignum/safe_prime.h"
#include "crypto/paillier.h"

namespace pgmpc {

namespace {

bool far_apart(const SecretBytes& p_bytes, const SecretBytes& q_bytes) {
  const Integer p(view_of(p_bytes)), q(view_of(q_bytes));
  Integer distance;
  mpz_sub(distance, p, q);
  mpz_abs(distance, distance);
  return distance.bits() > p_bytes.size() * 8 - 100;
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
  Bytes n_bytes(size), h_bytes(2 * size);
  n.store(n_bytes);
  draw_residue_base(n, rng).store(h_bytes);
  key.public_key_ = PaillierPublicKey::from_parts(std::move(n_bytes), std::move(h_bytes));
  return key;
}

}  // namespace pgmpc
