// The Paillier scheme as the join uses it.
//
// Terms
// N = p*q with safe primes p, q = 3 (mod 4).
// plaintext: an integer in [0, N). ciphertext: an integer in (0, N^2), coprime to N.
// h_s = (x^2)^N mod N^2 for a random x, part of the public key. It stays in the key's format, but only its owner relies
// on it.
// own-key encryption: by the holder of p and q.
// mask encryption: under the other controller's key.
//
// Encodings
// Every plaintext is bits/8 bytes, every ciphertext 2*bits/8 bytes, big-endian, of fixed size.
//
// Invariants
// The randomness of own-key encryption and of masks is a square N-th residue (Jacobi symbol +1), and mask exponents
// have bits+128 bits. With both, the key owner, who recovers the randomness of a result, learns nothing from it.
// Batches are independent records; kernels may reorder the work inside a batch.
// Keys and contexts hold bytes or fixed limbs between calls, never an mpz_t: another extension may replace GMP's
// allocators in this process.
//
// Errors
// Batch calls throw Error(internal) when the sizes of input and output do not fit together, and Error(cancelled).
//
// Source
// Paillier, EUROCRYPT 1999; Damgard, Jurik, Nielsen, IJIS 9(6) 2010, for h_s; docs/design/paillier-kernels.md.
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
  // Validates the key: 2048, 3072 or 4096 bits, odd, not a square, no factor below 2^16, 0 < h_s < N^2, Jacobi symbol
  // (h_s / N) = +1. h_s, h_s - 1 and h_s + 1 must have no factor in common with N: otherwise h_s has order 1 or 2
  // modulo a factor, or is no unit. Error(invalid_text) names what failed.
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

// What an encryptor may use. More memory makes the encryption of many records faster. bignum/fixed_base.h chooses its
// tables by both numbers. table_bytes: for tables and for the records in work. records: how many will be encrypted in
// all.
inline constexpr std::size_t kPaillierTableBytes = 64'000'000;
struct EncryptorSize {
  std::size_t table_bytes = kPaillierTableBytes;
  std::size_t records = 64;  // 0: a few at a time, their number is not known
};

// Encrypts under the own key by CRT with fixed-base tables modulo p^2 and q^2. The randomness is uniform over the
// squares.
class PaillierOwnEncryptor {
 public:
  PaillierOwnEncryptor(const PaillierPrivateKey& key, Rng& rng, EncryptorSize size = {});
  ~PaillierOwnEncryptor();
  // plaintexts: count*plaintext_size bytes, ciphertexts: count*ciphertext_size bytes (output). Throws
  // Error(invalid_parameter) for a plaintext that is not below N.
  void encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
               const CancelToken& cancel) const;
  // The number of records that one call encrypts best within the given memory.
  std::size_t records_at_once() const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// Encrypts under the key of another party: (1 + mN) * h^r with r of bits+128 random bits and a fixed-base table of h.
// This object draws h, because the owner of the key chose its h_s (rule B8). encrypt() is used as that of the own
// encryptor.
class PaillierMaskEncryptor {
 public:
  PaillierMaskEncryptor(const PaillierPublicKey& key, Rng& rng, EncryptorSize size = {});
  ~PaillierMaskEncryptor();
  void encrypt(ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
               const CancelToken& cancel) const;
  // The number of records that one call encrypts best within the given memory.
  std::size_t records_at_once() const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// Multiplies fresh randomness h^r into ciphertexts under the key of another party, as the mask encryptor does, with a
// base of its own. The randomness of a result, which the key owner can recover, then reveals nothing about its records.
class PaillierRerandomizer {
 public:
  PaillierRerandomizer(const PaillierPublicKey& key, Rng& rng, EncryptorSize size = {});
  ~PaillierRerandomizer();
  // Works in place. The ciphertexts have been checked (PaillierEvaluator::check_ciphertexts).
  void rerandomize(std::span<std::uint8_t> ciphertexts, ThreadPool& pool, const CancelToken& cancel) const;
  // The number of records that one call takes best within the given memory.
  std::size_t records_at_once() const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// The operations that need no private key.
class PaillierEvaluator {
 public:
  explicit PaillierEvaluator(const PaillierPublicKey& key);
  ~PaillierEvaluator();
  // Throws Error(protocol_violation) unless 0 < c < N^2 and gcd(c, N) = 1.
  void check_ciphertext(ByteView ciphertext) const;
  // The same for a batch. The third party checks every block that it receives.
  void check_ciphertexts(ByteView ciphertexts, ThreadPool& pool, const CancelToken& cancel) const;
  // sums[i] encrypts a[i] + b[i]: the product of the ciphertexts. sums may alias a. Ranges are checked and throw
  // Error(protocol_violation). Gcds are not: both sides were checked on arrival, and a product of units is a unit. The
  // other operations take one ciphertext; all but add check it as check_ciphertext does.
  void add(ByteView a, ByteView b, std::span<std::uint8_t> sums, ThreadPool& pool, const CancelToken& cancel) const;
  Bytes add(ByteView a, ByteView b) const;
  Bytes negate(ByteView a) const;
  Bytes multiply(ByteView a, std::int64_t factor) const;
  Bytes rerandomize(ByteView a, Rng& rng) const;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Decrypts by CRT. The time does not depend on the ciphertext. Throws Error(protocol_violation) for an invalid
// ciphertext.
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
