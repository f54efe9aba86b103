// HMAC-SHA-256 against RFC 4231, HKDF-SHA-256 against RFC 5869, and the hasher with a precomputed key against both.
#include "crypto/keyed_hash.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace pgmpc {
namespace {

struct HmacCase {
  std::string key, message, mac;  // hex
};

std::string repeat(const std::string& unit, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += unit;
  return out;
}

std::string hex_of(std::string_view text) { return to_hex(view_of(text)); }

// RFC 4231, test cases 1-4, 6 and 7 (5 is a truncated output).
const HmacCase kHmacCases[] = {
    {repeat("0b", 20), hex_of("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {hex_of("Jefe"), hex_of("what do ya want for nothing?"),
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {repeat("aa", 20), repeat("dd", 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819", repeat("cd", 50),
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {repeat("aa", 131), hex_of("Test Using Larger Than Block-Size Key - Hash Key First"),
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {repeat("aa", 131),
     hex_of("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
            "hashed before being used by the HMAC algorithm."),
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

TEST(KeyedHash, Rfc4231) {
  for (const auto& c : kHmacCases) EXPECT_EQ(to_hex(keyed_hash(from_hex(c.key), from_hex(c.message))), c.mac);
}

TEST(KeyedHash, HasherIsReusable) {
  for (const auto& c : kHmacCases) {
    const KeyedHasher hasher(from_hex(c.key));
    for (int round = 0; round < 3; ++round) {
      Hash out{};
      hasher.hash(from_hex(c.message), out);
      EXPECT_EQ(to_hex(out), c.mac);
      hasher.hash(view_of("something else"), out);
      EXPECT_NE(to_hex(out), c.mac);
    }
  }
}

TEST(KeyedHash, EmptyKeyAndMessage) {
  EXPECT_EQ(to_hex(keyed_hash({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

struct HkdfCase {
  std::string key, salt, info, out;  // hex
};

// RFC 5869, appendix A.1-A.3.
const HkdfCase kHkdfCases[] = {
    {repeat("0b", 22), "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
     "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
     "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
     "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
     "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {repeat("0b", 22), "", "", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

TEST(Hkdf, Rfc5869) {
  for (const auto& c : kHkdfCases) {
    const Bytes info = from_hex(c.info);
    const SecretBytes out = hkdf(from_hex(c.key), from_hex(c.salt),
                                 {reinterpret_cast<const char*>(info.data()), info.size()}, c.out.size() / 2);
    EXPECT_EQ(to_hex(view_of(out)), c.out);
  }
}

TEST(Hkdf, RefusesImpossibleSizes) {
  EXPECT_THROW(hkdf({}, {}, "", 0), Error);
  EXPECT_THROW(hkdf({}, {}, "", 255 * 32 + 1), Error);
}

}  // namespace
}  // namespace pgmpc
