// What: encryption under somebody else's key (crypto/paillier.h): (1 + mN) * h_s^r mod N^2 with r of bits+128 random
//       bits, which leaves h_s^r within 2^-128 of a uniform square N-th residue even for who knows p and q.
#include <algorithm>

#include "crypto/fixed_base.h"
#include "crypto/paillier.h"
#include "crypto/square_modulus.h"

namespace pgmpc {

namespace {
constexpr std::size_t kExtraBits = 128;
}

struct PaillierMaskEncryptor::Tables {
  PaillierPublicKey key;
  Rng& rng;
  Limbs n;
  SquareModulus modulus;
  FixedBase table;

  Tables(const PaillierPublicKey& public_key, Rng& generator)
      : key(public_key),
        rng(generator),
        n(limbs_of(key.n())),
        modulus(Integer(ByteView(key.n())), n.size()),
        table(modulus.square(), limbs_of(key.h_s()), n.size() * 64 + kExtraBits) {}

  std::size_t random_size() const { return table.exponent_limbs() * 8; }
  std::size_t work_limbs() const { return 3 * n.size() + table.exponent_limbs() + modulus.scratch(); }

  void encrypt(const std::uint8_t* plaintext, std::uint8_t* ciphertext, const std::uint8_t* random, Limbs& work) const {
    const std::size_t size = n.size();
    mp_limb_t *m = work.data(), *c = m + size, *r = c + 2 * size, *rest = r + table.exponent_limbs();
    limbs_from_bytes(m, size, plaintext);
    check_plaintext(m, n);
    limbs_from_bytes(r, table.exponent_limbs(), random);
    table.power(c, r, rest);
    modulus.scale(c, m, rest);
    bytes_from_limbs(ciphertext, c, 2 * size);
  }
};

PaillierMaskEncryptor::PaillierMaskEncryptor(const PaillierPublicKey& key, Rng& rng)
    : tables_(std::make_unique<Tables>(key, rng)) {}

PaillierMaskEncryptor::~PaillierMaskEncryptor() = default;

void PaillierMaskEncryptor::encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
                                    const CancelToken& cancel) const {
  const Tables& t = *tables_;
  const std::size_t in = t.key.plaintext_size(), out = t.key.ciphertext_size(), random_size = t.random_size();
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
