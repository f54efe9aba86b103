// What: evidence that decryption runs in constant time, in the manner of secp256k1's ctime tests: secrets are marked
//       (base/constant_time.h), and memcheck or MemorySanitizer reports every branch and address that depends on them.
// Subjects: powers: SecretPower; with memcheck on the portable kernel, with MemorySanitizer on the IFMA one (valgrind
//           has no AVX-512; GMP, on which the portable kernel stands, is not instrumented).
//           powers_avx2: the same on the AVX2 kernel; memcheck only.
//           decryption: PaillierDecryptor as a whole, with its reductions, L and CRT, portable; memcheck only.
// Secret here: the exponent, both primes with everything derived from them, the base and all that is computed from it.
// Modes: secret: must run without a report; control: branches on one secret bit, must be reported.
#include <cstdio>
#include <cstring>

#include "base/constant_time.h"
#include "bignum/secret_power.h"
#include "crypto/paillier.h"
#include "support/test_keys.h"

#ifndef PG_MPC_CTIME_MSAN
#include <valgrind/memcheck.h>
#endif

namespace pgmpc {
namespace {

constexpr std::size_t kLimbs = 24;            // the primes of 3072 bits
[[maybe_unused]] constexpr int kSkipped = 3;  // what CTest takes as skipped

// Whether the mark of a secret reached this value: without it nothing was tested.
bool marked(const void* at, std::size_t size) {
#ifdef PG_MPC_CTIME_MSAN
  return __msan_test_shadow(at, size) >= 0;
#else
  Bytes marks(size);
  if (VALGRIND_GET_VBITS(at, marks.data(), size) != 1) return false;
  for (const std::uint8_t byte : marks)
    if (byte != 0) return true;
  return false;
#endif
}

int finish(const void* at, std::size_t size, bool control) {
  if (!marked(at, size)) {
    std::fputs("the marks did not reach the result: nothing was tested\n", stderr);
    return 2;
  }
  if (control && (*static_cast<const std::uint8_t*>(at) & 1) != 0) std::puts("the secret bit is 1");
  return 0;
}

// A number of kLimbs limbs, odd, with its top bit set. Any will do: what runs does not depend on it.
Integer modulus_value() {
  Integer out(1ul);
  for (std::size_t i = 0; i < kLimbs; ++i) {
    mpz_mul_2exp(out, out, 64);
    mpz_add_ui(out, out, 0xd1342543de82ef95ul * (i + 1) | 1);
  }
  mpz_tdiv_r_2exp(out, out, 64 * kLimbs);
  mpz_setbit(out, 64 * kLimbs - 1);
  return out;
}

void hide(const KernelWord* words, std::size_t count) { mark_secret(words, count * sizeof(KernelWord)); }

int powers(bool control) {
  const PairModulus modulus(modulus_value(), kLimbs, Timing::constant);
  const SecretPower power(modulus_value(), modulus);
  const PairKernel& kernel = modulus.kernel();
  const std::size_t size = kernel.batch_size();
  Limbs base(2 * kLimbs), pair(2 * kLimbs);
  for (std::size_t i = 0; i < kLimbs; ++i) base[i] = 0x9e3779b97f4a7c15ul * (i + 3);
  const KernelWords entered = modulus.spread(base);
  KernelWork work = kernel.work();
  KernelWords plain(size), scratch(power.scratch(kernel));

  power.mark_secrets();
  mark_secret(kernel.root().data(), kernel.root().size() * sizeof(mp_limb_t));
  hide(modulus.one(), size);
  hide(entered.data(), size);
  power.raise(plain.data(), entered.data(), modulus, work, scratch.data());
  const int status = finish(plain.data(), sizeof(KernelWord), control);
#ifndef PG_MPC_CTIME_MSAN  // store ends in GMP, which reads the marks and does not tell
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) kernel.store(pair.data(), plain.data(), lane, work);
#endif
  return status;
}

int decryption(bool control) {
  const PaillierPrivateKey& key = test_key();
  const PaillierPublicKey& shown = key.public_key();
  Bytes plaintexts(kKernelLanes * shown.plaintext_size()), ciphertexts(kKernelLanes * shown.ciphertext_size());
  for (std::size_t i = 0; i < kKernelLanes; ++i) plaintexts[(i + 1) * shown.plaintext_size() - 1] = 0x5a;
  ThreadPool pool(1);
  const CancelToken cancel;
  PaillierMaskEncryptor(shown, system_rng()).encrypt(plaintexts, ciphertexts, pool, cancel);
  const PaillierDecryptor decryptor(key);
  decryptor.mark_secrets();
  decryptor.decrypt(ciphertexts, plaintexts, pool, cancel);
  return finish(&plaintexts[shown.plaintext_size() - 1], 1, control);
}

}  // namespace
}  // namespace pgmpc

int main(int argc, char** argv) {
  using namespace pgmpc;
  if (argc != 3) {
    std::fputs("usage: ctime_paillier powers|powers_avx2|decryption secret|control\n", stderr);
    return 2;
  }
  const bool control = std::strcmp(argv[2], "control") == 0;
#ifdef PG_MPC_CTIME_MSAN
  if (!ifma_supported()) {
    std::puts("skipped: this processor has no AVX512-IFMA");
    return kSkipped;
  }
#else
  if (RUNNING_ON_VALGRIND == 0) {
    std::fputs("run this under valgrind\n", stderr);
    return 2;
  }
  const bool avx2 = std::strcmp(argv[1], "powers_avx2") == 0;
  if (avx2 && !avx2_supported()) {
    std::puts("skipped: this processor has no AVX2");
    return kSkipped;
  }
  select_kernel(avx2 ? KernelKind::avx2 : KernelKind::portable);
#endif
  return std::strcmp(argv[1], "decryption") == 0 ? decryption(control) : powers(control);
}
