// What: Paillier key generation (crypto/paillier.h): two safe primes and the public base h_s.
#include <openssl/bn.h>

#include <memory>

#include "base/error.h"
#include "crypto/mpz.h"
#include "crypto/paillier.h"

namespace pgmpc {

namespace {

using BigNumber = std::unique_ptr<BIGNUM, decltype(&BN_clear_free)>;

int poll_cancel(int, int, BN_GENCB* callback) {
  return static_cast<const CancelToken*>(BN_GENCB_get_arg(callback))->cancelled() ? 0 : 1;
}

// A safe prime with its two top bits set; (p - 1) / 2 is odd, so p = 3 modulo 4. OpenSSL draws the candidates from the
// same generator as system_rng().
SecretBytes safe_prime(int bits, const CancelToken& cancel) {
  const BigNumber prime(BN_secure_new(), BN_clear_free);
  const std::unique_ptr<BN_GENCB, decltype(&BN_GENCB_free)> callback(BN_GENCB_new(), BN_GENCB_free);
  if (!prime || !callback) throw Error(ErrorCode::out_of_memory, "out of memory");
  BN_GENCB_set(callback.get(), poll_cancel, const_cast<CancelToken*>(&cancel));
  const int made = BN_generate_prime_ex(prime.get(), bits, 1, nullptr, nullptr, callback.get());
  cancel.check();
  if (made != 1) throw Error(ErrorCode::internal, "prime generation failed");
  SecretBytes out(static_cast<std::size_t>(bits) / 8);
  if (BN_bn2binpad(prime.get(), out.data(), bits / 8) != bits / 8)
    throw Error(ErrorCode::internal, "prime generation failed");
  return out;
}

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
  key.p_ = safe_prime(bits / 2, cancel);
  do key.q_ = safe_prime(bits / 2, cancel);
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
