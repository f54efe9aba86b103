// Encrypts under the key of another party, and gives ciphertexts under it fresh randomness (crypto/paillier.h).
// The random factor is h^r mod N^2 for a base h drawn here and r of bits+128 random bits.
//
// Security
// The owner of the key knows p and q. It recovers the randomness of every result, and it made the randomness of its own
// records. With a base of its choice, of small order for example, it would recognise its records.
// With a base drawn here, h^r is within 2^-128 of uniform among the powers of h. If N is the product of two safe
// primes, those are all square N-th residues. For an N that its owner made on purpose without safe primes, the powers
// of one base are a subgroup: the coset of a record stays visible. Two bases drawn by two parties, the masking
// controller and the third party, leave less of it. A proof of the form of N would leave nothing.
#include "base/mutants.h"
#include "base/witness.h"
#include "bignum/fixed_base.h"
#include "bignum/residue_base.h"
#include "bignum/square_modulus.h"
#include "crypto/paillier.h"
#include "crypto/paillier_chunks.h"

namespace pgmpc {

namespace {
constexpr std::size_t kExtraBits = 128;

Integer draw_base(const PaillierPublicKey& key, Rng& rng, bool base_of_key) {
  if (base_of_key) return Integer(ByteView(key.h_s()));
  return draw_residue_base(Integer(ByteView(key.n())), rng);
}

// Multiplies random powers of one base into batches.
struct RandomPowers {
  PaillierPublicKey key;
  Rng& rng;
  Limbs n;
  PairModulus modulus;
  FixedBase table;

  // base_of_key: for the tests that show what the base of the key would reveal.
  RandomPowers(const PaillierPublicKey& public_key, Rng& generator, EncryptorSize size, bool base_of_key)
      : key(public_key),
        rng(generator),
        n(limbs_of(key.n())),
        modulus(Integer(ByteView(key.n())), n.size(), Timing::variable),
        table(modulus, limbs_of(draw_base(key, rng, base_of_key), 2 * n.size()), n.size() * 64 + kExtraBits,
              size.table_bytes, size.records) {}

  std::size_t random_size() const { return table.exponent_limbs() * 8; }
  std::size_t records_at_once() const { return table.records_at_once(); }

  // load(pair, i, scratch) makes the canonical pair of record i, which then becomes a ciphertext. scratch: 4n limbs.
  template <typename Load>
  void multiply(std::uint8_t* ciphertexts, const std::uint8_t* random, std::size_t records, ThreadPool& pool,
                const CancelToken& cancel, Load load) const {
    const std::size_t size = n.size(), exponent = table.exponent_limbs();
    Limbs exponents(records * exponent), pairs(records * 2 * size);
    pool.for_ranges(records, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
      Limbs scratch(4 * size);
      for (std::size_t i = begin; i < end; ++i) {
        load(pairs.data() + i * 2 * size, i, scratch.data());
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
}  // namespace

struct PaillierMaskEncryptor::Tables : RandomPowers {
  Tables(const PaillierPublicKey& public_key, Rng& generator, EncryptorSize size)
      : RandomPowers(public_key, generator, size,
                     mutant(Mutant::masks_with_base_of_key) || mutant(Mutant::bases_of_key)) {}

  void encrypt(const std::uint8_t* plaintexts, std::uint8_t* ciphertexts, const std::uint8_t* random,
               std::size_t records, ThreadPool& pool, const CancelToken& cancel) const {
    const std::size_t size = n.size();
    multiply(ciphertexts, random, records, pool, cancel, [&](mp_limb_t* pair, std::size_t i, mp_limb_t*) {
      pair[0] = 1;
      limbs_from_bytes(pair + size, size, plaintexts + i * key.plaintext_size());
      check_plaintext(pair + size, n);
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

struct PaillierRerandomizer::Tables : RandomPowers {
  Tables(const PaillierPublicKey& public_key, Rng& generator, EncryptorSize size)
      : RandomPowers(public_key, generator, size, mutant(Mutant::bases_of_key)) {}

  void rerandomize(std::uint8_t* ciphertexts, const std::uint8_t* random, std::size_t records, ThreadPool& pool,
                   const CancelToken& cancel) const {
    const auto size = static_cast<mp_size_t>(n.size());
    multiply(ciphertexts, random, records, pool, cancel, [&](mp_limb_t* pair, std::size_t i, mp_limb_t* scratch) {
      // Splits a ciphertext into x + yN. The quotient has one limb more than N; it is zero below the square.
      mp_limb_t* quotient = scratch + 2 * size;
      limbs_from_bytes(scratch, 2 * n.size(), ciphertexts + i * key.ciphertext_size());
      mpn_tdiv_qr(quotient, pair, 0, scratch, 2 * size, n.data(), size);
      std::copy_n(quotient, n.size(), pair + size);
    });
  }
};

PaillierRerandomizer::PaillierRerandomizer(const PaillierPublicKey& key, Rng& rng, EncryptorSize size)
    : tables_(std::make_unique<Tables>(key, rng, size)) {}

PaillierRerandomizer::~PaillierRerandomizer() = default;

std::size_t PaillierRerandomizer::records_at_once() const { return tables_->records_at_once(); }

void PaillierRerandomizer::rerandomize(std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
                                       const CancelToken& cancel) const {
  const Tables& t = *tables_;
  const std::size_t record = t.key.ciphertext_size();
  const std::size_t records = batch_records(ciphertexts.size(), record, ciphertexts.size(), record);
  SecretBytes random;
  for (std::size_t first = 0; first < records; first += t.records_at_once()) {
    const std::size_t count = std::min(t.records_at_once(), records - first);
    random.resize(count * t.random_size());
    t.rng.fill(random);
    t.rerandomize(ciphertexts.data() + first * record, random.data(), count, pool, cancel);
  }
}

}  // namespace pgmpc
