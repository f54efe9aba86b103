// What: the inner loops of Paillier: arithmetic for batches of 8 records modulo root^2, where root is p, q or N, and
//       Fermat tests of 8 candidates at once. Two kernels: AVX512-IFMA (kernel_ifma.cpp) and portable
//       (kernel_portable.cpp), chosen at run time.
// Terms: pair = (x0, x1), the number x0 + root * x1 modulo root^2; lane = the place of one record in a batch;
//        entry = the pair of one lane by itself, in the kernel's own digits, as tables keep it;
//        R = 2^radix_bits, the kernel's Montgomery factor; Montgomery form of x = x * R modulo root^2;
//        canonical pair = both parts below root, n limbs each.
// Invariants: multiply(a, b) = a * b / R, so that a product with a factor that is not in Montgomery form leaves it.
//   The pair makes that cheap. Montgomery's reduction of x0 * y0 finds q with x0 * y0 + q * root = R * t, hence
//     (x0 + root x1)(y0 + root y1) / R = t + root * (x0 y1 + x1 y0 - q) / R  (mod root^2):
//   5 n^2 limb products instead of the 8 n^2 of Montgomery's method for the modulus root^2.
//   Lanes never mix. The IFMA kernel runs in constant time always, the portable one when asked to. Scratch belongs to
//   the caller (one KernelWork per thread), so that nothing stays behind on the stack.
#pragma once
#include <cstdint>
#include <memory>

#include "crypto/montgomery.h"

namespace pgmpc {

inline constexpr std::size_t kKernelLanes = 8;

enum class KernelKind { ifma, portable };

bool ifma_supported() noexcept;  // by this build and this processor
// What new kernels use: IFMA where the processor has it, unless the environment says PG_MPC_PORTABLE=1.
KernelKind selected_kernel() noexcept;
// For tests and benchmarks, which run both kernels in one process. Error(not_supported).
void select_kernel(KernelKind kind);

// 8 words of 64 bits: one digit of every lane, or 8 words of one lane.
struct alignas(64) KernelWord {
  std::uint64_t lane[kKernelLanes];
};
using KernelWords = SecretVector<KernelWord>;

struct KernelWork {
  std::size_t lanes = kKernelLanes;  // lanes in use, from 0 on: the portable kernel leaves the others alone
  KernelWords words;
  Limbs limbs;
};

// Of products with secret operands. variable: the faster products of GMP, which branch on their operands.
enum class Timing { constant, variable };

class PairKernel {
 public:
  // root odd, with its top limb not 0; at most 4096 bits.
  static std::unique_ptr<PairKernel> make(const Limbs& root, Timing timing, KernelKind kind = selected_kernel());
  virtual ~PairKernel() = default;
  PairKernel(const PairKernel&) = delete;
  PairKernel& operator=(const PairKernel&) = delete;

  std::size_t limbs() const { return root_.size(); }
  const Limbs& root() const { return root_; }
  std::size_t radix_bits() const { return radix_bits_; }
  std::size_t batch_size() const { return batch_size_; }  // KernelWords
  std::size_t entry_size() const { return entry_size_; }  // words of 64 bits, a multiple of 8
  KernelWork work(std::size_t lanes = kKernelLanes) const;

  // out = a * b / R and out = a * a / R; out overlaps neither a nor b.
  virtual void multiply(KernelWord* out, const KernelWord* a, const KernelWord* b, KernelWork& work) const = 0;
  virtual void square(KernelWord* out, const KernelWord* a, KernelWork& work) const = 0;
  // Canonical pair (x0, then x1: 2n limbs) into and out of a lane. store takes what multiply or square returned.
  virtual void load(KernelWord* batch, std::size_t lane, const mp_limb_t* pair) const = 0;
  virtual void store(mp_limb_t* pair, const KernelWord* batch, std::size_t lane, KernelWork& work) const = 0;
  // Between a batch and one entry per lane. The lanes' entries may be the same for gather.
  virtual void gather(KernelWord* batch, const std::uint64_t* const* entries, std::size_t lanes) const = 0;
  virtual void scatter(std::uint64_t* const* entries, const KernelWord* batch, std::size_t lanes) const = 0;
  // out = table[index] of `count` batches; reads all of them, so that the access does not depend on the index.
  virtual void select(KernelWord* out, const KernelWord* table, std::size_t count, std::size_t index) const = 0;

 protected:
  PairKernel(const Limbs& root, std::size_t radix_bits, std::size_t batch_size, std::size_t entry_size)
      : root_(root.clone()), radix_bits_(radix_bits), batch_size_(batch_size), entry_size_(entry_size) {}
  std::size_t scratch_words_ = 0, scratch_limbs_ = 0;

 private:
  Limbs root_;
  std::size_t radix_bits_, batch_size_, entry_size_;
};

// Bit i of the result: 2^(m-1) = 1 modulo m for m = candidate i. Candidates: odd, n limbs each, count <= 8.
// Time and memory access depend on sizes only with IFMA; the portable kernel uses GMP's products.
unsigned fermat_base_two(const mp_limb_t* candidates, std::size_t n, std::size_t count,
                         KernelKind kind = selected_kernel());

// The pieces that kernel.cpp puts together.
std::unique_ptr<PairKernel> make_ifma_kernel(const Limbs& root);
std::unique_ptr<PairKernel> make_portable_kernel(const Limbs& root, Timing timing);
unsigned fermat_ifma(const mp_limb_t* candidates, std::size_t n, std::size_t count);
unsigned fermat_portable(const mp_limb_t* candidates, std::size_t n, std::size_t count);

}  // namespace pgmpc
