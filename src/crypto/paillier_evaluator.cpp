// Operations on ciphertexts without a private key (crypto/paillier.h).
// The gcd of a batch is taken once, of the product of its ciphertexts: that is coprime to N exactly when all of them
// are.
#include <algorithm>

#include "bignum/residue_base.h"
#include "bignum/square_modulus.h"
#include "crypto/paillier.h"

namespace pgmpc {

namespace {

constexpr std::size_t kCheckGrain = 64;

[[noreturn]] void refuse(const char* reason) {
  throw Error(ErrorCode::protocol_violation, "invalid Paillier ciphertext", reason);
}

}  // namespace

struct PaillierEvaluator::Context {
  PaillierPublicKey key;
  SquareModulus modulus;

  explicit Context(const PaillierPublicKey& public_key)
      : key(public_key), modulus(Integer(ByteView(key.n())), key.n().size() / 8) {}

  std::size_t size() const { return 2 * modulus.root().size(); }

  void load(mp_limb_t* out, const std::uint8_t* ciphertext) const {
    limbs_from_bytes(out, size(), ciphertext);
    const auto n = static_cast<mp_size_t>(size());
    if (mpn_zero_p(out, n) || mpn_cmp(out, modulus.square().limbs(), n) >= 0)
      refuse("It is not between 0 and N squared.");
  }

  // Throws unless every ciphertext of the range is valid.
  void check(ByteView ciphertexts) const {
    const std::size_t n = modulus.root().size();
    Limbs work(2 * size() + 2 * n + modulus.root().scratch());
    mp_limb_t *c = work.data(), *product = c + size(), *residue = product + n, *rest = residue + n;
    product[0] = 1;
    for (std::size_t at = 0; at < ciphertexts.size(); at += key.ciphertext_size()) {
      load(c, ciphertexts.data() + at);
      modulus.root().reduce(residue, c, size(), rest);
      modulus.root().multiply(product, product, residue, rest);
    }
    SecretBytes bytes(n * 8);
    bytes_from_limbs(bytes.data(), product, n);
    const Integer all(view_of(bytes)), modulus_n(ByteView(key.n()));
    Integer gcd;
    mpz_gcd(gcd, all, modulus_n);
    if (mpz_cmp_ui(static_cast<mpz_srcptr>(gcd), 1) != 0) refuse("It has a factor in common with N.");
  }

  Integer value_of(ByteView ciphertext) const {
    batch_records(ciphertext.size(), key.ciphertext_size(), key.ciphertext_size(), key.ciphertext_size());
    check(ciphertext);
    return Integer(ciphertext);
  }

  Integer square() const {
    const Integer n(ByteView(key.n()));
    Integer out;
    mpz_mul(out, n, n);
    return out;
  }

  Bytes bytes_of(const Integer& value) const {
    Bytes out(key.ciphertext_size());
    value.store(out);
    return out;
  }
};

PaillierEvaluator::PaillierEvaluator(const PaillierPublicKey& key) : context_(std::make_unique<Context>(key)) {}

PaillierEvaluator::~PaillierEvaluator() = default;

void PaillierEvaluator::check_ciphertext(ByteView ciphertext) const {
  if (ciphertext.size() != context_->key.ciphertext_size()) refuse("It does not have the size of N squared.");
  context_->check(ciphertext);
}

void PaillierEvaluator::check_ciphertexts(ByteView ciphertexts, ThreadPool& pool, const CancelToken& cancel) const {
  const std::size_t size = context_->key.ciphertext_size();
  if (ciphertexts.size() % size != 0) refuse("It does not have the size of N squared.");
  pool.for_ranges(ciphertexts.size() / size, kCheckGrain, cancel, [&](std::size_t begin, std::size_t end) {
    context_->check(ciphertexts.subspan(begin * size, (end - begin) * size));
  });
}

void PaillierEvaluator::add(ByteView a, ByteView b, std::span<std::uint8_t> sums, ThreadPool& pool,
                            const CancelToken& cancel) const {
  const Context& t = *context_;
  const std::size_t record = t.key.ciphertext_size();
  batch_records(a.size(), record, b.size(), record);
  const std::size_t records = batch_records(a.size(), record, sums.size(), record);
  pool.for_ranges(records, kCheckGrain, cancel, [&](std::size_t begin, std::size_t end) {
    Limbs work(2 * t.size() + t.modulus.square().scratch());
    mp_limb_t *x = work.data(), *y = x + t.size(), *rest = y + t.size();
    for (std::size_t i = begin; i < end; ++i) {
      t.load(x, a.data() + i * record);
      t.load(y, b.data() + i * record);
      t.modulus.square().multiply(x, x, y, rest);
      bytes_from_limbs(sums.data() + i * record, x, t.size());
    }
  });
}

Bytes PaillierEvaluator::add(ByteView a, ByteView b) const {
  const Context& t = *context_;
  const std::size_t record = t.key.ciphertext_size();
  batch_records(a.size(), record, b.size(), record);
  if (a.size() != record) throw Error(ErrorCode::internal, "add takes one ciphertext on each side");
  Limbs work(2 * t.size() + t.modulus.square().scratch());
  mp_limb_t *x = work.data(), *y = x + t.size(), *rest = y + t.size();
  t.load(x, a.data());
  t.load(y, b.data());
  t.modulus.square().multiply(x, x, y, rest);
  Bytes sum(record);
  bytes_from_limbs(sum.data(), x, t.size());
  return sum;
}

Bytes PaillierEvaluator::negate(ByteView a) const { return multiply(a, -1); }

Bytes PaillierEvaluator::multiply(ByteView a, std::int64_t factor) const {
  const Integer square = context_->square();
  Integer value = context_->value_of(a), exponent;
  // The magnitude of the smallest int64 does not fit an int64.
  const std::uint64_t magnitude =
      factor < 0 ? ~static_cast<std::uint64_t>(factor) + 1 : static_cast<std::uint64_t>(factor);
  mpz_set_ui(exponent, magnitude);
  if (factor < 0) mpz_invert(value, value, square);  // the inverse exists: value_of has checked the gcd
  mpz_powm(value, value, exponent, square);
  return context_->bytes_of(value);
}

Bytes PaillierEvaluator::rerandomize(ByteView a, Rng& rng) const {
  const Integer square = context_->square(), fresh = draw_residue_base(Integer(ByteView(context_->key.n())), rng);
  Integer value = context_->value_of(a);
  mpz_mul(value, value, fresh);
  mpz_mod(value, value, square);
  return context_->bytes_of(value);
}

}  // namespace pgmpc
