// Products with powers of one fixed base modulo a fixed square, for 8 records at once.
// The exponent is cut into windows. Each window has one table, and each record is multiplied by one entry per window.
// There are no squarings.
//
// Terms
// window: some consecutive bits of the exponent.
// row: the table of one window i: 2^window powers of base^(2^(window * i)), as entries of bignum/kernel.h. Their
// exponents start at -2^window / 2, because a power and its inverse are made together.
// shift: the power of base that compensates for all these negative exponents; it is the same for all records.
// kept: all rows exist at the same time.
// streamed: a row exists only while all records are multiplied by their entries of it.
//
// Streamed rows suit many records at once. They stay in the processor's cache, and memory does not grow with the
// exponent. Windows can be wide, because a row costs the same for any number of records. Threads make one row each,
// then share the records. Kept rows suit records that come a few at a time.
//
// Invariants
// Every window costs one product, whatever its digit. Everything made from the base, the exponents or the records is
// cleansed.
//
// Security
// Which entries of a row are read depends on the exponent, which is fresh for every record. Long-lived exponents go
// through bignum/secret_power.h.
//
// Source
// Brickell, Gordon, McCurley, Wilson 1992; docs/design/paillier-kernels.md.
//
// Threads
// multiply() only reads the object and may run on many threads.
#pragma once
#include <algorithm>

#include "base/thread_pool.h"
#include "bignum/pair_modulus.h"

namespace pgmpc {

// The value of `records` that asks for kept rows: it is not known how many records will come.
inline constexpr std::size_t kRecordsOneByOne = 0;

class FixedBase {
 public:
  // base: 2n limbs, below the square and coprime to it. memory: bytes for rows and for the records in work; if it is
  // too small, the smallest possible amount is used. records: how many will come in all. modulus outlives this object.
  FixedBase(const PairModulus& modulus, const Limbs& base, std::size_t exponent_bits, std::size_t memory,
            std::size_t records);
  // pairs[i] *= base^exponents[i] for `count` records. Pairs are canonical, of 2n limbs, not in Montgomery form.
  // Exponents have exponent_limbs() limbs each and are below 2^exponent_bits. The call is fastest with
  // records_at_once() records, or with all there are. Throws Error(cancelled).
  void multiply(mp_limb_t* pairs, const mp_limb_t* exponents, std::size_t count, ThreadPool& pool,
                const CancelToken& cancel) const;
  std::size_t exponent_limbs() const { return (exponent_bits_ + 63) / 64; }
  std::size_t records_at_once() const { return records_at_once_; }
  std::size_t window() const { return window_; }
  std::size_t row_bytes() const;
  std::size_t kept_bytes() const { return kept_.size() * sizeof(KernelWord); }

 private:
  struct Batches;
  bool kept() const { return !kept_.empty(); }
  std::size_t row_words() const { return row_bytes() / sizeof(KernelWord); }
  void choose_window(std::size_t memory, std::size_t records);
  void make_steps(const Limbs& base);
  void make_identity();
  void set_tails(Limbs& powers) const;
  const mp_limb_t* step(std::size_t window, std::size_t doubling) const;
  std::size_t row_bits(std::size_t window) const { return std::min(window_, exponent_bits_ - window * window_); }
  void load_power(KernelWord* power, std::size_t lane, const mp_limb_t* numbers) const;
  void build_row(KernelWord* row, std::size_t window) const;
  void keep_rows();
  std::size_t digit(const mp_limb_t* exponent, std::size_t window) const;
  void multiply_rows(Batches& batches, const KernelWord* rows, std::size_t first, std::size_t count, std::size_t begin,
                     std::size_t end) const;
  void finish(mp_limb_t* pairs, Batches& batches, std::size_t batch) const;

  const PairModulus* modulus_;
  std::size_t exponent_bits_, window_ = 0, windows_ = 0, records_at_once_ = 0, row_memory_ = 0;
  Limbs identity_;     // 1 as a power, four numbers
  Limbs steps_;        // base^1, base^2, base^4, base^8 of each window as powers, base being the window's own
  KernelWords shift_;  // a running product, in all lanes
  KernelWords identity_entry_;
  KernelWords kept_;
};

}  // namespace pgmpc
