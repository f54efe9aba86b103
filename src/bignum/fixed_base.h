// What: products with powers of one fixed base modulo a fixed square: for every window of the exponent one table, one
//       product per window and record, no squarings; 8 records at once.
// Terms: window = some bits of the exponent; row = the table of one window i: 2^window powers of base^(2^(window * i)),
//        as entries of bignum/kernel.h, with exponents from -2^window / 2 on, since a power and its inverse are made
//        together; shift = the power of base that makes up for all these negative exponents, the same for all records;
//        kept = all rows exist at the same time; streamed = rows exist only while all records are multiplied by their
//        entries of them.
// Streaming is for many records at once: rows stay in the processor's cache, memory does not grow with the exponent,
// and windows can be wide, since a row costs the same for any number of records. Threads make one row each, then share
// out the records. Kept rows are for records that come a few at a time. Invariants: every window costs one product
// whatever its digit. Everything made from the base, the exponents or the
//             records is cleansed. Reads of rows depend on the exponent, which is fresh for every record; long-lived
//             exponents go through bignum/secret_power.h. The object is only read by multiply(), which may run on many
//             threads.
#pragma once
#include <algorithm>

#include "base/thread_pool.h"
#include "bignum/pair_modulus.h"

namespace pgmpc {

// For kept rows, where it is not known how many records will come.
inline constexpr std::size_t kRecordsOneByOne = 0;

class FixedBase {
 public:
  // base: 2n limbs, below the square, coprime to it. memory: bytes for rows and for records under way; the least that
  // is possible is taken when it is too small. records: how many will come in all. modulus outlives this object.
  FixedBase(const PairModulus& modulus, const Limbs& base, std::size_t exponent_bits, std::size_t memory,
            std::size_t records);
  // pairs[i] *= base^exponents[i] for `count` records: canonical pairs of 2n limbs, not in Montgomery form, and
  // exponents of exponent_limbs() each, below 2^exponent_bits. Best for records_at_once() records, or all there are.
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
  Limbs steps_;        // of each window base^1, base^2, base^4, base^8 as powers, base being the window's own
  KernelWords shift_;  // a running product, in all lanes
  KernelWords identity_entry_;
  KernelWords kept_;
};

}  // namespace pgmpc
