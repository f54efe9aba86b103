// Measures operations per second on one core of the Paillier batch interface, beside plain GMP and OpenSSL.
//
// Names
// paillier.{keygen,own_encrypt,mask_encrypt,mask_encrypt_40000,decrypt,add}.{2048,3072,4096} use the kernel that this
// processor selects. With .avx2 or .portable appended they use a kernel for lesser processors.
//
// Terms
// Encryption: 5000 records as in the pilot (or 40000), including the time to make all tables from the key.
// Baselines: keygen: BN_generate_prime_ex(safe) twice, medians; encryptions: textbook (1+mN) r^N mod N^2 by mpz_powm;
// decrypt: CRT by mpz_powm; add: mpz_mul and mpz_mod. Results are compared, not only timed.
// All times are processor times of the measuring thread, so other work on the machine disturbs them little.
// PG_MPC_BENCH_KEYS: how many keys are generated for the median of keygen; the default is 20 (5 for 4096 bits).
#include <gmp.h>
#include <openssl/bn.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "bignum/kernel.h"
#include "crypto/paillier.h"
#include "report.h"

namespace pgmpc::bench {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kPlainBatch = 4;  // of the slow baselines
constexpr double kSeconds = 2.0;        // per side and operation
constexpr std::size_t kRecords = 5000, kManyRecords = 40000;
constexpr int kKeys = 20;  // below 4096 bits
constexpr int kLargeKeys = 5;

// The processor times of two bodies, and the number of turns.
struct Turns {
  int count = 0;
  double first = 0, second = 0;
};

// Runs two bodies in turns until each has used `budget` seconds of processor time, or both together 20 times as much.
Turns cpu_turns(double budget, const std::function<void()>& first, const std::function<void()>& second) {
  Turns turns;
  while (turns.count < 2 || turns.first < budget || turns.second < budget) {
    turns.first += cpu_seconds_of(first);
    turns.second += cpu_seconds_of(second);
    ++turns.count;
    if (turns.first + turns.second > 20 * budget) break;
  }
  return turns;
}

// Operations per second of one run of a long body, and of a short one that runs repeatedly before and after it.
struct Rates {
  double value = 0, baseline = 0;
};
Rates rates_of(std::size_t records, const std::function<void()>& body, std::size_t plain_records,
               const std::function<void()>& plain) {
  double plain_seconds = 0;
  std::size_t plain_count = 0;
  const auto run_plain = [&] {
    for (const double end = plain_seconds + kSeconds / 2; plain_seconds < end; plain_count += plain_records)
      plain_seconds += cpu_seconds_of(plain);
  };
  run_plain();
  const double seconds = cpu_seconds_of(body);
  run_plain();
  return {static_cast<double>(records) / seconds, static_cast<double>(plain_count) / plain_seconds};
}

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
  std::string kernel;  // "", ".avx2" or ".portable"
  std::string suffix() const { return "." + std::to_string(bits) + kernel; }
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

// Encrypts the plaintext in the textbook way, by mpz_powm.
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

// Measures one encryptor. make: creates an encryptor of a given size.
void bench_encryptor(const Setting& s, const std::string& name, std::size_t records, const auto& make) {
  const PaillierPublicKey& key = s.key.public_key();
  const Bytes plaintexts = random_plaintexts(key, records);
  Bytes ciphertexts(records * key.ciphertext_size()), back(kBatch * key.plaintext_size());
  const Rates rates = rates_of(
      records,
      [&] {
        const auto encryptor = make(EncryptorSize{kPaillierTableBytes, records});
        encryptor.encrypt(plaintexts, ciphertexts, s.pool, s.cancel);
      },
      kPlainBatch,
      [&] {
        for (std::size_t i = 0; i < kPlainBatch; ++i)
          encrypt_plainly(key, ByteView(plaintexts).subspan(i * key.plaintext_size(), key.plaintext_size()));
      });
  const std::size_t last = records - kBatch;
  PaillierDecryptor(s.key).decrypt(ByteView(ciphertexts).subspan(last * key.ciphertext_size()), back, s.pool, s.cancel);
  require(std::equal(back.begin(), back.end(), plaintexts.begin() + last * key.plaintext_size()),
          "an encryption is wrong");
  report(name + s.suffix(), rates.value, "1/s per core", {"textbook encryption, GMP mpz_powm", rates.baseline},
         Better::more);
}

// Decrypts by CRT with mpz_powm. The constants of the key are computed once.
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
  const Turns turns = cpu_turns(
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
  const Turns turns = cpu_turns(
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
  return cpu_seconds_of([&] {
    for (int prime = 0; prime < 2; ++prime) {
      BIGNUM* p = BN_secure_new();
      require(p && BN_generate_prime_ex(p, bits / 2, 1, nullptr, nullptr, nullptr) == 1, "no prime was found");
      BN_clear_free(p);
    }
  });
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

int keys_of(int bits) {
  const char* wanted = std::getenv("PG_MPC_BENCH_KEYS");
  if (wanted != nullptr) return std::max(1, std::atoi(wanted));
  return bits < 4096 ? kKeys : kLargeKeys;
}

struct Kernel {
  KernelKind kind;
  std::string suffix;
};

void bench_keygen(int bits, const std::vector<Kernel>& kernels, const CancelToken& cancel) {
  std::vector<double> plain;
  std::vector<std::vector<double>> own(kernels.size());
  for (int i = 0; i < keys_of(bits); ++i) {
    for (std::size_t k = 0; k < kernels.size(); ++k) {
      select_kernel(kernels[k].kind);
      own[k].push_back(cpu_seconds_of([&] { PaillierPrivateKey::generate(bits, system_rng(), cancel); }));
    }
    plain.push_back(plain_keygen_seconds(bits));
  }
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    report("paillier.keygen." + std::to_string(bits) + kernels[k].suffix, median(own[k]), "s",
           {"OpenSSL BN_generate_prime_ex, two safe primes", median(plain)}, Better::less);
  }
}

void bench_operations(const Setting& s, const Selection& selection) {
  const auto wants = [&](const std::string& name) { return selection.wants("paillier." + name + s.suffix()); };
  const auto own = [&](EncryptorSize size) { return PaillierOwnEncryptor(s.key, system_rng(), size); };
  const auto mask = [&](EncryptorSize size) { return PaillierMaskEncryptor(s.key.public_key(), system_rng(), size); };
  if (wants("own_encrypt")) bench_encryptor(s, "paillier.own_encrypt", kRecords, own);
  if (wants("mask_encrypt")) bench_encryptor(s, "paillier.mask_encrypt", kRecords, mask);
  if (wants("mask_encrypt_40000")) bench_encryptor(s, "paillier.mask_encrypt_40000", kManyRecords, mask);
  Bytes ciphertexts(kBatch * s.key.public_key().ciphertext_size());
  own({}).encrypt(random_plaintexts(s.key.public_key(), kBatch), ciphertexts, s.pool, s.cancel);
  if (wants("decrypt")) bench_decrypt(s, ciphertexts);
  if (wants("add")) bench_add(s, ciphertexts);
}

void bench_bits(int bits, const Selection& selection) {
  const CancelToken cancel;
  ThreadPool pool(1);
  const std::string size = "." + std::to_string(bits);
  std::vector<Kernel> kernels, keygens, operations;
  if (selected_kernel() == KernelKind::ifma) kernels.push_back({KernelKind::ifma, ""});
  if (avx2_supported()) kernels.push_back({KernelKind::avx2, ".avx2"});
  kernels.push_back({KernelKind::portable, ".portable"});
  for (const Kernel& kernel : kernels) {
    if (selection.wants("paillier.keygen" + size + kernel.suffix)) keygens.push_back(kernel);
    for (const char* name : {"own_encrypt", "mask_encrypt", "mask_encrypt_40000", "decrypt", "add"}) {
      if (!selection.wants("paillier." + std::string(name) + size + kernel.suffix)) continue;
      operations.push_back(kernel);
      break;
    }
  }
  const KernelKind before = selected_kernel();
  if (!keygens.empty()) bench_keygen(bits, keygens, cancel);
  select_kernel(before);
  if (operations.empty()) return;
  const PaillierPrivateKey key = PaillierPrivateKey::generate(bits, system_rng(), cancel);
  for (const Kernel& kernel : operations) {
    select_kernel(kernel.kind);
    bench_operations({bits, key, pool, cancel, kernel.suffix}, selection);
  }
  select_kernel(before);
}

}  // namespace
}  // namespace pgmpc::bench

int main(int argc, char** argv) {
  return pgmpc::bench::run_selected("bench_paillier", argc, argv, [](const pgmpc::bench::Selection& selection) {
    for (int bits : {2048, 3072, 4096}) pgmpc::bench::bench_bits(bits, selection);
  });
}
