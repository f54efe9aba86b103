// A root (p, q or N) and its square as moduli for single numbers, and the checks of batch calls. The inner loops are in
// bignum/kernel.h.
#pragma once
#include <cstdint>

#include "base/error.h"
#include "bignum/mpz.h"

namespace pgmpc {

class SquareModulus {
 public:
  SquareModulus(const Integer& root, std::size_t limbs);
  const Modulus& root() const { return root_; }
  const Modulus& square() const { return square_; }

 private:
  Modulus root_, square_;
};

// Returns how many records a batch holds. Sizes are in bytes, in all and per record. Throws Error(internal) when they
// do not fit together.
std::size_t batch_records(std::size_t in_bytes, std::size_t in_record, std::size_t out_bytes, std::size_t out_record);

// Throws Error(invalid_parameter) unless a plaintext of as many limbs as n is below n.
void check_plaintext(const mp_limb_t* plaintext, const Limbs& n);

inline constexpr std::size_t kPaillierGrain = 8;  // records per unit of work of one thread: a kernel's batch

}  // namespace pgmpc
