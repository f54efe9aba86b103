// What: the Paillier scheme as the join uses it (reference: Paillier, EUROCRYPT 1999; Damgard-Jurik-Nielsen,
//       IJIS 9(6) 2010 for h_s; both conditions of the join's unlinkability, see below).
// Terms: N = p*q with safe primes p, q = 3 (mod 4); plaintext = integer in [0, N); ciphertext = integer in
//        (0, N^2), coprime to N; h_s = (x^2)^N mod N^2 for a random x: public, part of the public key;
//        own-key encryption = by the holder of p and q; mask encryption = under the other controller's key.
// h_s stays part of the key's format; nobody but its owner relies on it.
// Encodings: every plaintext is bits/8 bytes, every ciphertext 2*bits/8 bytes, big-endian, fixed size.
// Invariants: the randomness of own-key encryption and of masks is a square N-th residue (Jacobi symbol +1) and
//             mask exponents have bits+128 bits, so that the key owner, who recovers the randomness of a result,
//             learns nothing from it. Batches are independent records; kernels may reorder work inside a batch.
// Keys and contexts hold bytes or fixed limbs between calls, never an mpz_t: another extension may replace GMP's
// allocators in this process.
#pragma once
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/rng.h"
#include "base/secret.h"
#include "base/thread_pool.h"

namespace pgmpc {

class PaillierPublicKey {
 public:
  // Validates: 2048, 3072 or 4096 bits, odd, not a square, no factor below 2^16, 0 < h_s < N^2, Jacobi symbol
  // (h_s / N) = +1, and that h_s, h_s - 1 and h_s + 1 have no factor in common with N: such an h_s has order 1 or 2
  // modulo a factor. Error(invalid_text) names what failed.
  static PaillierPublicKey from_parts(Bytes n, Bytes h_s);
  static PaillierPublicKey decode(ByteView encoded);  // version byte 1, u16 bits, N, h_s
  Bytes encode() const;

  int bits() const { return static_cast<int>(n_.size()) * 8; }
  std::size_t plaintext_size() const { return n_.size(); }
  std::size_t ciphertext_size() const { return 2 * n_.size(); }
  const Bytes& n() const { return n_; }      // bits/8 bytes
  const Bytes& h_s() const { return h_s_; }  // 2*bits/8 bytes
  bool operator==(const PaillierPublicKey&) const = default;

 private:
  Bytes n_, h_s_;
};

class PaillierPrivateKey {
 public:
  static PaillierPrivateKey generate(int bits, Rng& rng, const CancelToken& cancel);
  static PaillierPrivateKey decode(ByteView encoded);  // version byte 1, u16 bits, p, q, h_s; validated (safe primes)
  SecretBytes encode() const;

  const PaillierPublicKey& public_key() const { return public_key_; }
  const SecretBytes& p() const { return p_; }  // bits/16 bytes each
  const SecretBytes& q() const { return q_; }
  void wipe() noexcept;

 private:
  PaillierPublicKey public_key_;
  SecretBytes p_, q_;
};

// What an encryptor may use: bytes for tables and records under way, and how many records it will encrypt in all, which
// decides how its tables are made (bignum/fixed_base.h). More memory makes encryption of many records faster.
inline constexpr std::size_t kPaillierTableBytes = 64'000'000;
struct EncryptorSize {
  std::size_t table_bytes = kPaillierTableBytes;
  std::size_t records = 64;  // 0: a few at a time, nobody knows how often
};

// Encrypts under the own key: CRT and fixed-base tables modulo p^2 and q^2, randomness uniform over the squares.
class PaillierOwnEncryptor {
 public:
  PaillierOwnEncryptor(const PaillierPrivateKey& key, Rng& rng, EncryptorSize size = {});
  ~PaillierOwnEncryptor();
  // plaintexts: count*plaintext_size bytes, ciphertexts: count*ciphertext_size bytes (out).
  void encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
               const CancelToken& cancel) const;
  // Records that are best encrypted by one call, within the memory given.
  std::size_t records_at_once() const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// Encrypts under somebody else's key: (1 + mN) * h^r, r of bits+128 random bits, fixed-base table of h. h is drawn by
// this object: h_s of the key was chosen by its owner.
class PaillierMaskEncryptor {
 public:
  PaillierMaskEncryptor(const PaillierPublicKey& key, Rng& rng, EncryptorSize size = {});
  ~PaillierMaskEncryptor();
  void encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
               const CancelToken& cancel) const;
  // Records that are best encrypted by one call, within the memory given.
  std::size_t records_at_once() const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// Multiplies fresh randomness into ciphertexts under somebody else's key, as the mask encryptor does, with a base of
// its own: h^r. What the key owner recovers as randomness of a result then says nothing of the records in it.
class PaillierRerandomizer {
 public:
  PaillierRerandomizer(const PaillierPublicKey& key, Rng& rng, EncryptorSize size = {});
  ~PaillierRerandomizer();
  // In place. The ciphertexts have been checked (PaillierEvaluator::check_ciphertexts).
  void rerandomize(std::span<std::uint8_t> ciphertexts, ThreadPool& pool, const CancelToken& cancel) const;
  // Records that are best taken by one call, within the memory given.
  std::size_t records_at_once() const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// What can be done without any private key.
class PaillierEvaluator {
 public:
  explicit PaillierEvaluator(const PaillierPublicKey& key);
  ~PaillierEvaluator();
  // Error(protocol_violation) unless 0 < c < N^2 and gcd(c, N) = 1.
  void check_ciphertext(ByteView ciphertext) const;
  // The same for a batch: what the third party does with every block that it receives.
  void check_ciphertexts(ByteView ciphertexts, ThreadPool& pool, const CancelToken& cancel) const;
  // sums[i] = a[i] + b[i] (product of ciphertexts). sums may alias a. Ranges are checked, gcds are not: both sides were
  // checked when they came in, and a product of units is a unit.
  void add(ByteView a, ByteView b, std::span<std::uint8_t> sums, ThreadPool& pool, const CancelToken& cancel) const;
  Bytes add(ByteView a, ByteView b) const;
  Bytes negate(ByteView a) const;
  Bytes multiply(ByteView a, std::int64_t factor) const;
  Bytes rerandomize(ByteView a, Rng& rng) const;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Decrypts by CRT. Time does not depend on the ciphertext; only p, q of one key are used for a whole batch.
class PaillierDecryptor {
 public:
  explicit PaillierDecryptor(const PaillierPrivateKey& key);
  ~PaillierDecryptor();
  void decrypt(ByteView ciphertexts, std::span<std::uint8_t> plaintexts, ThreadPool& pool,
               const CancelToken& cancel) const;
#ifdef PG_MPC_CTIME
  void mark_secrets() const;  // everything derived from p and q, for the constant-time tests (base/constant_time.h)
#endif

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace pgmpc
