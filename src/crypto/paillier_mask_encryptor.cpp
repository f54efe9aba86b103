// What: encryption under somebody else's key (crypto/paillier.h): (1 + mN) * h_s^r mod N^2 with r of bits+128 random
//       bits, which leaves h_s^r within 2^-128 of a uniform square N-th residue even for who knows p and q.
#include "base/witness.h"
#include "crypto/fixed_base.h"
#include "crypto/paillier.h"
#include "crypto/paillier_chunks.h"
#include "crypto/square_modulus.h"

namespace pgmpc {

namespace {
constexpr std::size_t kExtraBits = 128;
}

struct PaillierMaskEncryptor::Tables {
  PaillierPublicKey key;
  Rng& rng;
  Limbs n;
  PairModulus modulus;
  FixedBase table;

  Tables(const PaillierPublicKey& public_key, Rng& generator, EncryptorSize size)
      : key(public_key),
        rng(generator),
        n(limbs_of(key.n())),
        modulus(Integer(ByteView(key.n())), n.size(), Timing::variable),
        table(modulus, limbs_of(key.h_s()), n.size() * 64 + kExtraBits, size.table_bytes, size.records) {}

  std::size_t random_size() const { return table.exponent_limbs() * 8; }
  std::size_t records_at_once() const { return table.records_at_once(); }

  // The pairs (1, m) become ciphertexts in place.
  void encrypt(const std::uint8_t* plaintexts, std::uint8_t* ciphertexts, const std::uint8_t* random,
               std::size_t records, ThreadPool& pool, const CancelToken& cancel) const {
    const std::size_t size = n.size(), exponent = table.exponent_limbs();
    Limbs exponents(records * exponent), pairs(records * 2 * size);
    pool.for_ranges(records, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        mp_limb_t* pair = pairs.data() + i * 2 * size;
        pair[0] = 1;
        limbs_from_bytes(pair + size, size, plaintexts + i * key.plaintext_size());
        check_plaintext(pair + size, n);
        limbs_from_bytes(exponents.data() + i * exponent, exponent, random + i * random_size());
      }
    });
    witness_limbs("exponent of mask ciphertexts", exponents, exponent);
    table.multiply(pairs.data(), exponents.data(), records, pool, cancel);
    pool.for_ranges(records, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
      Limbs number(4 * size);
      for (std::size_t i = begin; i < end; ++i) {
        modulus.join(number.data(), pairs.data() + i * 2 * size, number.data() + 2 * size);
        bytes_from_limbs(ciphertexts + i * key.ciphertext_size(), number.data(), 2 * size);
      }
    });
  }
};

PaillierMaskEncryptor::PaillierMaskEncryptor(const PaillierPublicKey& key, Rng& rng, EncryptorSize size)
    : tables_(std::make_unique<Tables>(key, rng, size)) {}

PaillierMaskEncryptor::~PaillierMaskEncryptor() = default;

std::size_t PaillierMaskEncryptor::records_at_once() const { return tables_->records_at_once(); }

void PaillierMaskEncryptor::encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
                                    const CancelToken& cancel) const {
  encrypt_in_chunks(*tables_, plaintexts, ciphertexts, pool, cancel);
}

}  // namespace pgmpc
