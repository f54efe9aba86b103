// The inner loops of Paillier: arithmetic for batches of 8 records modulo root^2, where root is p, q or N, and Fermat
// tests of 8 candidates at once.
// There are three kernels: AVX512-IFMA (kernel_ifma.cpp), AVX2 (kernel_avx2.cpp) and portable (kernel_portable.cpp).
// The choice is made at run time. docs/design/paillier-kernels.md explains the method.
//
// Terms
// pair: (x0, x1), the number x0 + root * x1 modulo root^2.
// lane: the place of one record in a batch.
// R: 2^radix_bits, the kernel's Montgomery factor. The Montgomery form of x is x * R modulo root^2.
// canonical pair: both parts are below root, n limbs each.
// entry: what a table of a fixed base keeps of g^d, for one lane, in the kernel's own digits. It consists of two
// numbers modulo root, a residue y and a tail z, with g^d * R = y * (1 - root * z / R^2) modulo root^2.
// running product: a batch in the form in which the kernel multiplies it by entries.
// power: g^d and g^-d together, as tables are made: the residues y and v of both, then their tails.
//
// Invariants
// multiply(a, b) = a * b / R, so a product with a factor that is not in Montgomery form leaves that form. Lanes never
// mix. The vector kernels always run in constant time, the portable one on request. Scratch belongs to the caller (one
// KernelWork per thread), so no secret stays on the stack.
//
// Products of pairs
// Montgomery's reduction of x0 * y0 finds q with x0 * y0 + q * root = R * t, hence
//   (x0 + root x1)(y0 + root y1) / R = t + root * (x0 y1 + x1 y0 - q) / R  (mod root^2):
// 5 n^2 limb products instead of the 8 n^2 of Montgomery's method for the modulus root^2.
//
// Products with entries
// A product with an entry takes 4 n^2, or 3.5 where two are taken at once. It multiplies by (y, 0) and adds the tail z
// to the sum of its lane. At the end the caller multiplies once by 1 - root * z / R^2 for the sum of all z. For the
// product of two powers, y y' + q root = R t gives
//   y (1 - root z / R^2) y' (1 - root z' / R^2) / R = t (1 - root (z + z' + q R / t) / R^2)  (mod root^2),
// so the new tail is z + z' + q R / t = z + z' + q v / R. Here v = R^2 / t modulo root is the residue of the inverse.
// No number is inverted for it, and the entries of g^d and g^-d take 8 n^2 together.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/cpu.h"
#include "bignum/montgomery.h"

namespace pgmpc {

inline constexpr std::size_t kKernelLanes = 8;

// 8 words of 64 bits: one digit of every lane, or 8 words of one lane.
struct alignas(64) KernelWord {
  std::uint64_t lane[kKernelLanes];
};
using KernelWords = SecretVector<KernelWord>;

struct KernelWork {
  std::size_t lanes = kKernelLanes;  // lanes in use, from 0 on; the portable kernel skips the others
  KernelWords words;
  Limbs limbs;
};

// How products with secret operands are computed. variable: by the faster functions of GMP, which branch on operands.
enum class Timing { constant, variable };

class PairKernel {
 public:
  // root is odd, its top limb is not 0, and it has at most 4096 bits; otherwise throws Error(internal). Throws
  // Error(not_supported) when the processor lacks the kernel.
  static std::unique_ptr<PairKernel> make(const Limbs& root, Timing timing, KernelKind kind = selected_kernel());
  virtual ~PairKernel() = default;
  PairKernel(const PairKernel&) = delete;
  PairKernel& operator=(const PairKernel&) = delete;

  std::size_t limbs() const { return root_.size(); }
  const Limbs& root() const { return root_; }
  std::size_t radix_bits() const { return radix_bits_; }
  std::size_t part_size() const { return part_size_; }        // KernelWords of one number in 8 lanes
  std::size_t batch_size() const { return 2 * part_size_; }   // of 8 pairs
  std::size_t power_size() const { return 4 * part_size_; }   // of 8 powers: y, v, the tail of y, the tail of v
  std::size_t entry_size() const { return 2 * half_entry_; }  // words of 64 bits, a multiple of 16
  std::size_t sum_size() const { return half_entry_; }        // words of 64 bits; a sum starts as zeros
  KernelWork work(std::size_t lanes = kKernelLanes) const;

