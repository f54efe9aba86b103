// Decryption by CRT (crypto/paillier.h).
// m_p = L(c^(p-1) mod p^2) * h_p mod p with L(u) = (u-1)/p and h_p = (-q)^-1 mod p; the same for q; then the number
// below N with both residues.
// The exponent is p-1, not (p-1)/2, so that ciphertexts of other libraries, which need not be squares, decrypt as well.
// The powers are taken 8 at a time in pair form (bignum/kernel.h), where L is free: u = u0 + p * u1 with u0 = 1.
//
// Security
// Both residues are always used: decryption modulo p^2 alone would reveal m mod p for an m above p (rule F26).
// Everything that touches p and q runs in constant time: the kernels' constant timing, SecretPower and SecretModulus
// (test/ctime shows it). Set-up from the key does not.
#include <algorithm>

#include "base/constant_time.h"
#include "bignum/secret_power.h"
#include "bignum/square_modulus.h"
#include "crypto/paillier.h"

namespace pgmpc {

namespace {

Integer inverse_of(const Integer& a, const Integer& modulus) {
  Integer out;
  if (mpz_invert(out, a, modulus) == 0) throw Error(ErrorCode::internal, "a private key with equal primes");
  return out;
}

Integer negative(const Integer& a, const Integer& modulus) {
  Integer out;
  mpz_sub(out, modulus, a);
  return out;
}

Integer square_of(const Integer& p) {
  Integer out;
  mpz_mul(out, p, p);
  return out;
}

// One of the two primes.
struct Side {
  static constexpr std::size_t kChunks = 4;  // a ciphertext has four, each as long as p

  SecretModulus root;
  PairModulus pairs;
  SecretPower power;
  Limbs constant;      // h_p in Montgomery form
  KernelWords places;  // 2^(64 n j) R^2 modulo p^2 for chunk j

  Side(const Integer& p, const Integer& q, std::size_t limbs)
      : root(p, limbs),
        pairs(p, limbs, Timing::constant),
        power(p, pairs),
        constant(root.form(negative(inverse_of(q, p), p))),
        places(kChunks * pairs.kernel().batch_size()) {
    const Integer square = square_of(p);
    Integer place;
    mpz_setbit(place, pairs.kernel().radix_bits());
    for (std::size_t j = 0; j < kChunks; ++j) {
      mpz_mod(place, place, square);
      const KernelWords batch = pairs.spread(limbs_of(place, 2 * limbs));
      std::copy_n(batch.data(), batch.size(), places.data() + j * batch.size());
      mpz_mul_2exp(place, place, 64 * limbs);
    }
  }

  mp_size_t limbs() const { return static_cast<mp_size_t>(root.size()); }
  std::size_t scratch() const { return root.size() + root.scratch(); }

  // out = the ciphertexts c (4n limbs per record) modulo p^2, in Montgomery form. The chunks are multiplied by their
  // places and added up. A product with 1 follows, because a sum of four is too large for a square. scratch: two
  // batches and a part, zeros.
  void enter(KernelWord* out, const mp_limb_t* c, std::size_t records, KernelWork& work, KernelWord* scratch) const {
    const PairKernel& kernel = pairs.kernel();
    const std::size_t n = root.size(), batch = kernel.batch_size();
    KernelWord *sum = scratch, *term = sum + batch, *chunk = term + batch;
    for (std::size_t j = 0; j < kChunks; ++j) {
      for (std::size_t i = 0; i < records; ++i) kernel.load_part(chunk, i, c + (i * kChunks + j) * n);
      kernel.multiply_residue(j == 0 ? sum : term, places.data() + j * batch, chunk, work);
      if (j > 0) kernel.add(sum, term, work);
    }
    kernel.multiply(out, sum, pairs.one(), work);
  }

  // out (n limbs per record) = m mod p of the ciphertexts c (4n limbs per record), at most 8. Returns false when p
  // divides one of them.
  bool decrypt(mp_limb_t* out, const mp_limb_t* c, std::size_t records) const {
    const PairKernel& kernel = pairs.kernel();
    const auto n = static_cast<std::size_t>(limbs()), batch = kernel.batch_size();
    KernelWork work = kernel.work(records);
    KernelWords batches(2 * batch + std::max(power.scratch(kernel), 3 * batch));
    KernelWord *base = batches.data(), *result = base + batch, *rest = result + batch;
    Limbs limbs(2 * n + scratch());
    mp_limb_t *pair = limbs.data(), *tmp = pair + 2 * n;
    enter(base, c, records, work, rest);
    power.raise(result, base, pairs, work, rest);
    mp_limb_t wrong = 0;
    for (std::size_t i = 0; i < records; ++i) {
      kernel.store(pair, result, i, work);
      wrong |= pair[0] ^ 1;  // 1 modulo p unless p divides c
      for (std::size_t j = 1; j < n; ++j) wrong |= pair[j];
      root.multiply(out + i * n, pair + n, constant.data(), tmp);
    }
    declassify(wrong);  // the sender learns whether a ciphertext is refused
    return wrong == 0;
  }

#ifdef PG_MPC_CTIME
  void mark_secrets() const {
    for (const Limbs* limbs : {&root.limbs(), &constant, &pairs.kernel().root()})
      mark_secret(limbs->data(), limbs->size() * sizeof(mp_limb_t));
    mark_secret(places.data(), places.size() * sizeof(KernelWord));
    power.mark_secrets();
    mark_secret(pairs.one(), pairs.kernel().batch_size() * sizeof(KernelWord));
  }
#endif
};

}  // namespace

struct PaillierDecryptor::Context {
  PaillierPublicKey key;
  Side p, q;
  Limbs inverse;        // of p modulo q, in Montgomery form
  Limbs across;         // 1 modulo q, in Montgomery form: its product with m_p is m_p modulo q
  Limbs public_square;  // N^2

