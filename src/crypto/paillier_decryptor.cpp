// What: decryption by CRT (crypto/paillier.h): m_p = L(c^(p-1) mod p^2) * h_p mod p with L(u) = (u-1)/p and
//       h_p = (-q)^-1 mod p, the same for q, then the number below N with both residues.
// The exponent is p-1, not (p-1)/2, so that ciphertexts of other libraries, which need not be squares, decrypt as well.
// Both residues are always used: decryption modulo p^2 alone would hand out m mod p for an m above p.
// Everything that touches p and q uses GMP's mpn_sec functions: time and memory access depend on sizes only.
#include <algorithm>

#include "crypto/paillier.h"
#include "crypto/square_modulus.h"

namespace pgmpc {

namespace {

Limbs minus_one(const Integer& p, std::size_t limbs) {
  Integer out;
  mpz_sub_ui(out, p, 1);
  return limbs_of(out, limbs);
}

Limbs inverse_of(const Integer& a, const Integer& modulus, bool negative, std::size_t limbs) {
  Integer out;
  if (mpz_invert(out, a, modulus) == 0) throw Error(ErrorCode::internal, "a private key with equal primes");
  if (negative) mpz_sub(out, modulus, out);
  return limbs_of(out, limbs);
}

// out = a * b mod m, all of n limbs, constant time. scratch: 2n + mpn_sec_div_r_itch(2n, n).
void multiply_secretly(mp_limb_t* out, const mp_limb_t* a, const mp_limb_t* b, const Modulus& m, mp_limb_t* scratch) {
  const auto n = static_cast<mp_size_t>(m.size());
  mpn_mul_n(scratch, a, b, n);
  mpn_sec_div_r(scratch, 2 * n, m.limbs(), n, scratch + 2 * n);
  std::copy_n(scratch, n, out);
}

// One of the two primes.
struct Side {
  SquareModulus modulus;
  Limbs exponent;  // p - 1
  Limbs constant;  // h_p

  Side(const Integer& p, const Integer& q, std::size_t limbs)
      : modulus(p, limbs), exponent(minus_one(p, limbs)), constant(inverse_of(q, p, true, limbs)) {}

  mp_size_t limbs() const { return static_cast<mp_size_t>(modulus.root().size()); }

  mp_size_t scratch() const {
    const mp_size_t n = limbs();
    const mp_size_t powm = mpn_sec_powm_itch(2 * n, static_cast<mp_bitcnt_t>(n) * 64, 2 * n);
    const mp_size_t divide = std::max(mpn_sec_div_r_itch(4 * n, 2 * n), mpn_sec_div_qr_itch(2 * n, n));
    return 8 * n + std::max(powm, divide);
  }

  // out (n limbs) = m mod p of the ciphertext c (4n limbs). False when p divides c.
  bool decrypt(mp_limb_t* out, const mp_limb_t* c, mp_limb_t* scratch) const {
    const mp_size_t n = limbs();
    const mp_limb_t* square = modulus.square().limbs();
    mp_limb_t *base = scratch, *u = base + 4 * n, *quotient = u + 2 * n, *rest = quotient + n;
    std::copy_n(c, 4 * n, base);
    mpn_sec_div_r(base, 4 * n, square, 2 * n, rest);
    mpn_sec_powm(u, base, 2 * n, exponent.data(), static_cast<mp_bitcnt_t>(n) * 64, square, 2 * n, rest);
    // u = 1 (mod p) unless p divides c: then u = 0, the subtraction borrows or the division leaves a remainder.
    mp_limb_t wrong = mpn_sub_n(u, u, one(), 2 * n);
    mpn_sec_div_qr(quotient, u, 2 * n, modulus.root().limbs(), n, rest);
    for (mp_size_t i = 0; i < n; ++i) wrong |= u[i];
    multiply_secretly(out, quotient, constant.data(), modulus.root(), base);
    return wrong == 0;
  }

