// Encrypts under the own key (crypto/paillier.h).
//
// Terms
// g_p = (a^2)^p mod p^2 for a random a. It generates the squares among the p-th residues modulo p^2, a group of prime
// order (p-1)/2.
// rho_p = g_p^e with e uniform in [0, (p-1)/2); the same for q. (rho_p, rho_q) is a uniform square N-th residue modulo
// N^2, the randomness of the ciphertext.
//
// Both residues are made in pair form, one prime after the other: 1 + mN = (1, m q) modulo p^2, times g_p^e. The number
// that is reduced to e has 128 bits more than the order, so e is within 2^-128 of uniform.
#include <algorithm>

#include "base/mutants.h"
#include "base/witness.h"
#include "bignum/fixed_base.h"
#include "bignum/square_modulus.h"
#include "crypto/paillier.h"
#include "crypto/paillier_chunks.h"

namespace pgmpc {

namespace {

constexpr std::size_t kExtraLimbs = 2;

// Returns (a^2)^p mod p^2 for a random a; never 1.
Limbs draw_generator(const Integer& p, std::size_t limbs, Rng& rng) {
  const bool squares = !mutant(Mutant::textbook_own_randomness);
  Integer square, g;
  mpz_mul(square, p, p);
  SecretBytes random((limbs + kExtraLimbs) * 8);
  for (;;) {
    rng.fill(random);
    Integer a(view_of(random));
    mpz_mod(a, a, p);
    if (mpz_cmp_ui(static_cast<mpz_srcptr>(a), 1) <= 0) continue;
    if (squares) {
      mpz_mul(a, a, a);
      mpz_mod(a, a, p);
    } else if (mpz_jacobi(a, p) != -1) {
      continue;
    }
    mpz_powm_sec(g, a, p, square);
    if (mpz_cmp_ui(static_cast<mpz_srcptr>(g), 1) != 0) return limbs_of(g, 2 * limbs);
  }
}

Limbs half_order(const Integer& p, std::size_t limbs) {
  Integer half;
  mpz_tdiv_q_2exp(half, p, 1);
  return limbs_of(half, limbs);
}

Limbs other_prime(const Integer& q, const Integer& p, std::size_t limbs) {
  Integer out;
  mpz_mod(out, q, p);
  return limbs_of(out, limbs);
}

// Each prime gets half of the memory. Rows of both exist at the same time only where they are kept, but the records in
// work have their plaintexts and both residues.
EncryptorSize half_of(EncryptorSize size) { return {size.table_bytes / 2, size.records}; }

// One of the two primes.
struct Side {
  SquareModulus modulus;
  PairModulus pairs;
  Modulus order;   // (p-1)/2
  Limbs cofactor;  // q mod p: 1 + mN = 1 + p * (m * q) modulo p^2
  FixedBase table;

  Side(const Integer& p, const Integer& q, std::size_t limbs, Rng& rng, EncryptorSize size)
      : modulus(p, limbs),
        pairs(p, limbs, Timing::variable),
        order(half_order(p, limbs)),
        cofactor(other_prime(q, p, limbs)),
        table(pairs, draw_generator(p, limbs, rng), limbs * 64 - 1, size.table_bytes, size.records) {}

  std::size_t limbs() const { return modulus.root().size(); }
  std::size_t random_size() const { return (limbs() + kExtraLimbs) * 8; }

  // exponent (n limbs) = a uniform number below the order.
  void draw_exponent(mp_limb_t* exponent, const std::uint8_t* random, mp_limb_t* scratch) const {
    const std::size_t wide = limbs() + kExtraLimbs;
    limbs_from_bytes(scratch, wide, random);
    order.reduce(exponent, scratch, wide, scratch + wide);
  }

  // pair = (1, m * q mod p), m of 2n limbs.
  void plaintext_factor(mp_limb_t* pair, const mp_limb_t* m, mp_limb_t* scratch) const {
    const std::size_t n = limbs();
    std::fill_n(pair, n, mp_limb_t{0});
    pair[0] = 1;
    modulus.root().reduce(pair + n, m, 2 * n, scratch);
    modulus.root().multiply(pair + n, pair + n, cofactor.data(), scratch);
  }

  std::size_t scratch() const { return std::max(modulus.root().scratch(), 2 * (limbs() + kExtraLimbs) + 1); }

