// Key encodings, validation of foreign keys, generation and wiping.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

#include "base/error.h"
#include "bignum/mpz.h"
#include "crypto/background_key.h"
#include "crypto/paillier.h"
#include "support/test_keys.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

std::string reason(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_text);
    return error.detail();
  }
  return "accepted";
}

Bytes stored(const Integer& value, std::size_t size) {
  Bytes out(size);
  value.store(out);
  return out;
}

TEST(PaillierKeys, EncodingsRoundTrip) {
  const auto& key = test_key();
  EXPECT_EQ(PaillierPublicKey::decode(key.public_key().encode()), key.public_key());
  EXPECT_EQ(key.public_key().bits(), 2048);
  const SecretBytes encoded = key.encode();
  const auto again = PaillierPrivateKey::decode(view_of(encoded));
  EXPECT_EQ(again.public_key(), key.public_key());
  EXPECT_TRUE(equal_constant_time(view_of(again.p()), view_of(key.p())));
  Integer n;
  mpz_mul(n, Integer(view_of(key.p())), Integer(view_of(key.q())));
  EXPECT_EQ(stored(n, 256), key.public_key().n());
}

TEST(PaillierKeys, RefusesBrokenEncodings) {
  const Bytes encoded = test_key().public_key().encode();
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, encoded.size() - 1})
    EXPECT_THROW(PaillierPublicKey::decode(ByteView(encoded).first(size)), Error);
  Bytes longer = encoded, version = encoded, bits = encoded;
  longer.push_back(0);
  version[0] = 2;
  bits[1] = 0x10;  // 4096
  EXPECT_THROW(PaillierPublicKey::decode(longer), Error);
  EXPECT_EQ(reason([&] { PaillierPublicKey::decode(version); }), "the version is not known.");
  EXPECT_THROW(PaillierPublicKey::decode(bits), Error);
}

TEST(PaillierKeys, RefusesInvalidPublicKeys) {
  const auto& key = test_key().public_key();
  const Integer n{ByteView(key.n())}, p(view_of(test_key().p()));
  const auto with_n = [&](const Integer& value) {
    return reason([&] { PaillierPublicKey::from_parts(stored(value, 256), key.h_s()); });
  };
  const auto with_h = [&](const Integer& value) {
    return reason([&] { PaillierPublicKey::from_parts(key.n(), stored(value, 512)); });
  };
  Integer even, factor, square, small, n2, h;
  mpz_sub_ui(even, n, 1);
  mpz_setbit(factor, 2047);  // the multiple of 65521 above 2^2047, made odd
  mpz_cdiv_q_ui(factor, factor, 65521);
  if (mpz_even_p(static_cast<mpz_srcptr>(factor))) mpz_add_ui(factor, factor, 1);
  mpz_mul_ui(factor, factor, 65521);
  mpz_mul(square, p, p);
  mpz_tdiv_q_2exp(small, n, 1);
  mpz_mul(n2, n, n);
  EXPECT_EQ(with_n(even), "N is even.");
  EXPECT_EQ(with_n(factor), "N has a factor below 65536.");
  EXPECT_EQ(with_n(square), "N is a square.");
  EXPECT_EQ(with_n(small), "N does not have 2048, 3072 or 4096 bits.");
  EXPECT_EQ(reason([&] { PaillierPublicKey::from_parts(Bytes(100), key.h_s()); }),
            "N does not have 2048, 3072 or 4096 bits.");
  EXPECT_EQ(with_h(Integer()), "h_s is not between 0 and N squared.");
  EXPECT_EQ(with_h(n2), "h_s is not between 0 and N squared.");
  EXPECT_EQ(with_h(n), "h_s and N have a common factor.");
  mpz_set_ui(h, 2);
  while (mpz_jacobi(h, n) != -1) mpz_add_ui(h, h, 1);
  EXPECT_EQ(with_h(h), "the Jacobi symbol of h_s is not 1.");
  // Bases that add no randomness, or none modulo p (rule B8).
  const char* const small_order = "h_s is 1 or -1 modulo N or a factor of N.";
  mpz_set_ui(h, 1);
  EXPECT_EQ(with_h(h), small_order);
  mpz_sub_ui(h, n2, 1);
  EXPECT_EQ(with_h(h), small_order) << "-1";
  mpz_add_ui(h, n, 1);
  EXPECT_EQ(with_h(h), small_order) << "1 + N";
  mpz_sub_ui(h, n, 1);
  EXPECT_EQ(with_h(h), small_order) << "-1 modulo N";
  mpz_add_ui(h, p, 1);
  mpz_mul(h, h, h);
  EXPECT_EQ(with_h(h), small_order) << "1 modulo p";
  EXPECT_EQ(reason([&] { PaillierPublicKey::from_parts(key.n(), Bytes(511)); }),
            "h_s does not have the size of N squared.");
}

