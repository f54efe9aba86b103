// Properties of the scheme: round trips, homomorphism, refusal of invalid ciphertexts, and agreement of the kernels
// with the textbook formulas in GMP.
#include "crypto/paillier.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "bignum/mpz.h"
#include "support/message_of.h"
#include "support/test_keys.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

const CancelToken kNoCancel;

class Paillier : public ::testing::Test {
 protected:
  TestRng rng_{7};
  ThreadPool pool_{2};
  const PaillierPrivateKey& key_ = test_key("a");
  const PaillierPublicKey& public_key_ = key_.public_key();
  const PaillierEvaluator evaluator_{public_key_};
  const PaillierDecryptor decryptor_{key_};
  const std::size_t in_ = public_key_.plaintext_size(), out_ = public_key_.ciphertext_size();

  Bytes plain(long value) const {
    Integer m(static_cast<unsigned long>(value < 0 ? -value : value));
    if (value < 0) mpz_sub(m, Integer(ByteView(public_key_.n())), m);
    Bytes out(in_);
    m.store(out);
    return out;
  }
  Bytes random_plaintexts(std::size_t count) {
    Bytes out(count * in_);
    rng_.fill(out);
    for (std::size_t i = 0; i < count; ++i) out[i * in_] = 0;  // below N
    return out;
  }
  template <typename Encryptor>
  Bytes encrypt(const Encryptor& encryptor, const Bytes& plaintexts) {
    Bytes out(plaintexts.size() * 2);
    encryptor.encrypt(plaintexts, out, pool_, kNoCancel);
    return out;
  }
  Bytes decrypt(const Bytes& ciphertexts) {
    Bytes out(ciphertexts.size() / 2);
    decryptor_.decrypt(ciphertexts, out, pool_, kNoCancel);
    return out;
  }
  ErrorCode refusal(const std::function<void()>& body) {
    try {
      body();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  }
};

TEST_F(Paillier, RoundTripOfBothEncryptors) {
  const PaillierOwnEncryptor own(key_, rng_);
  const PaillierMaskEncryptor mask(public_key_, rng_);
  Bytes plaintexts = random_plaintexts(20);
  for (const Bytes& edge : {plain(0), plain(1), plain(-1), plain(-2)})
    plaintexts.insert(plaintexts.end(), edge.begin(), edge.end());
  EXPECT_EQ(decrypt(encrypt(own, plaintexts)), plaintexts);
  EXPECT_EQ(decrypt(encrypt(mask, plaintexts)), plaintexts);
}

TEST_F(Paillier, AgreesWithTheTextbookFormula) {
  // Decryption by lambda of a ciphertext computed here with r^N, where r is not a square.
  const Integer n(ByteView(public_key_.n())), m(123456789ul);
  Integer square, r(3ul), c, factor;
  mpz_mul(square, n, n);
  while (mpz_jacobi(r, n) != -1) mpz_add_ui(r, r, 2);
  mpz_powm(c, r, n, square);
  mpz_mul(factor, m, n);
  mpz_add_ui(factor, factor, 1);
  mpz_mul(c, c, factor);
  mpz_mod(c, c, square);
  Bytes ciphertext(out_);
  c.store(ciphertext);
  EXPECT_EQ(decrypt(ciphertext), plain(123456789));

  // Decryption of an encryptor's ciphertext by the textbook formula.
  const PaillierOwnEncryptor own(key_, rng_);
  const Bytes ours = encrypt(own, plain(987654321));
  Integer lambda, p(view_of(key_.p())), q(view_of(key_.q())), u, inverse;
  mpz_sub_ui(p, p, 1);
  mpz_sub_ui(q, q, 1);
  mpz_mul(lambda, p, q);
  mpz_powm(u, Integer(ByteView(ours)), lambda, square);
  mpz_sub_ui(u, u, 1);
  ASSERT_TRUE(mpz_divisible_p(u, n));
  mpz_divexact(u, u, n);
  ASSERT_NE(mpz_invert(inverse, lambda, n), 0);
  mpz_mul(u, u, inverse);
  mpz_mod(u, u, n);
  EXPECT_EQ(mpz_cmp_ui(static_cast<mpz_srcptr>(u), 987654321ul), 0);
}

TEST_F(Paillier, RoundTripAtLongerKeys) {
  for (const int bits : {3072, 4096}) {
    SCOPED_TRACE(bits);
    const auto& key = test_key("b", bits);
    const std::size_t size = key.public_key().plaintext_size();
    Bytes plaintexts(5 * size), back(plaintexts.size()), ciphertexts(2 * plaintexts.size());
    rng_.fill(plaintexts);
    for (std::size_t i = 0; i < 5; ++i) plaintexts[i * size] = 0x7f;
    PaillierOwnEncryptor(key, rng_).encrypt(plaintexts, ciphertexts, pool_, kNoCancel);
    PaillierDecryptor(key).decrypt(ciphertexts, back, pool_, kNoCancel);
    EXPECT_EQ(back, plaintexts);
    PaillierMaskEncryptor(key.public_key(), rng_).encrypt(plaintexts, ciphertexts, pool_, kNoCancel);
    PaillierDecryptor(key).decrypt(ciphertexts, back, pool_, kNoCancel);
    EXPECT_EQ(back, plaintexts);
  }
}

TEST_F(Paillier, Homomorphism) {
  const PaillierOwnEncryptor own(key_, rng_);
  const PaillierMaskEncryptor mask(public_key_, rng_);
  const Bytes a = encrypt(own, plain(1000)), b = encrypt(mask, plain(-1));
  EXPECT_EQ(decrypt(evaluator_.add(a, b)), plain(999));
  EXPECT_EQ(decrypt(evaluator_.add(b, b)), plain(-2));
  EXPECT_EQ(decrypt(evaluator_.negate(a)), plain(-1000));
  EXPECT_EQ(decrypt(evaluator_.multiply(a, 0)), plain(0));
  EXPECT_EQ(decrypt(evaluator_.multiply(a, 1)), plain(1000));
  EXPECT_EQ(decrypt(evaluator_.multiply(a, -7)), plain(-7000));
  Bytes two_63(in_);  // -1 * -2^63
  two_63[in_ - 8] = 0x80;
  EXPECT_EQ(decrypt(evaluator_.multiply(b, INT64_MIN)), two_63);
}

TEST_F(Paillier, BatchAddEqualsSingleAdd) {
  const PaillierOwnEncryptor own(key_, rng_);
  Bytes a = encrypt(own, random_plaintexts(9));
  const Bytes b = encrypt(own, random_plaintexts(9));
  Bytes sums(a.size());
  evaluator_.add(a, b, sums, pool_, kNoCancel);
  for (std::size_t i = 0; i < 9; ++i)
    EXPECT_EQ(Bytes(sums.begin() + static_cast<long>(i * out_), sums.begin() + static_cast<long>((i + 1) * out_)),
              evaluator_.add(ByteView(a).subspan(i * out_, out_), ByteView(b).subspan(i * out_, out_)));
  evaluator_.add(a, b, a, pool_, kNoCancel);
  EXPECT_EQ(a, sums);
}

TEST_F(Paillier, RerandomizeChangesTheBytesOnly) {
  const Bytes a = encrypt(PaillierOwnEncryptor(key_, rng_), plain(5));
  const Bytes b = evaluator_.rerandomize(a, rng_), c = evaluator_.rerandomize(a, rng_);
  EXPECT_NE(a, b);
  EXPECT_NE(b, c);
  EXPECT_EQ(decrypt(b), plain(5));
}

TEST_F(Paillier, SameValueNeverGivesTheSameCiphertext) {
  const Bytes zeros(50 * in_);
  for (const Bytes& all :
       {encrypt(PaillierOwnEncryptor(key_, rng_), zeros), encrypt(PaillierMaskEncryptor(public_key_, rng_), zeros)})
    for (std::size_t i = 0; i < 50; ++i)
      for (std::size_t j = 0; j < i; ++j)
        EXPECT_FALSE(std::equal(all.begin() + static_cast<long>(i * out_),
                                all.begin() + static_cast<long>((i + 1) * out_),
                                all.begin() + static_cast<long>(j * out_)));
}

TEST_F(Paillier, RefusesWhatIsNotACiphertext) {
  const Integer n(ByteView(public_key_.n())), p(view_of(key_.p())), q(view_of(key_.q()));
  const Bytes good = encrypt(PaillierOwnEncryptor(key_, rng_), plain(5));
  const Integer valid{ByteView(good)};
  Integer square, p_multiple, q_multiple, beyond;
  mpz_mul(square, n, n);
  mpz_mul_ui(p_multiple, p, 12345);
  mpz_mul_ui(q_multiple, q, 12345);
  mpz_add_ui(beyond, square, 1);
  for (const Integer* wrong : std::initializer_list<const Integer*>{&n, &square, &p_multiple, &q_multiple, &beyond}) {
    Bytes c(out_);
    wrong->store(c);
    EXPECT_EQ(refusal([&] { evaluator_.check_ciphertext(c); }), ErrorCode::protocol_violation);
    EXPECT_EQ(refusal([&] { decrypt(c); }), ErrorCode::protocol_violation);
    Bytes batch = encrypt(PaillierOwnEncryptor(key_, rng_), Bytes(100 * in_));
    std::copy(c.begin(), c.end(), batch.begin() + static_cast<long>(77 * out_));
    EXPECT_EQ(refusal([&] { evaluator_.check_ciphertexts(batch, pool_, kNoCancel); }), ErrorCode::protocol_violation);
    EXPECT_EQ(refusal([&] { evaluator_.multiply(c, 3); }), ErrorCode::protocol_violation);
  }
  const Bytes zero(out_), shorter(out_ - 1);
  EXPECT_EQ(refusal([&] { evaluator_.check_ciphertext(zero); }), ErrorCode::protocol_violation);
  EXPECT_EQ(refusal([&] { decrypt(zero); }), ErrorCode::protocol_violation);
  EXPECT_EQ(refusal([&] { evaluator_.check_ciphertext(shorter); }), ErrorCode::protocol_violation);
  EXPECT_NO_THROW(evaluator_.check_ciphertext(good));
  EXPECT_NO_THROW(evaluator_.check_ciphertexts(good, pool_, kNoCancel));
}

TEST_F(Paillier, RefusesPlaintextsOutsideTheRange) {
  Bytes out(out_);
  const auto own = [&] { PaillierOwnEncryptor(key_, rng_).encrypt(public_key_.n(), out, pool_, kNoCancel); };
  const auto mask = [&] { PaillierMaskEncryptor(public_key_, rng_).encrypt(public_key_.n(), out, pool_, kNoCancel); };
  EXPECT_EQ(refusal(own), ErrorCode::invalid_parameter);
  EXPECT_EQ(refusal(mask), ErrorCode::invalid_parameter);
  EXPECT_EQ(test::message_of(own), "a plaintext is not below N");
  EXPECT_EQ(test::message_of(mask), "a plaintext is not below N");
}

TEST_F(Paillier, CancelStopsABatch) {
  const PaillierOwnEncryptor own(key_, rng_);
  CancelToken cancel;
  cancel.cancel();
  Bytes out(out_);
  EXPECT_EQ(refusal([&] { own.encrypt(plain(1), out, pool_, cancel); }), ErrorCode::cancelled);
  EXPECT_EQ(refusal([&] { decryptor_.decrypt(out, std::span<std::uint8_t>(out).first(in_), pool_, cancel); }),
            ErrorCode::cancelled);
}

}  // namespace
}  // namespace pgmpc
