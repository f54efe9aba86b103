// X25519 against RFC 7748, AES-256-GCM against the published vectors of its specification, and refusals.
#include "crypto/seal.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> array_of(std::string_view hex) {
  const Bytes bytes = from_hex(hex);
  std::array<std::uint8_t, N> out{};
  EXPECT_EQ(bytes.size(), N);
  std::copy_n(bytes.begin(), N, out.begin());
  return out;
}

SecretArray<32> secret_of(std::string_view hex) {
  const auto bytes = array_of<32>(hex);
  SecretArray<32> out;
  std::copy(bytes.begin(), bytes.end(), out.data());
  return out;
}

// RFC 7748, section 5.2: the first vector, and one iteration from the base point.
TEST(Agreement, Rfc7748) {
  const AgreementKey key(secret_of("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"));
  const auto point = array_of<32>("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
  EXPECT_EQ(to_hex(key.agree(point).view()), "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  const AgreementKey nine(secret_of("0900000000000000000000000000000000000000000000000000000000000000"));
  EXPECT_EQ(to_hex(nine.public_key()), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
}

TEST(Agreement, BothEndsAgreeAndOthersDoNot) {
  TestRng rng(1);
  const AgreementKey a(rng), b(rng), c(rng);
  EXPECT_TRUE(equal_constant_time(a.agree(b.public_key()).view(), b.agree(a.public_key()).view()));
  EXPECT_FALSE(equal_constant_time(a.agree(b.public_key()).view(), a.agree(c.public_key()).view()));
}

TEST(Agreement, RefusesPointsOfSmallOrder) {
  TestRng rng(2);
  const AgreementKey key(rng);
  AgreementPublic zero{}, one{};
  one[0] = 1;
  for (const auto& point : {zero, one}) {
    try {
      key.agree(point);
      FAIL() << "a point of small order was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::protocol_violation);
    }
  }
}

// Test case 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega).
TEST(Seal, GcmVector) {
  SealKey key(secret_of("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  const auto nonce = array_of<12>("cafebabefacedbaddecaf888");
  const Bytes aad = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const Bytes plaintext = from_hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  const Bytes sealed = key.seal(nonce, aad, plaintext);
  EXPECT_EQ(
      to_hex(sealed),
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
      "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
  const auto opened = key.open(nonce, aad, sealed);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(*opened, plaintext);
}

TEST(Seal, RefusesEveryFlippedBitAndOtherContext) {
  TestRng rng(3);
  SecretArray<32> secret;
  rng.fill(secret.span());
  SealKey key(secret);
  const SealNonce nonce{1}, other{2};
  const Bytes aad{1, 2, 3}, message{9, 8, 7, 6, 5};
  const Bytes sealed = key.seal(nonce, aad, message);
  EXPECT_TRUE(key.open(nonce, aad, sealed).has_value());
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes changed = sealed;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(key.open(nonce, aad, changed).has_value()) << bit;
  }
  EXPECT_FALSE(key.open(other, aad, sealed).has_value());
  EXPECT_FALSE(key.open(nonce, Bytes{1, 2}, sealed).has_value());
  EXPECT_FALSE(key.open(nonce, aad, Bytes(sealed.begin(), sealed.end() - 1)).has_value());
  EXPECT_FALSE(key.open(nonce, aad, {}).has_value());
  EXPECT_TRUE(key.open(nonce, {}, key.seal(nonce, {}, {})).has_value());
}

}  // namespace
}  // namespace pgmpc
