#include "bignum/residue_base.h"

namespace pgmpc {

namespace {
constexpr std::size_t kExtraBytes = 16;  // x is within 2^-128 of uniform modulo N
}

Integer draw_residue_base(const Integer& n, Rng& rng) {
  Integer square, gcd, base;
  mpz_mul(square, n, n);
  SecretBytes random((n.bits() + 7) / 8 + kExtraBytes);
  do {
    rng.fill(random);
    base = Integer(view_of(random));
    mpz_gcd(gcd, base, n);
  } while (mpz_cmp_ui(static_cast<mpz_srcptr>(gcd), 1) != 0);
  mpz_mul(base, base, base);
  mpz_mod(base, base, n);
  mpz_powm(base, base, n, square);
  return base;
}

}  // namespace pgmpc
