// What: arithmetic modulo root^2, where root is p, q or N: the part that encryption and decryption share; and the size
//       checks of the batch calls.
// Terms: one-plus factor = 1 + root * t modulo root^2: what a plaintext becomes in a ciphertext.
#pragma once
#include <cstdint>

#include "base/error.h"
#include "crypto/mpz.h"

namespace pgmpc {

class SquareModulus {
 public:
  SquareModulus(const Integer& root, std::size_t limbs);
  const Modulus& root() const { return root_; }
  const Modulus& square() const { return square_; }
  std::size_t scratch() const { return 12 * root_.size() + 8; }  // limbs, for every member function
  // x = x * (1 + root * t) mod root^2; x of 2n limbs, t of n limbs below root.
  void scale(mp_limb_t* x, const mp_limb_t* t, mp_limb_t* scratch) const;

 private:
  Modulus root_, square_;
};

// How many records a batch holds. Error(internal) when input and output do not belong together.
std::size_t batch_records(std::size_t in_bytes, std::size_t in_record, std::size_t out_bytes, std::size_t out_record);

// Error(invalid_parameter) unless a plaintext of n limbs is below N.
void check_plaintext(const mp_limb_t* plaintext, const Limbs& n);

inline constexpr std::size_t kPaillierChunk = 1024;  // records whose randomness is drawn at once
inline constexpr std::size_t kPaillierGrain = 8;     // records per piece of work of one thread

}  // namespace pgmpc
