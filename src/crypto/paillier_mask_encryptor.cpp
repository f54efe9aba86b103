// What: encryption under somebody else's key (crypto/paillier.h): (1 + mN) * h_s^r mod N^2 with r of bits+128 random
//       bits, which leaves h_s^r within 2^-128 of a uniform square N-th residue even for who knows p and q.
#include <algorithm>

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

  Tables(const PaillierPublicKey& public_key, Rng& generator, std::size_t table_bytes)
      : key(public_key),
        rng(generator),
        n(limbs_of(key.n())),
        modulus(Integer(ByteView(key.n())), n.size(), Timing::variable),
        table(modulus, limbs_of(key.h_s()), n.size() * 64 + kExtraBits, table_bytes) {}

  std::size_t random_size() const { return table.exponent_limbs() * 8; }

  // At most 8 records side by side.
  void encrypt(const std::uint8_t* plaintexts, std::uint8_t* ciphertexts, const std::uint8_t* random,
               std::size_t records) const {
    const PairKernel& kernel = modulus.kernel();
    const std::size_t size = n.size(), batch = kernel.batch_size(), exponent = table.exponent_limbs();
    KernelWork work = kernel.work(records);
    KernelWords batches(5 * batch);
    KernelWord *power = batches.data(), *factor = power + batch, *product = factor + batch, *scratch = product + batch;
    Limbs limbs(records * exponent + 6 * size);
    mp_limb_t *exponents = limbs.data(), *pair = exponents + records * exponent, *c = pair + 2 * size;
    for (std::size_t i = 0; i < records; ++i) {
      limbs_from_bytes(exponents + i * exponent, exponent, random + i * random_size());
      std::fill_n(pair, size, mp_limb_t{0});
      pair[0] = 1;
      limbs_from_bytes(pair + size, size, plaintexts + i * key.plaintext_size());
      check_plaintext(pair + size, n);
      kernel.load(factor, i, pair);
    }
    table.power(power, exponents, work, scratch);
    kernel.multiply(product, power, factor, work);  // by 1 + mN, out of the Montgomery form
    for (std::size_t i = 0; i < records; ++i) {
      kernel.store(pair, product, i, work);
      modulus.join(c, pair, c + 2 * size);
      bytes_from_limbs(ciphertexts + i * key.ciphertext_size(), c, 2 * size);
    }
  }
};

PaillierMaskEncryptor::PaillierMaskEncryptor(const PaillierPublicKey& key, Rng& rng, std::size_t table_bytes)
    : tables_(std::make_unique<Tables>(key, rng, table_bytes)) {}

PaillierMaskEncryptor::~PaillierMaskEncryptor() = default;

void PaillierMaskEncryptor::encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
                                    const CancelToken& cancel) const {
  encrypt_in_chunks(*tables_, plaintexts, ciphertexts, pool, cancel);
}

}  // namespace pgmpc