  // residues (2n limbs per record, canonical pairs) = ciphertexts of m (2n limbs per record) modulo p^2. stride: bytes
  // from the randomness of one record to that of the next.
  void encrypt(mp_limb_t* residues, const mp_limb_t* m, const std::uint8_t* random, std::size_t stride,
               std::size_t records, ThreadPool& pool, const CancelToken& cancel) const {
    const std::size_t n = limbs();
    Limbs exponents(records * n);
    pool.for_ranges(records, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
      Limbs tmp(scratch());
      for (std::size_t i = begin; i < end; ++i) {
        draw_exponent(exponents.data() + i * n, random + i * stride, tmp.data());
        plaintext_factor(residues + i * 2 * n, m + i * 2 * n, tmp.data());
      }
    });
    witness_limbs("exponent of own ciphertexts", exponents, n);
    table.multiply(residues, exponents.data(), records, pool, cancel);
  }
};

}  // namespace

struct PaillierOwnEncryptor::Tables {
  PaillierPublicKey key;
  Limbs n;
  Rng& rng;
  Side p, q;
  Limbs inverse;  // of p^2 modulo q^2

  Tables(const PaillierPrivateKey& private_key, const Integer& prime_p, const Integer& prime_q, Rng& generator,
         EncryptorSize size)
      : key(private_key.public_key()),
        n(limbs_of(key.n())),
        rng(generator),
        p(prime_p, prime_q, n.size() / 2, generator, half_of(size)),
        q(prime_q, prime_p, n.size() / 2, generator, half_of(size)) {
    Integer p2, q2;
    mpz_mul(p2, prime_p, prime_p);
    mpz_mul(q2, prime_q, prime_q);
    if (mpz_invert(p2, p2, q2) == 0) throw Error(ErrorCode::internal, "a private key with equal primes");
    inverse = limbs_of(p2, n.size());
  }

  // out (2n limbs) = the number below N^2 with the given residues modulo p^2 and q^2 (n limbs each).
  void combine(mp_limb_t* out, const mp_limb_t* c_p, const mp_limb_t* c_q, mp_limb_t* scratch) const {
    const auto size = static_cast<mp_size_t>(n.size());
    const Modulus& q2 = q.modulus.square();
    mp_limb_t *d = scratch, *rest = scratch + size;
    q2.reduce(d, c_p, n.size(), rest);
    if (mpn_sub_n(d, c_q, d, size) != 0) mpn_add_n(d, d, q2.limbs(), size);
    q2.multiply(d, d, inverse.data(), rest);
    mpn_mul_n(out, d, p.modulus.square().limbs(), size);
    mpn_add(out, out, 2 * size, c_p, size);
  }

  std::size_t random_size() const { return p.random_size() + q.random_size(); }

  std::size_t records_at_once() const { return p.table.records_at_once(); }

  void encrypt(const std::uint8_t* plaintexts, std::uint8_t* ciphertexts, const std::uint8_t* random,
               std::size_t records, ThreadPool& pool, const CancelToken& cancel) const {
    const std::size_t size = n.size();
    Limbs m(records * size), c_p(records * size), c_q(records * size);
    pool.for_ranges(records, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        limbs_from_bytes(m.data() + i * size, size, plaintexts + i * key.plaintext_size());
        check_plaintext(m.data() + i * size, n);
      }
    });
    p.encrypt(c_p.data(), m.data(), random, random_size(), records, pool, cancel);
    q.encrypt(c_q.data(), m.data(), random + p.random_size(), random_size(), records, pool, cancel);
    pool.for_ranges(records, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
      Limbs limbs(5 * size + q.modulus.square().scratch());
      mp_limb_t *c = limbs.data(), *r_p = c + 2 * size, *r_q = r_p + size, *scratch = r_q + size;
      for (std::size_t i = begin; i < end; ++i) {
        p.pairs.join(r_p, c_p.data() + i * size, scratch);
        q.pairs.join(r_q, c_q.data() + i * size, scratch);
        combine(c, r_p, r_q, scratch);
        bytes_from_limbs(ciphertexts + i * key.ciphertext_size(), c, 2 * size);
      }
    });
  }
};

PaillierOwnEncryptor::PaillierOwnEncryptor(const PaillierPrivateKey& key, Rng& rng, EncryptorSize size)
    : tables_(std::make_unique<Tables>(key, Integer(view_of(key.p())), Integer(view_of(key.q())), rng, size)) {}

PaillierOwnEncryptor::~PaillierOwnEncryptor() = default;

std::size_t PaillierOwnEncryptor::records_at_once() const { return tables_->records_at_once(); }

void PaillierOwnEncryptor::encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
                                   const CancelToken& cancel) const {
  encrypt_in_chunks(*tables_, plaintexts, ciphertexts, pool, cancel);
}

}  // namespace pgmpc