  // out = a * b / R and out = a * a / R; out overlaps neither a nor b.
  virtual void multiply(KernelWord* out, const KernelWord* a, const KernelWord* b, KernelWork& work) const = 0;
  virtual void square(KernelWord* out, const KernelWord* a, KernelWork& work) const = 0;
  // out = a * (y, 0) / R for a part y. If root has its top bit set, y may be any number of n limbs. out does not
  // overlap a.
  virtual void multiply_residue(KernelWord* out, const KernelWord* a, const KernelWord* y, KernelWork& work) const = 0;
  // multiply_part: out = x * y / R modulo root. add_part: sum += x modulo root. add: the same for pairs. Up to 16
  // results of multiply_part, or up to four of multiply_residue, may be added up. One result of multiply_part may be
  // added to the second part of a product. A sum may be one factor of a product if the other factor is a plain result.
  // Two sums must not be multiplied.
  virtual void multiply_part(KernelWord* out, const KernelWord* x, const KernelWord* y, KernelWork& work) const = 0;
  virtual void add_part(KernelWord* sum, const KernelWord* x, KernelWork& work) const = 0;
  virtual void add(KernelWord* sum, const KernelWord* x, KernelWork& work) const {
    add_part(sum, x, work);
    add_part(sum + part_size_, x + part_size_, work);
  }
  // Loads a number below root (n limbs) into a lane of a part.
  virtual void load_part(KernelWord* part, std::size_t lane, const mp_limb_t* number) const = 0;
  // load and store move a canonical pair (x0, then x1: 2n limbs) into and out of a lane. store takes the result of a
  // product.
  void load(KernelWord* batch, std::size_t lane, const mp_limb_t* pair) const {
    load_part(batch, lane, pair);
    load_part(batch + part_size_, lane, pair + limbs());
  }
  virtual void store(mp_limb_t* pair, const KernelWord* batch, std::size_t lane, KernelWork& work) const = 0;
  // Turn a pair into a running product, and back. The operands do not overlap.
  virtual void start_product(KernelWord* product, const KernelWord* pair, KernelWork&) const {
    std::copy_n(pair, batch_size(), product);
  }
  virtual void finish_product(KernelWord* pair, const KernelWord* product, KernelWork&) const {
    std::copy_n(product, batch_size(), pair);
  }
  // product *= (y, 0) / R and sum += z for both entries of each lane. The sums of the lanes lie one after the other.
  virtual void multiply_entries(KernelWord* product, const std::uint64_t* const* first,
                                const std::uint64_t* const* second, std::uint64_t* sums, KernelWork& work) const = 0;
  // number (n + 1 limbs) = the sum of up to 2^12 tails, not reduced.
  virtual void store_sum(mp_limb_t* number, const std::uint64_t* sum) const = 0;
  // Multiplies power by step, so their exponents add up. step is a power just loaded. At most 2^11 steps after loading.
  virtual void advance(KernelWord* power, const KernelWord* step, KernelWork& work) const = 0;
  // Writes the entries of g^d, or of g^-d, of 8 powers. A lane whose pointer is null is skipped.
  void write_entries(std::uint64_t* const* entries, const KernelWord* power, bool inverse) const {
    const KernelWord* residue = power + (inverse ? part_size_ : 0);
    write(entries, residue, residue + 2 * part_size_);
  }
  // out = table[index], one of `count` parts. It reads all of them, so the memory access does not depend on the index.
  virtual void select(KernelWord* out, const KernelWord* table, std::size_t count, std::size_t index) const = 0;

 protected:
  // Writes the entries made of residues and tails of 8 lanes.
  virtual void write(std::uint64_t* const* entries, const KernelWord* residues, const KernelWord* tails) const = 0;
  // half_entry: words of one number in an entry.
  PairKernel(const Limbs& root, std::size_t radix_bits, std::size_t part_size, std::size_t half_entry)
      : root_(root.clone()), radix_bits_(radix_bits), part_size_(part_size), half_entry_(half_entry) {}
  std::size_t scratch_words_ = 0, scratch_limbs_ = 0;

 private:
  Limbs root_;
  std::size_t radix_bits_, part_size_, half_entry_;
};

// Bit i of the result: 2^(m-1) = 1 modulo m for m = candidate i. Candidates are odd, n limbs each; count <= 8. With
// IFMA, time and memory access depend on sizes only. Other kinds use the portable test and GMP's variable-time
// squarings.
unsigned fermat_base_two(const mp_limb_t* candidates, std::size_t n, std::size_t count,
                         KernelKind kind = selected_kernel());

// What kernel.cpp chooses from.
std::unique_ptr<PairKernel> make_ifma_kernel(const Limbs& root);
std::unique_ptr<PairKernel> make_avx2_kernel(const Limbs& root);
std::unique_ptr<PairKernel> make_portable_kernel(const Limbs& root, Timing timing);
unsigned fermat_ifma(const mp_limb_t* candidates, std::size_t n, std::size_t count);
unsigned fermat_portable(const mp_limb_t* candidates, std::size_t n, std::size_t count);

}  // namespace pgmpc
