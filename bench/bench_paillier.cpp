// What: operations per second on one core of the Paillier batch interface, beside plain GMP and OpenSSL.
// Names: paillier.{keygen,own_encrypt,mask_encrypt,decrypt,add}.{2048,3072}.
// Baselines: keygen: BN_generate_prime_ex(safe) twice; encryptions: textbook (1+mN) r^N mod N^2 by mpz_powm;
//            decrypt: CRT by mpz_powm; add: mpz_mul and mpz_mod. Results are compared, not only timed.
#include <gmp.h>
#include <openssl/bn.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "crypto/paillier.h"
#include "report.h"

namespace pgmpc::bench {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kPlainBatch = 4;  // of the slow baselines
constexpr double kSeconds = 2.0;        // per side and operation
constexpr int kKeys = 3;

class Number {
 public:
  Number() { mpz_init(value_); }
  explicit Number(ByteView bytes) : Number() { mpz_import(value_, bytes.size(), 1, 1, 1, 0, bytes.data()); }
  ~Number() { mpz_clear(value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  mpz_ptr get() { return value_; }
  Bytes bytes(std::size_t size) {
    Bytes out(size, 0);
    const std::size_t used = (mpz_sizeinbase(value_, 2) + 7) / 8;
    if (used > size) throw std::runtime_error("a baseline value is too large");
    if (mpz_sgn(value_) != 0) mpz_export(out.data() + size - used, nullptr, 1, 1, 1, 0, value_);
    return out;
  }

 private:
  mpz_t value_;
};

struct Setting {
  int bits;
  const PaillierPrivateKey& key;
  ThreadPool& pool;
  const CancelToken& cancel;
  std::string suffix() const { return "." + std::to_string(bits); }
};

// Random plaintexts below N.
Bytes random_plaintexts(const PaillierPublicKey& key, std::size_t count) {
  Bytes out(count * key.plaintext_size());
  system_rng().fill(out);
  for (std::size_t i = 0; i < count; ++i) out[i * key.plaintext_size()] = 0;
  return out;
}

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

// Textbook encryption of the plaintext by mpz_powm.
void encrypt_plainly(const PaillierPublicKey& key, ByteView plaintext) {
  Number n(key.n()), m(plaintext), r(random_plaintexts(key, 1)), square, c;
  mpz_mul(square.get(), n.get(), n.get());
  mpz_powm(r.get(), r.get(), n.get(), square.get());
  mpz_mul(c.get(), m.get(), n.get());
  mpz_add_ui(c.get(), c.get(), 1);
  mpz_mul(c.get(), c.get(), r.get());
  mpz_mod(c.get(), c.get(), square.get());
  if (mpz_sgn(c.get()) == 0) std::abort();  // keeps the result alive
}

template <class Encryptor>
void bench_encryptor(const Setting& s, const std::string& name, const Encryptor& encryptor) {
  const PaillierPublicKey& key = s.key.public_key();
  const Bytes plaintexts = random_plaintexts(key, kBatch);
  Bytes ciphertexts(kBatch * key.ciphertext_size()), back(plaintexts.size());
  const Turns turns = in_turns(
      kSeconds, [&] { encryptor.encrypt(plaintexts, ciphertexts, s.pool, s.cancel); },
      [&] {
        for (std::size_t i = 0; i < kPlainBatch; ++i)
          encrypt_plainly(key, ByteView(plaintexts).subspan(i * key.plaintext_size(), key.plaintext_size()));
      });
  PaillierDecryptor(s.key).decrypt(ciphertexts, back, s.pool, s.cancel);
  require(back == plaintexts, "an encryption is wrong");
  report(name + s.suffix(), kBatch * turns.count / turns.first, "1/s per core",
         {"textbook encryption, GMP mpz_powm", kPlainBatch * turns.count / turns.second}, Better::more);
}

// Decryption by CRT with mpz_powm; the constants of the key are computed once.
class PlainDecryptor {
 public:
  explicit PlainDecryptor(const PaillierPrivateKey& key) : p_(view_of(key.p())), q_(view_of(key.q())) {
    prepare(p_, q_, p_square_, p_less_, h_p_);
    prepare(q_, p_, q_square_, q_less_, h_q_);
    mpz_invert(p_inverse_.get(), p_.get(), q_.get());
  }

  Bytes decrypt(ByteView ciphertext, std::size_t size) {
    Number c(ciphertext), m_p, m_q;
    half(c, p_, p_square_, p_less_, h_p_, m_p);
    half(c, q_, q_square_, q_less_, h_q_, m_q);
    mpz_sub(m_q.get(), m_q.get(), m_p.get());
    mpz_mul(m_q.get(), m_q.get(), p_inverse_.get());
    mpz_mod(m_q.get(), m_q.get(), q_.get());
    mpz_addmul(m_p.get(), m_q.get(), p_.get());
    return m_p.bytes(size);
  }

 private:
  // h = L((1+N)^(p-1) mod p^2)^-1 mod p = (q * (p-1))^-1 mod p.
  static void prepare(Number& p, Number& q, Number& square, Number& less, Number& h) {
    mpz_mul(square.get(), p.get(), p.get());
    mpz_sub_ui(less.get(), p.get(), 1);
    mpz_mul(h.get(), q.get(), less.get());
    mpz_invert(h.get(), h.get(), p.get());
  }
  static void half(Number& c, Number& p, Number& square, Number& less, Number& h, Number& m) {
    mpz_mod(m.get(), c.get(), square.get());
    mpz_powm(m.get(), m.get(), less.get(), square.get());
    mpz_sub_ui(m.get(), m.get(), 1);
    mpz_divexact(m.get(), m.get(), p.get());
    mpz_mul(m.get(), m.get(), h.get());
    mpz_mod(m.get(), m.get(), p.get());
  }

  Number p_, q_, p_square_, q_square_, p_less_, q_less_, h_p_, h_q_, p_inverse_;
};

void bench_decrypt(const Setting& s, ByteView ciphertexts) {
  const PaillierPublicKey& key = s.key.public_key();
  const PaillierDecryptor decryptor(s.key);
  PlainDecryptor plain(s.key);
  Bytes plaintexts(kBatch * key.plaintext_size());
  const Turns turns = in_turns(
      kSeconds, [&] { decryptor.decrypt(ciphertexts, plaintexts, s.pool, s.cancel); },
      [&] {
        for (std::size_t i = 0; i < kPlainBatch; ++i) {
          const Bytes m = plain.decrypt(ciphertexts.subspan(i * key.ciphertext_size(), key.ciphertext_size()),
                                        key.plaintext_size());
          require(std::equal(m.begin(), m.end(), plaintexts.begin() + i * key.plaintext_size()),
                  "a decryption is wrong");
        }
      });
  report("paillier.decrypt" + s.suffix(), kBatch * turns.count / turns.first, "1/s per core",
         {"CRT decryption, GMP mpz_powm", kPlainBatch * turns.count / turns.second}, Better::more);
}

void bench_add(const Setting& s, ByteView ciphertexts) {
  const PaillierPublicKey& key = s.key.public_key();
  const PaillierEvaluator evaluator(key);
  const std::size_t size = key.ciphertext_size();
  Bytes sums(ciphertexts.size());
  Number square, sum;
  {
    Number n(key.n());
    mpz_mul(square.get(), n.get(), n.get());
  }
  const Turns turns = in_turns(
      kSeconds / 4, [&] { evaluator.add(ciphertexts, ciphertexts, sums, s.pool, s.cancel); },
      [&] {
        for (std::size_t i = 0; i < kBatch; ++i) {
          Number a(ciphertexts.subspan(i * size, size)), b(ciphertexts.subspan(i * size, size));
          mpz_mul(sum.get(), a.get(), b.get());
          mpz_mod(sum.get(), sum.get(), square.get());
          const Bytes bytes = sum.bytes(size);
          require(std::equal(bytes.begin(), bytes.end(), sums.begin() + i * size), "a sum is wrong");
        }
      });
  report("paillier.add" + s.suffix(), kBatch * turns.count / turns.first, "1/s per core",
         {"GMP mpz_mul, mpz_mod", kBatch * turns.count / turns.second}, Better::more);
}

double plain_keygen_seconds(int bits) {
  return seconds_of([&] {
    for (int prime = 0; prime < 2; ++prime) {
      BIGNUM* p = BN_secure_new();
      require(p && BN_generate_prime_ex(p, bits / 2, 1, nullptr, nullptr, nullptr) == 1, "no prime was found");
      BN_clear_free(p);
    }
  });
}

PaillierPrivateKey bench_keygen(int bits, bool wanted, const CancelToken& cancel) {
  double own = 0, plain = 0;
  PaillierPrivateKey key = PaillierPrivateKey::generate(bits, system_rng(), cancel);
  for (int i = 0; wanted && i < kKeys; ++i) {
    own += seconds_of([&] { key = PaillierPrivateKey::generate(bits, system_rng(), cancel); });
    plain += plain_keygen_seconds(bits);
  }
  if (wanted) {
    report("paillier.keygen." + std::to_string(bits), own / kKeys, "s",
           {"OpenSSL BN_generate_prime_ex, two safe primes", plain / kKeys}, Better::less);
  }
  return key;
}

void bench_bits(int bits, const Selection& selection) {
  const std::string suffix = "." + std::to_string(bits);
  bool any = false;
  for (const char* name : {"keygen", "own_encrypt", "mask_encrypt", "decrypt", "add"})
    any = any || selection.wants("paillier." + std::string(name) + suffix);
  if (!any) return;
  CancelToken cancel;
  ThreadPool pool(1);
  const PaillierPrivateKey key = bench_keygen(bits, selection.wants("paillier.keygen" + suffix), cancel);
  const Setting s{bits, key, pool, cancel};
  const PaillierOwnEncryptor own(key, system_rng());
  if (selection.wants("paillier.own_encrypt" + suffix)) bench_encryptor(s, "paillier.own_encrypt", own);
  if (selection.wants("paillier.mask_encrypt" + suffix))
    bench_encryptor(s, "paillier.mask_encrypt", PaillierMaskEncryptor(key.public_key(), system_rng()));
  Bytes ciphertexts(kBatch * key.public_key().ciphertext_size());
  own.encrypt(random_plaintexts(key.public_key(), kBatch), ciphertexts, pool, cancel);
  if (selection.wants("paillier.decrypt" + suffix)) bench_decrypt(s, ciphertexts);
  if (selection.wants("paillier.add" + suffix)) bench_add(s, ciphertexts);
}

}  // namespace
}  // namespace pgmpc::bench

int main(int argc, char** argv) {
  try {
    const pgmpc::bench::Selection selection(argc, argv);
    for (int bits : {2048, 3072}) pgmpc::bench::bench_bits(bits, selection);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_paillier: %s\n", error.what());
    return 1;
  }
}
