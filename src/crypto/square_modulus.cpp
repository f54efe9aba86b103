// What: the bodies of crypto/square_modulus.h.
#include "crypto/square_modulus.h"

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

// x + root * ((x mod root) * t mod root): below 2 * root^2, so one subtraction at most.
void SquareModulus::scale(mp_limb_t* x, const mp_limb_t* t, mp_limb_t* scratch) const {
  const auto n = static_cast<mp_size_t>(root_.size());
  mp_limb_t *low = scratch, *product = scratch + n, *rest = scratch + 3 * n;
  root_.reduce(low, x, static_cast<std::size_t>(2 * n), rest);
  root_.multiply(low, low, t, rest);
  mpn_mul_n(product, low, root_.limbs(), n);
  const mp_limb_t carry = mpn_add_n(x, x, product, 2 * n);
  if (carry != 0 || mpn_cmp(x, square_.limbs(), 2 * n) >= 0) mpn_sub_n(x, x, square_.limbs(), 2 * n);
}

std::size_t batch_records(std::size_t in_bytes, std::size_t in_record, std::size_t out_bytes, std::size_t out_record) {
  const std::size_t records = in_bytes / in_record;
  if (records * in_record != in_bytes || records * out_record != out_bytes)
    throw Error(ErrorCode::internal, "a batch of plaintexts or ciphertexts has an impossible size");
  return records;
}

void check_plaintext(const mp_limb_t* plaintext, const Limbs& n) {
  if (mpn_cmp(plaintext, n.data(), static_cast<mp_size_t>(n.size())) >= 0)
    throw Error(ErrorCode::invalid_parameter, "a plaintext is not below N");
}

}  // namespace pgmpc
