// Implements bignum/square_modulus.h.
#include "bignum/square_modulus.h"

namespace pgmpc {

namespace {
Limbs square_of(const Integer& root, std::size_t limbs) {
  Integer square;
  mpz_mul(square, root, root);
  return limbs_of(square, limbs);
}
}  // namespace

SquareModulus::SquareModulus(const Integer& root, std::size_t limbs)
    : root_(limbs_of(root, limbs)), square_(square_of(root, 2 * limbs)) {}

std::size_t batch_records(std::size_t in_bytes, std::size_t in_record, std::size_t out_bytes, std::size_t out_record) {
  const std::size_t records = in_bytes / in_record;
  if (records * in_record != in_bytes || records * out_record != out_bytes)
    throw Error(ErrorCode::internal, "a batch of plaintexts or ciphertexts has an invalid size");
  return records;
}

void check_plaintext(const mp_limb_t* plaintext, const Limbs& n) {
  if (mpn_cmp(plaintext, n.data(), static_cast<mp_size_t>(n.size())) >= 0)
    throw Error(ErrorCode::invalid_parameter, "a plaintext is not below N");
}

}  // namespace pgmpc
