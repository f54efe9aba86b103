#include "mpc/dcf.h"

#include <array>

#include "base/error.h"
#include "base/mutants.h"

namespace pgmpc {

namespace {
// Tweaks tell the outputs of one seed apart: bit 1 = side (0 left, 1 right), bits 2.. = 0 for the seed, 1.. for values.
// Bit 0 stays clear: it is the cleared control bit of the seed.
u128 tweak(int side, int what) { return static_cast<u128>(side) << 1 | static_cast<u128>(what) << 2; }
u128 mask_of(unsigned bit) { return static_cast<u128>(0) - static_cast<u128>(bit & 1); }
Fp select(Fp x, unsigned bit) {
  Fp out;
  out.v = x.v & mask_of(bit);
  return out;
}
Fp with_sign(Fp x, unsigned negative) { return select(x, 1 - (negative & 1)) - select(x, negative); }

u128 load_block(const std::uint8_t* in) {
  u128 x;
  std::memcpy(&x, in, 16);
  return x;
}
void append_block(Bytes& out, u128 x) {
  const std::size_t at = out.size();
  out.resize(at + 16);
  std::memcpy(out.data() + at, &x, 16);
}
}  // namespace

void Dcf::expand(std::span<const u128> inputs, std::span<u128> out) {
  scratch_.resize(inputs.size());
  const auto* in = reinterpret_cast<const std::uint8_t*>(inputs.data());
  auto* bytes = reinterpret_cast<std::uint8_t*>(scratch_.data());
  cipher_.encrypt({in, 16 * inputs.size()}, {bytes, 16 * inputs.size()});
  for (std::size_t i = 0; i < inputs.size(); ++i) out[i] = scratch_[i] ^ inputs[i];
}

void Dcf::generate(const DcfShape& shape, std::span<const u128> alphas, std::span<const Fp> betas, Rng& rng,
                   Bytes& first, Bytes& second) {
  const std::size_t gates = alphas.size();
  const int w = shape.width, per_seed = 2 * (1 + w);
  struct Gate {
    std::array<u128, 2> seed;
    unsigned t0 = 0, t1 = 1;  // control bits of the two evaluators
    SecretVector<Fp> value;   // V of the construction
    Bytes corrections;
  };
  std::vector<Gate> state(gates);
  std::vector<u128> roots(2 * gates);
  if (!mutant(Mutant::fixed_dcf_seeds)) rng.fill({reinterpret_cast<std::uint8_t*>(roots.data()), roots.size() * 16});
  for (std::size_t g = 0; g < gates; ++g) {
    state[g].seed = {roots[2 * g] & ~static_cast<u128>(1), roots[2 * g + 1] & ~static_cast<u128>(1)};
    state[g].value.resize(static_cast<std::size_t>(w));
    state[g].corrections.reserve(shape.correction_bytes());
    append_block(first, state[g].seed[0]);
    append_block(second, state[g].seed[1]);
    first.resize(first.size() + shape.correction_bytes());
    second.resize(second.size() + shape.correction_bytes());
  }
  SecretVector<u128> inputs(gates * 2 * per_seed), outputs(gates * 2 * per_seed);
  for (int level = 0; level < shape.domain; ++level) {
    for (std::size_t g = 0; g < gates; ++g)
      for (int b = 0; b < 2; ++b)
        for (int side = 0; side < 2; ++side)
          for (int what = 0; what <= w; ++what)
            inputs[((g * 2 + b) * 2 + side) * (1 + w) + what] = state[g].seed[b] ^ tweak(side, what);
    expand(inputs, outputs);
    for (std::size_t g = 0; g < gates; ++g) {
      Gate& s = state[g];
      const unsigned a = static_cast<unsigned>(alphas[g] >> (shape.domain - 1 - level)) & 1;
      auto out = [&](int b, unsigned side, int what) { return outputs[((g * 2 + b) * 2 + side) * (1 + w) + what]; };
      auto seed_of = [&](int b, unsigned side) { return out(b, side, 0) & ~static_cast<u128>(1); };
      auto bit_of = [&](int b, unsigned side) { return static_cast<unsigned>(out(b, side, 0)) & 1; };
      const unsigned keep = a, lose = 1 - a;
      const u128 seed_cw = seed_of(0, lose) ^ seed_of(1, lose);
      append_block(s.corrections, seed_cw);
      for (int j = 0; j < w; ++j) {
        const Fp v0_lose = Fp::reduce(out(0, lose, 1 + j)), v1_lose = Fp::reduce(out(1, lose, 1 + j));
        const Fp v0_keep = Fp::reduce(out(0, keep, 1 + j)), v1_keep = Fp::reduce(out(1, keep, 1 + j));
        // The lost branch is the left one exactly when this bit of alpha is 1: there x < alpha, so beta is added.
        const Fp plain = v1_lose - v0_lose - s.value[j] + select(betas[g * w + j], a);
        const Fp value_cw = with_sign(plain, s.t1);
        append_block(s.corrections, value_cw.v);
        s.value[j] = s.value[j] - v1_keep + v0_keep + with_sign(value_cw, s.t1);
      }
      const unsigned left_cw = bit_of(0, 0) ^ bit_of(1, 0) ^ a ^ 1, right_cw = bit_of(0, 1) ^ bit_of(1, 1) ^ a;
      s.corrections.push_back(static_cast<std::uint8_t>(left_cw | right_cw << 1));
      const unsigned keep_cw = (left_cw & (1 - a)) | (right_cw & a);
      const std::array<unsigned, 2> t = {s.t0, s.t1};
      for (int b = 0; b < 2; ++b) s.seed[b] = seed_of(b, keep) ^ (seed_cw & mask_of(t[b]));
      s.t0 = bit_of(0, keep) ^ (t[0] & keep_cw);
      s.t1 = bit_of(1, keep) ^ (t[1] & keep_cw);
    }
  }
  // Last correction: the leaf seeds, converted once more into elements.
  SecretVector<u128> leaf_in(gates * 2 * w), leaf(gates * 2 * w);
  for (std::size_t g = 0; g < gates; ++g)
    for (int b = 0; b < 2; ++b)
      for (int j = 0; j < w; ++j) leaf_in[(g * 2 + b) * w + j] = state[g].seed[b] ^ tweak(0, 1 + j);
  expand(leaf_in, leaf);
  const std::size_t base = first.size() - gates * shape.key_bytes();
  for (std::size_t g = 0; g < gates; ++g) {
    Gate& s = state[g];
    for (int j = 0; j < w; ++j) {
      const Fp c0 = Fp::reduce(leaf[(g * 2) * w + j]), c1 = Fp::reduce(leaf[(g * 2 + 1) * w + j]);
      append_block(s.corrections, with_sign(c1 - c0 - s.value[j], s.t1).v);
    }
    std::memcpy(first.data() + base + g * shape.key_bytes() + 16, s.corrections.data(), s.corrections.size());
    std::memcpy(second.data() + second.size() - (gates - g) * shape.key_bytes() + 16, s.corrections.data(),
                s.corrections.size());
    cleanse(s.seed.data(), sizeof s.seed);
  }
  cleanse(roots.data(), roots.size() * 16);
}

FpVector Dcf::evaluate(const DcfShape& shape, int evaluator, ByteView keys, std::span<const u128> xs, int points) {
  const std::size_t gates = xs.size() / static_cast<std::size_t>(points);
  const int w = shape.width;
  if (keys.size() != gates * shape.key_bytes())
    throw Error(ErrorCode::protocol_violation, "comparison keys have the wrong size");
  const unsigned negative = static_cast<unsigned>(evaluator);
  SecretVector<u128> seed(xs.size());
  std::vector<std::uint8_t> t(xs.size(), static_cast<std::uint8_t>(evaluator));
  FpVector value(xs.size() * w);
  for (std::size_t i = 0; i < xs.size(); ++i)
    seed[i] = load_block(keys.data() + i / points * shape.key_bytes()) & ~static_cast<u128>(1);
  SecretVector<u128> inputs(xs.size() * (1 + w)), outputs(xs.size() * (1 + w));
  for (int level = 0; level < shape.domain; ++level) {
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const int side = static_cast<int>(xs[i] >> (shape.domain - 1 - level)) & 1;
      for (int what = 0; what <= w; ++what) inputs[i * (1 + w) + what] = seed[i] ^ tweak(side, what);
    }
    expand(inputs, outputs);
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const unsigned side = static_cast<unsigned>(xs[i] >> (shape.domain - 1 - level)) & 1;
      const std::uint8_t* cw = keys.data() + i / points * shape.key_bytes() + 16 + level * (17 + 16 * w);
      const u128 next = outputs[i * (1 + w)];
      for (int j = 0; j < w; ++j) {
        const Fp v = Fp::reduce(outputs[i * (1 + w) + 1 + j]) + select(load(cw + 16 + 16 * j), t[i]);
        value[i * w + j] += with_sign(v, negative);
      }
      const unsigned bit_cw = static_cast<unsigned>(cw[16 + 16 * w]) >> side & 1;
      seed[i] = (next & ~static_cast<u128>(1)) ^ (load_block(cw) & mask_of(t[i]));
      t[i] = static_cast<std::uint8_t>((static_cast<unsigned>(next) & 1) ^ (t[i] & bit_cw));
    }
  }
  SecretVector<u128> leaf_in(xs.size() * w), leaf(xs.size() * w);
  for (std::size_t i = 0; i < xs.size(); ++i)
    for (int j = 0; j < w; ++j) leaf_in[i * w + j] = seed[i] ^ tweak(0, 1 + j);
  expand(leaf_in, leaf);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const std::uint8_t* last = keys.data() + i / points * shape.key_bytes() + 16 + shape.domain * (17 + 16 * w);
    for (int j = 0; j < w; ++j) {
      const Fp v = Fp::reduce(leaf[i * w + j]) + select(load(last + 16 * j), t[i]);
      value[i * w + j] += with_sign(v, negative);
    }
  }
  return value;
}

}  // namespace pgmpc
