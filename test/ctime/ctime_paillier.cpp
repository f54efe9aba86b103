// What: evidence that decryption's powers run in constant time, in the manner of secp256k1's ctime tests: under
// valgrind
//       the secrets are marked as undefined memory, and memcheck reports every branch and every address that depends on
//       them. The portable kernel (valgrind has no AVX-512).
// Secret here: the exponent, the prime (root of the kernel) and the base with everything computed from them.
// Arguments: secret: must run without a report; control: branches on one secret bit, must be reported.
#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstring>

#include "crypto/secret_power.h"

namespace pgmpc {
namespace {

constexpr std::size_t kLimbs = 24;  // the primes of 3072 bits

void hide(const void* at, std::size_t size) { VALGRIND_MAKE_MEM_UNDEFINED(at, size); }

// An odd number of kLimbs limbs with its top bit set. Any will do: what runs does not depend on it.
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

int run(bool control) {
  const PairModulus modulus(modulus_value(), kLimbs, Timing::constant);
  const PairKernel& kernel = modulus.kernel();
  const std::size_t size = kernel.batch_size();
  Limbs base(2 * kLimbs), exponent(2), pair(2 * kLimbs);
  for (std::size_t i = 0; i < kLimbs; ++i) base[i] = 0x9e3779b97f4a7c15ul * (i + 3);
  exponent[0] = 0xfedcba9876543210ul;
  exponent[1] = 0x8000000000000001ul;
  const KernelWords entered = modulus.spread(base);
  KernelWork work = kernel.work();
  KernelWords power(size), plain(size), scratch(secret_power_scratch(kernel));

  hide(exponent.data(), exponent.size() * sizeof(mp_limb_t));
  hide(kernel.root().data(), kernel.root().size() * sizeof(mp_limb_t));
  hide(modulus.one(), size * sizeof(KernelWord));
  hide(entered.data(), size * sizeof(KernelWord));
  secret_power(power.data(), entered.data(), exponent, modulus, work, scratch.data());
  kernel.multiply(plain.data(), power.data(), modulus.unit(), work);
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) kernel.store(pair.data(), plain.data(), lane, work);
  mp_limb_t marks = 0;
  if (VALGRIND_GET_VBITS(pair.data(), &marks, sizeof marks) != 1 || marks == 0) {
    std::fputs("the marks did not reach the result: nothing was tested\n", stderr);
    return 2;
  }
  if (control && (exponent[0] & 1) != 0) std::puts("the secret bit is 1");
  return 0;
}

}  // namespace
}  // namespace pgmpc

int main(int argc, char** argv) {
  if (argc != 2 || RUNNING_ON_VALGRIND == 0) {
    std::fputs("usage: valgrind ctime_paillier secret|control\n", stderr);
    return 2;
  }
  pgmpc::select_kernel(pgmpc::KernelKind::portable);
  return pgmpc::run(std::strcmp(argv[1], "control") == 0);
}