TEST(PaillierKeys, RefusesInvalidPrivateKeys) {
  const auto& key = test_key();
  const SecretBytes encoded = key.encode();
  const auto with_prime = [&](int which, const Integer& value) {
    SecretBytes changed = encoded.clone();
    value.store(std::span<std::uint8_t>(changed).subspan(3 + 128 * static_cast<std::size_t>(which), 128));
    return reason([&] { PaillierPrivateKey::decode(view_of(changed)); });
  };
  const Integer p(view_of(key.p())), q(view_of(key.q()));
  EXPECT_EQ(with_prime(0, q), "the two primes are too close to each other.");
  Integer x = p;
  mpz_add_ui(x, x, 4);
  EXPECT_EQ(with_prime(0, x), "a factor is not prime.");
  mpz_nextprime(x, p);
  while (!mpz_tstbit(x, 1)) mpz_nextprime(x, x);  // 3 modulo 4, prime, but hardly a safe prime
  EXPECT_EQ(with_prime(1, x), "a prime is not a safe prime.");
  mpz_sub_ui(x, p, 2);
  EXPECT_EQ(with_prime(1, x), "a prime is not 3 modulo 4.");
  mpz_set(x, p);
  mpz_clrbit(x, 1022);
  EXPECT_EQ(with_prime(0, x), "a prime does not have its two top bits set.");
}

TEST(PaillierKeys, GeneratedKeyIsValidAndWorks) {
  TestRng rng(1);
  const CancelToken cancel;
  auto key = PaillierPrivateKey::generate(2048, rng, cancel);
  const SecretBytes encoded = key.encode();
  EXPECT_NO_THROW(PaillierPrivateKey::decode(view_of(encoded)));  // checks safe primes, top bits, distance
  ThreadPool pool(1);
  Bytes plaintext(256), ciphertext(512), back(256);
  plaintext[255] = 42;
  PaillierOwnEncryptor(key, rng).encrypt(plaintext, ciphertext, pool, cancel);
  PaillierDecryptor(key).decrypt(ciphertext, back, pool, cancel);
  EXPECT_EQ(back, plaintext);
  key.wipe();
  EXPECT_TRUE(key.p().empty());
  EXPECT_TRUE(key.q().empty());
}

TEST(PaillierKeys, GenerationIsCancelledSoon) {
  TestRng rng(2);
  CancelToken cancel;
  cancel.cancel();
  try {
    PaillierPrivateKey::generate(4096, rng, cancel);
    FAIL() << "generation ignored the cancel token";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_THROW(PaillierPrivateKey::generate(1024, rng, CancelToken()), Error);
}

TEST(BackgroundKey, IsAValidKey) {
  const CancelToken cancel;
  BackgroundKey background(2048, system_rng());
  const BackgroundKey::Made made = background.take(cancel);
  EXPECT_EQ(made.key.public_key().bits(), 2048);
  EXPECT_GT(made.seconds, 0);
  EXPECT_EQ(PaillierPrivateKey::decode(view_of(made.key.encode())).public_key(), made.key.public_key());
}

TEST(BackgroundKey, NobodyNeedsToWaitForIt) {
  const auto begin = std::chrono::steady_clock::now();
  { const BackgroundKey background(4096, system_rng()); }
  BackgroundKey background(4096, system_rng());
  CancelToken cancel;
  cancel.cancel();
  try {
    background.take(cancel);
    // The key was made between two polls of the token: possible, but most unlikely.
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

TEST(Integer, StoreChecksItsField) {
  Integer value(256ul);
  Bytes one(1), two(2);
  EXPECT_THROW(value.store(one), Error);
  value.store(two);
  EXPECT_EQ(two, (Bytes{1, 0}));
  mpz_neg(value, value);
  EXPECT_THROW(value.store(two), Error);
  EXPECT_THROW(limbs_of(value, 1), Error);
}

}  // namespace
}  // namespace pgmpc
