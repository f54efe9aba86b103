// A distributed comparison function: f(x) = beta if x < alpha, else 0, shared additively between two evaluators. The
// dealer knows alpha and beta.
//
// Terms
// key: what one evaluator needs: its own seed, and the correction words that both evaluators share.
// width: the number of field elements in beta.
// domain: the number of bits of alpha and x.
//
// Invariants
// Gates are processed level by level over the whole batch. Control bits are the low bits of the seeds and are cleared
// from them (rule F29).
//
// Security
// The generator is fixed-key AES-128 in Matyas-Meyer-Oseas form with a key derived from the sid (correlation robust;
// the key is public). The dealer neither branches on alpha and beta nor indexes by them.
//
// Source
// Boyle, Chandran, Gilboa, Gupta, Ishai, Kumar, Rathee, EUROCRYPT 2021, fig. 3.
#pragma once
#include <span>

#include "base/bytes.h"
#include "base/rng.h"
#include "sharing/field.h"
#include "sharing/prf.h"

namespace pgmpc {

struct DcfShape {
  int domain = 0;  // 1..126 bits
  int width = 1;   // elements in beta
  // Bytes of the correction words of one gate. Both evaluators get them; the seed adds 16.
  std::size_t correction_bytes() const { return static_cast<std::size_t>(domain) * (17 + 16 * width) + 16 * width; }
  std::size_t key_bytes() const { return 16 + correction_bytes(); }
};

class Dcf {
 public:
  explicit Dcf(ByteView public_key16) : cipher_(public_key16) {}

  // Makes the keys of a batch of gates: alphas[g] < 2^domain, betas[g*width ..]. Appends key_bytes() per gate to each
  // output.
  void generate(const DcfShape& shape, std::span<const u128> alphas, std::span<const Fp> betas, Rng& rng, Bytes& first,
                Bytes& second);

  // Returns this evaluator's shares (evaluator 0 or 1) of f_g(xs[g*points + k]) for k < points: width elements per gate
  // and point, in this order. Throws Error(protocol_violation) for keys of the wrong size.
  FpVector evaluate(const DcfShape& shape, int evaluator, ByteView keys, std::span<const u128> xs, int points);

 private:
  struct Gate;
  static void correct(Gate& gate, u128* out, unsigned a, std::span<const Fp> betas, std::span<Fp> values);
  // out[i] = H(inputs[i]). out and inputs must differ.
  void expand(std::span<const u128> inputs, std::span<u128> out);

  BlockCipher cipher_;
};

}  // namespace pgmpc