 private:
  static const mp_limb_t* one() {
    static constexpr mp_limb_t value[2 * 4096 / 64] = {1};
    return value;
  }
};

}  // namespace

struct PaillierDecryptor::Context {
  PaillierPublicKey key;
  Side p, q;
  Limbs inverse;  // of p modulo q
  SquareModulus public_modulus;

  Context(const PaillierPrivateKey& private_key, const Integer& prime_p, const Integer& prime_q, std::size_t limbs)
      : key(private_key.public_key()),
        p(prime_p, prime_q, limbs),
        q(prime_q, prime_p, limbs),
        inverse(inverse_of(prime_p, prime_q, false, limbs)),
        public_modulus(Integer(ByteView(key.n())), 2 * limbs) {}

  std::size_t work_limbs() const { return static_cast<std::size_t>(8 * p.limbs() + p.scratch()); }

  // out (2n limbs) = m_p + p * ((m_q - m_p) / p mod q); constant time.
  void combine(mp_limb_t* out, const mp_limb_t* m_p, const mp_limb_t* m_q, mp_limb_t* scratch) const {
    const mp_size_t n = p.limbs();
    const Modulus &root_p = p.modulus.root(), &root_q = q.modulus.root();
    mp_limb_t *d = scratch, *rest = scratch + n;
    std::copy_n(m_p, n, d);
    mpn_sec_div_r(d, n, root_q.limbs(), n, rest);
    const mp_limb_t borrow = mpn_sub_n(d, m_q, d, n);
    mpn_cnd_add_n(borrow, d, d, root_q.limbs(), n);
    multiply_secretly(d, d, inverse.data(), root_q, rest);
    mpn_mul_n(out, d, root_p.limbs(), n);
    const mp_limb_t carry = mpn_add_n(out, out, m_p, n);
    mpn_sec_add_1(out + n, out + n, n, carry, rest);
  }

  void decrypt(const std::uint8_t* ciphertext, std::uint8_t* plaintext, Limbs& work) const {
    const mp_size_t n = p.limbs();
    mp_limb_t *c = work.data(), *m_p = c + 4 * n, *m_q = m_p + n, *m = m_q + n, *rest = m + 2 * n;
    limbs_from_bytes(c, static_cast<std::size_t>(4 * n), ciphertext);
    // The ciphertext is no secret of this party: its range may be compared in variable time.
    const bool in_range = mpn_cmp(c, public_modulus.square().limbs(), 4 * n) < 0;
    const bool coprime_p = p.decrypt(m_p, c, rest), coprime_q = q.decrypt(m_q, c, rest);
    if (!in_range || !coprime_p || !coprime_q)
      throw Error(ErrorCode::protocol_violation, "invalid Paillier ciphertext",
                  "It is not between 0 and N squared or has a factor in common with N.");
    combine(m, m_p, m_q, rest);
    bytes_from_limbs(plaintext, m, static_cast<std::size_t>(2 * n));
  }
};

PaillierDecryptor::PaillierDecryptor(const PaillierPrivateKey& key)
    : context_(
          std::make_unique<Context>(key, Integer(view_of(key.p())), Integer(view_of(key.q())), key.p().size() / 8)) {}

PaillierDecryptor::~PaillierDecryptor() = default;

void PaillierDecryptor::decrypt(ByteView ciphertexts, std::span<std::uint8_t> plaintexts, ThreadPool& pool,
                                const CancelToken& cancel) const {
  const Context& t = *context_;
  const std::size_t in = t.key.ciphertext_size(), out = t.key.plaintext_size();
  const std::size_t records = batch_records(ciphertexts.size(), in, plaintexts.size(), out);
  pool.for_ranges(records, 1, cancel, [&](std::size_t begin, std::size_t end) {
    Limbs work(t.work_limbs());
    for (std::size_t i = begin; i < end; ++i) t.decrypt(ciphertexts.data() + i * in, plaintexts.data() + i * out, work);
  });
}

}  // namespace pgmpc