  Context(const PaillierPrivateKey& private_key, const Integer& prime_p, const Integer& prime_q, std::size_t limbs)
      : key(private_key.public_key()),
        p(prime_p, prime_q, limbs),
        q(prime_q, prime_p, limbs),
        inverse(q.root.form(inverse_of(prime_p, prime_q))),
        across(q.root.form(Integer(1ul))),
        public_square(limbs_of(square_of(Integer(ByteView(key.n()))), 4 * limbs)) {}

  // out (2n limbs) = m_p + p * ((m_q - m_p) / p mod q); constant time.
  void combine(mp_limb_t* out, const mp_limb_t* m_p, const mp_limb_t* m_q, mp_limb_t* scratch) const {
    const mp_size_t n = p.limbs();
    mp_limb_t *d = scratch, *rest = scratch + n;
    q.root.multiply(d, m_p, across.data(), rest);
    const mp_limb_t borrow = mpn_sub_n(d, m_q, d, n);
    mpn_cnd_add_n(borrow, d, d, q.root.limbs().data(), n);
    q.root.multiply(d, d, inverse.data(), rest);
    mpn_sec_mul(out, d, n, p.root.limbs().data(), n, rest);
    const mp_limb_t carry = mpn_add_n(out, out, m_p, n);
    mpn_sec_add_1(out + n, out + n, n, carry, rest);
  }

  // Decrypts at most 8 records side by side.
  void decrypt(const std::uint8_t* ciphertexts, std::uint8_t* plaintexts, std::size_t records) const {
    const auto n = static_cast<std::size_t>(p.limbs());
    Limbs limbs(6 * records * n + 4 * n + p.scratch());
    mp_limb_t *c = limbs.data(), *m_p = c + records * 4 * n, *m_q = m_p + records * n, *m = m_q + records * n;
    bool in_range = true;
    for (std::size_t i = 0; i < records; ++i) {
      limbs_from_bytes(c + i * 4 * n, 4 * n, ciphertexts + i * key.ciphertext_size());
      // The ciphertext is no secret of this party, so comparing its range may take variable time.
      in_range = in_range && mpn_cmp(c + i * 4 * n, public_square.data(), static_cast<mp_size_t>(4 * n)) < 0;
    }
    const bool coprime_p = p.decrypt(m_p, c, records), coprime_q = q.decrypt(m_q, c, records);
    if (!in_range || !coprime_p || !coprime_q)
      throw Error(ErrorCode::protocol_violation, "invalid Paillier ciphertext",
                  "It is not between 0 and N squared or has a factor in common with N.");
    for (std::size_t i = 0; i < records; ++i) {
      combine(m, m_p + i * n, m_q + i * n, m + 2 * n);
      bytes_from_limbs(plaintexts + i * key.plaintext_size(), m, 2 * n);
    }
  }
};

PaillierDecryptor::PaillierDecryptor(const PaillierPrivateKey& key)
    : context_(
          std::make_unique<Context>(key, Integer(view_of(key.p())), Integer(view_of(key.q())), key.p().size() / 8)) {}

PaillierDecryptor::~PaillierDecryptor() = default;

#ifdef PG_MPC_CTIME
void PaillierDecryptor::mark_secrets() const {
  context_->p.mark_secrets();
  context_->q.mark_secrets();
  for (const Limbs* limbs : {&context_->inverse, &context_->across})
    mark_secret(limbs->data(), limbs->size() * sizeof(mp_limb_t));
}
#endif

void PaillierDecryptor::decrypt(ByteView ciphertexts, std::span<std::uint8_t> plaintexts, ThreadPool& pool,
                                const CancelToken& cancel) const {
  const Context& t = *context_;
  const std::size_t in = t.key.ciphertext_size(), out = t.key.plaintext_size();
  const std::size_t records = batch_records(ciphertexts.size(), in, plaintexts.size(), out);
  pool.for_ranges(records, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
    t.decrypt(ciphertexts.data() + begin * in, plaintexts.data() + begin * out, end - begin);
  });
}

}  // namespace pgmpc
