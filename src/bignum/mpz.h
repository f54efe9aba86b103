// GMP numbers for Paillier (crypto/paillier.h). Integer is an mpz_t that cleanses itself, for setup work. Limbs are
// little-endian limb strings of fixed size, for what is kept and for the inner loops.
//
// Invariants
// An Integer never outlives the call that made it. Limbs are used with mpn functions only, which keep no memory from
// GMP's replaceable allocators. Growth of an Integer may leave limbs behind in freed memory, so Integers are made with
// room for the largest number that they will hold.
#pragma once
#include <gmp.h>

#include <cstdint>
#include <span>

#include "base/secret.h"

namespace pgmpc {

static_assert(GMP_NUMB_BITS == 64, "GMP without nails, 64-bit limbs");

class Integer {
 public:
  static constexpr mp_bitcnt_t kRoom = 4 * 4096 + 256;  // bits: a product of two numbers modulo N^2

  Integer() { mpz_init2(value_, kRoom); }
  explicit Integer(unsigned long small) : Integer() { mpz_set_ui(value_, small); }
  explicit Integer(ByteView big_endian) : Integer() {
    mpz_import(value_, big_endian.size(), 1, 1, 1, 0, big_endian.data());
  }
  Integer(const Integer& other) : Integer() { mpz_set(value_, other.value_); }
  Integer& operator=(const Integer& other) {
    mpz_set(value_, other.value_);
    return *this;
  }
  ~Integer() {
    cleanse(mpz_limbs_modify(value_, value_->_mp_alloc),
            static_cast<std::size_t>(value_->_mp_alloc) * sizeof(mp_limb_t));
    mpz_clear(value_);
  }
  operator mpz_ptr() { return value_; }
  operator mpz_srcptr() const { return value_; }
  std::size_t bits() const { return mpz_sgn(value_) == 0 ? 0 : mpz_sizeinbase(value_, 2); }
  // Stores the number big-endian in out.size() bytes. Throws Error(internal) when it is negative or does not fit.
  void store(std::span<std::uint8_t> out) const;

 private:
  mpz_t value_;
};

using Limbs = SecretVector<mp_limb_t>;

// Conversions of fixed size: 8 * n bytes for n limbs. limbs_of throws Error(internal) unless 8 divides the size.
void limbs_from_bytes(mp_limb_t* limbs, std::size_t n, const std::uint8_t* big_endian);
void bytes_from_limbs(std::uint8_t* big_endian, const mp_limb_t* limbs, std::size_t n);
Limbs limbs_of(ByteView big_endian);
Limbs limbs_of(const Integer& value, std::size_t n);  // zero padded; Error(internal) when it does not fit

// A fixed odd modulus and products modulo it, in variable time. Scratch comes from the caller, one per thread.
class Modulus {
 public:
  explicit Modulus(Limbs value) : value_(std::move(value)) {}
  std::size_t size() const { return value_.size(); }
  const mp_limb_t* limbs() const { return value_.data(); }
  std::size_t scratch() const { return 4 * size() + 1; }  // limbs that multiply needs
  // out = a * b mod value; all have size() limbs, and out may alias a or b.
  void multiply(mp_limb_t* out, const mp_limb_t* a, const mp_limb_t* b, mp_limb_t* scratch) const;
  // out = a mod value for a of n >= size() limbs. scratch: n + 1 limbs.
  void reduce(mp_limb_t* out, const mp_limb_t* a, std::size_t n, mp_limb_t* scratch) const;
  void wipe() noexcept { value_.wipe(); }

 private:
  Limbs value_;
};

}  // namespace pgmpc
