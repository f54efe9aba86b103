// What: encryption under the own key (crypto/paillier.h).
// Terms: g_p = (a^2)^p mod p^2 for a random a: generates the squares among the p-th residues modulo p^2, a group of
//        prime order (p-1)/2; rho_p = g_p^e, e uniform in [0, (p-1)/2). The same for q; (rho_p, rho_q) is a uniform
//        square N-th residue modulo N^2, the randomness of the ciphertext.
// The reduction of e has 128 bits more than the order: its distance from uniform is 2^-128.
#include <algorithm>

#include "base/mutants.h"
#include "crypto/fixed_base.h"
#include "crypto/paillier.h"
#include "crypto/square_modulus.h"

namespace pgmpc {

namespace {

constexpr std::size_t kExtraLimbs = 2;

// (a^2)^p mod p^2 for a random a, never 1.
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

// One of the two primes.
struct Side {
  SquareModulus modulus;
  Modulus order;   // (p-1)/2
  Limbs cofactor;  // q mod p: 1 + mN = 1 + p * (m * q) modulo p^2
  FixedBase table;

  Side(const Integer& p, const Integer& q, std::size_t limbs, Rng& rng)
      : modulus(p, limbs),
        order(half_order(p, limbs)),
        cofactor(other_prime(q, p, limbs)),
        table(modulus.square(), draw_generator(p, limbs, rng), limbs * 64 - 1) {}

  std::size_t limbs() const { return modulus.root().size(); }

  // out (2n limbs) = ciphertext of m modulo p^2. scratch: modulus.scratch() + 2n.
  void encrypt(mp_limb_t* out, const mp_limb_t* m, const std::uint8_t* random, mp_limb_t* scratch) const {
    const std::size_t n = limbs();
    mp_limb_t *t = scratch, *wide = scratch + n, *rest = scratch + 2 * n + kExtraLimbs;
    limbs_from_bytes(wide, n + kExtraLimbs, random);
    order.reduce(t, wide, n + kExtraLimbs, rest);
    table.power(out, t, rest);
    modulus.root().reduce(t, m, 2 * n, rest);
    modulus.root().multiply(t, t, cofactor.data(), rest);
    modulus.scale(out, t, rest);
  }
};

}  // namespace

struct PaillierOwnEncryptor::Tables {
  PaillierPublicKey key;
  Limbs n;
  Rng& rng;
  Side p, q;
  Limbs inverse;  // of p^2 modulo q^2

  Tables(const PaillierPrivateKey& private_key, const Integer& prime_p, const Integer& prime_q, Rng& generator)
      : key(private_key.public_key()),
        n(limbs_of(key.n())),
        rng(generator),
        p(prime_p, prime_q, n.size() / 2, generator),
        q(prime_q, prime_p, n.size() / 2, generator) {
    Integer p2, q2;
    mpz_mul(p2, prime_p, prime_p);
    mpz_mul(q2, prime_q, prime_q);
    if (mpz_invert(p2, p2, q2) == 0) throw Error(ErrorCode::internal, "a private key with equal primes");
    inverse = limbs_of(p2, n.size());
  }

  std::size_t prime_random() const { return (n.size() / 2 + kExtraLimbs) * 8; }

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

  void encrypt(const std::uint8_t* plaintext, std::uint8_t* ciphertext, const std::uint8_t* random, Limbs& work) const {
    const std::size_t size = n.size();
    mp_limb_t *m = work.data(), *c_p = m + size, *c_q = c_p + size, *c = c_q + size, *rest = c + 2 * size;
    limbs_from_bytes(m, size, plaintext);
    check_plaintext(m, n);
    p.encrypt(c_p, m, random, rest);
    q.encrypt(c_q, m, random + prime_random(), rest);
    combine(c, c_p, c_q, rest);
    bytes_from_limbs(ciphertext, c, 2 * size);
  }

  std::size_t work_limbs() const { return 5 * n.size() + p.modulus.scratch() + 2 * n.size() + 16; }
};

PaillierOwnEncryptor::PaillierOwnEncryptor(const PaillierPrivateKey& key, Rng& rng)
    : tables_(std::make_unique<Tables>(key, Integer(view_of(key.p())), Integer(view_of(key.q())), rng)) {}

PaillierOwnEncryptor::~PaillierOwnEncryptor() = default;

void PaillierOwnEncryptor::encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
                                   const CancelToken& cancel) const {
  const Tables& t = *tables_;
  const std::size_t in = t.key.plaintext_size(), out = t.key.ciphertext_size(), random_size = 2 * t.prime_random();
  const std::size_t records = batch_records(plaintexts.size(), in, ciphertexts.size(), out);
  SecretBytes random;
  for (std::size_t first = 0; first < records; first += kPaillierChunk) {
    const std::size_t count = std::min(kPaillierChunk, records - first);
    random.resize(count * random_size);
    t.rng.fill(random);
    pool.for_ranges(count, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
      Limbs work(t.work_limbs());
      for (std::size_t i = begin; i < end; ++i)
        t.encrypt(plaintexts.data() + (first + i) * in, ciphertexts.data() + (first + i) * out,
                  random.data() + i * random_size, work);
    });
  }
}

}  // namespace pgmpc
