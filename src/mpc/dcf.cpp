#include "mpc/dcf.h"

#include <array>

#include "base/error.h"
#include "base/mutants.h"

namespace pgmpc {

namespace {
// Tweaks distinguish the outputs of one seed: bit 1 is the side (0 left, 1 right), the bits from 2 on are 0 for the
// seed and 1 or more for values. Bit 0 stays clear: it is the cleared control bit of the seed.
u128 tweak(int side, int what) { return static_cast<u128>(side) << 1 | static_cast<u128>(what) << 2; }
u128 mask_of(unsigned bit) { return static_cast<u128>(0) - static_cast<u128>(bit & 1); }
// Returns x where the bit is set, else 0.
u128 select(u128 x, unsigned bit) { return x & mask_of(bit); }
Fp select(Fp x, unsigned bit) {
  Fp out;
  out.v = select(x.v, bit);
  return out;
}
Fp with_sign(Fp x, unsigned negative) { return select(x, 1 - (negative & 1)) - select(x, negative); }

u128 load_block(const std::uint8_t* in) {
  u128 x;
  std::memcpy(&x, in, 16);
  return x;
}
std::uint8_t* put_block(std::uint8_t* out, u128 x) {
  std::memcpy(out, &x, 16);
  return out + 16;
}

constexpr u128 kWithoutControl = ~static_cast<u128>(1);
unsigned control(u128 seed) { return static_cast<unsigned>(seed) & 1; }

// Exchanges left and right where the bit is set.
void swap_if(unsigned bit, u128& left, u128& right) {
  const u128 difference = select(left ^ right, bit);
  left ^= difference;
  right ^= difference;
}
}  // namespace

void Dcf::expand(std::span<const u128> inputs, std::span<u128> out) {
  const auto* in = reinterpret_cast<const std::uint8_t*>(inputs.data());
  cipher_.encrypt({in, 16 * inputs.size()}, {reinterpret_cast<std::uint8_t*>(out.data()), 16 * inputs.size()});
  for (std::size_t i = 0; i < inputs.size(); ++i) out[i] ^= inputs[i];
}

// The state of a gate while its key is made. V of the construction after a level does not depend on the one before: V'
// = V - v1_keep + v0_keep + (v1_lose - v0_lose - V + a beta), whatever the sign of the correction.
struct Dcf::Gate {
  std::array<u128, 2> seed{};
  unsigned t0 = 0, t1 = 1;  // control bits of the two evaluators
  std::uint8_t* corrections = nullptr;
};

// Processes one level of one gate. out: the expanded seeds, [evaluator][side][seed, values...]. a: the bit of alpha.
void Dcf::correct(Gate& gate, u128* out, unsigned a, std::span<const Fp> betas, std::span<Fp> values) {
  const std::size_t w = betas.size(), side = 1 + w;
  u128 *keep0 = out, *lose0 = keep0 + side, *keep1 = lose0 + side, *lose1 = keep1 + side;
  const unsigned left_cw = control(keep0[0]) ^ control(keep1[0]) ^ a ^ 1;
  const unsigned right_cw = control(lose0[0]) ^ control(lose1[0]) ^ a;
  for (std::size_t k = 0; k < side; ++k) {
    swap_if(a, keep0[k], lose0[k]);
    swap_if(a, keep1[k], lose1[k]);
  }
  const u128 seed_cw = (lose0[0] ^ lose1[0]) & kWithoutControl;
  gate.corrections = put_block(gate.corrections, seed_cw);
  for (std::size_t j = 0; j < w; ++j) {
    // The lost branch is the left one exactly when this bit of alpha is 1: there x < alpha, so beta is added.
    FpSum lost;
    lost.add(lose1[1 + j]);
    lost.subtract(lose0[1 + j]);
    lost.add(select(betas[j].v, a));
    FpSum correction = lost, value = lost;
    correction.subtract(values[j].v);
    value.add(keep0[1 + j]);
    value.subtract(keep1[1 + j]);
    values[j] = value.value();
    gate.corrections = put_block(gate.corrections, with_sign(correction.value(), gate.t1).v);
  }
  *gate.corrections++ = static_cast<std::uint8_t>(left_cw | right_cw << 1);
  const unsigned keep_cw = (left_cw & (1 - a)) | (right_cw & a);
  gate.seed[0] = (keep0[0] & kWithoutControl) ^ select(seed_cw, gate.t0);
  gate.seed[1] = (keep1[0] & kWithoutControl) ^ select(seed_cw, gate.t1);
  gate.t0 = control(keep0[0]) ^ (gate.t0 & keep_cw);
  gate.t1 = control(keep1[0]) ^ (gate.t1 & keep_cw);
}

void Dcf::generate(const DcfShape& shape, std::span<const u128> alphas, std::span<const Fp> betas, Rng& rng,
                   Bytes& first, Bytes& second) {
  const std::size_t gates = alphas.size(), w = static_cast<std::size_t>(shape.width), size = shape.key_bytes();
  const std::size_t per_gate = 4 * (1 + w), base = first.size(), second_base = second.size();
  first.resize(base + gates * size);
  second.resize(second_base + gates * size);
  SecretVector<Gate> state(gates);
  SecretVector<u128> roots(2 * gates);
  if (!mutant(Mutant::fixed_dcf_seeds)) rng.fill({reinterpret_cast<std::uint8_t*>(roots.data()), roots.size() * 16});
  for (std::size_t g = 0; g < gates; ++g) {
    state[g].seed = {roots[2 * g] & kWithoutControl, roots[2 * g + 1] & kWithoutControl};
    state[g].corrections = put_block(first.data() + base + g * size, state[g].seed[0]);
    put_block(second.data() + second_base + g * size, state[g].seed[1]);
  }
  FpVector values(gates * w);
  SecretVector<u128> inputs(gates * per_gate), outputs(gates * per_gate);
  for (int level = 0; level < shape.domain; ++level) {
    u128* input = inputs.data();
    for (const Gate& gate : state)
      for (u128 seed : gate.seed)
        for (int side = 0; side < 2; ++side)
          for (int what = 0; what <= shape.width; ++what) *input++ = seed ^ tweak(side, what);
    expand(inputs, outputs);
    for (std::size_t g = 0; g < gates; ++g)
      correct(state[g], outputs.data() + g * per_gate,
              static_cast<unsigned>(alphas[g] >> (shape.domain - 1 - level)) & 1, betas.subspan(g * w, w),
              {values.data() + g * w, w});
  }
  // The last correction: the leaf seeds, converted once more into elements.
  SecretVector<u128> leaf_in(gates * 2 * w), leaf(gates * 2 * w);
  for (std::size_t g = 0; g < gates; ++g)
    for (std::size_t b = 0; b < 2; ++b)
      for (std::size_t j = 0; j < w; ++j)
        leaf_in[(g * 2 + b) * w + j] = state[g].seed[b] ^ tweak(0, 1 + static_cast<int>(j));
  expand(leaf_in, leaf);
  for (std::size_t g = 0; g < gates; ++g) {
    Gate& gate = state[g];
    for (std::size_t j = 0; j < w; ++j) {
      const Fp c0 = Fp::reduce(leaf[g * 2 * w + j]), c1 = Fp::reduce(leaf[(g * 2 + 1) * w + j]);
      gate.corrections = put_block(gate.corrections, with_sign(c1 - c0 - values[g * w + j], gate.t1).v);
    }
    std::memcpy(second.data() + second_base + g * size + 16, first.data() + base + g * size + 16, size - 16);
  }
}

FpVector Dcf::evaluate(const DcfShape& shape, int evaluator, ByteView keys, std::span<const u128> xs, int points) {
  const std::size_t gates = xs.size() / static_cast<std::size_t>(points), w = static_cast<std::size_t>(shape.width);
  if (keys.size() != gates * shape.key_bytes())
    throw Error(ErrorCode::protocol_violation, "comparison keys have the wrong size");
  struct Point {
    const std::uint8_t* corrections = nullptr;  // those of the next level
    u128 seed = 0;
    unsigned t = 0;
  };
  SecretVector<Point> state(xs.size());
  SecretVector<FpSum> sums(xs.size() * w);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const std::uint8_t* key = keys.data() + i / static_cast<std::size_t>(points) * shape.key_bytes();
    state[i] = {key + 16, load_block(key) & kWithoutControl, static_cast<unsigned>(evaluator)};
  }
  SecretVector<u128> inputs(xs.size() * (1 + w)), outputs(xs.size() * (1 + w));
  for (int level = 0; level < shape.domain; ++level) {
    u128* input = inputs.data();
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const int side = static_cast<int>(xs[i] >> (shape.domain - 1 - level)) & 1;
      for (int what = 0; what <= shape.width; ++what) *input++ = state[i].seed ^ tweak(side, what);
    }
    expand(inputs, outputs);
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const unsigned side = static_cast<unsigned>(xs[i] >> (shape.domain - 1 - level)) & 1;
      Point& point = state[i];
      const u128* out = outputs.data() + i * (1 + w);
      const std::uint8_t* cw = point.corrections;
      const u128 seed_cw = load_block(cw);
      cw += 16;
      for (std::size_t j = 0; j < w; ++j, cw += 16) {
        sums[i * w + j].add(out[1 + j]);
        sums[i * w + j].add(select(load_block(cw), point.t));
      }
      const unsigned bit_cw = static_cast<unsigned>(*cw++) >> side & 1;
      point.corrections = cw;
      point.seed = (out[0] & kWithoutControl) ^ select(seed_cw, point.t);
      point.t = control(out[0]) ^ (point.t & bit_cw);
    }
  }
  SecretVector<u128> leaf_in(xs.size() * w), leaf(xs.size() * w);
  for (std::size_t i = 0; i < xs.size(); ++i)
    for (std::size_t j = 0; j < w; ++j) leaf_in[i * w + j] = state[i].seed ^ tweak(0, 1 + static_cast<int>(j));
  expand(leaf_in, leaf);
  FpVector value(xs.size() * w);
  for (std::size_t i = 0; i < xs.size(); ++i)
    for (std::size_t j = 0; j < w; ++j) {
      FpSum& sum = sums[i * w + j];
      sum.add(leaf[i * w + j]);
      sum.add(select(load_block(state[i].corrections + 16 * j), state[i].t));
      value[i * w + j] = with_sign(sum.value(), static_cast<unsigned>(evaluator));
    }
  return value;
}

}  // namespace pgmpc
