#include "mpc/threshold.h"

#include "base/mutants.h"
#include "base/witness.h"
#include "mpc/dcf.h"
#include "mpc/dealing.h"
#include "mpc/truth_table.h"

namespace pgmpc {

namespace {
constexpr std::size_t kWitnessedBytes = 32;  // of a gate's tables; every gate has more

Fp bit_value(unsigned bit) { return Fp::from_int(static_cast<std::int64_t>(bit & 1)); }

Fp factor_of(const ThresholdGate& gate, u128 mask) { return Fp::reduce(mask >> *gate.factor_shift); }

std::size_t elements_of(const ThresholdGate& gate) { return gate.factor_shift ? 2 : 1; }

// The points of the gates of one dealer, as its evaluators know them.
std::vector<u128> points_of(const ThresholdGate& gate, std::span<const std::size_t> gates, const Opened& opened) {
  std::vector<u128> xs;
  xs.reserve(gates.size() * static_cast<std::size_t>(gate.points));
  for (std::size_t g : gates)
    for (int k = 0; k < gate.points; ++k) xs.push_back(gate.x(opened.c[g], k));
  return xs;
}

Compared room_for(Opened opened, std::size_t gates, const ThresholdGate& gate) {
  Compared out{std::move(opened), FpVector(gates * static_cast<std::size_t>(gate.points)), {}};
  if (gate.factor_shift) out.products.resize(out.bits.size());
  return out;
}

// Deals keys of flip + (1 - 2 flip) 1{x < alpha}: flip is the constant beside a key, 1 - 2 flip its payload. One key
// serves several points.
Deal deal_keys(Session& session, const ThresholdGate& gate, const DcfShape& shape) {
  return [&](std::span<const std::size_t> gates, const Masks& masks, Bytes& first, Bytes& second, FpVector& constants) {
    SecretVector<u128> alphas(gates.size());
    const std::size_t width = elements_of(gate);
    FpVector betas(gates.size() * width);
    for (std::size_t i = 0; i < gates.size(); ++i) {
      const u128 r1 = masks.r1[gates[i]], r2 = masks.r2[gates[i]];
      const ThresholdSecrets secrets = gate.secrets(r1, r2);
      const Fp flip = bit_value(secrets.flip), sign = Fp::from_int(1) - flip - flip;
      alphas[i] = secrets.alpha;
      betas[i * width] = sign;
      constants[i * width] = secrets.base + flip;
      if (!gate.factor_shift) continue;
      const Fp factor = factor_of(gate, r1) + factor_of(gate, r2);
      betas[i * width + 1] = sign * factor;
      constants[i * width + 1] = flip * factor;
    }
    Dcf(session.generator_key()).generate(shape, alphas, betas, session.rng(), first, second);
    if (!first.empty()) witness("DCF seed", ByteView(first).first(16));
  };
}

Compared compare_by_keys(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                         std::size_t gates, const ThresholdGate& gate) {
  const std::size_t width = elements_of(gate), points = static_cast<std::size_t>(gate.points);
  const DcfShape shape{gate.domain, static_cast<int>(width)};
  Dealt dealt = open_with_keys(session, label, values, offset, bound, gates,
                               {shape.key_bytes(), shape.key_bytes(), width}, deal_keys(session, gate, shape));
  Compared out = room_for(std::move(dealt.opened), gates, gate);
  Dcf dcf(session.generator_key());
  for (int dealer = 0; dealer < kParties; ++dealer) {
    if (dealer == session.self()) continue;
    const auto own = gates_of(dealer, gates);
    const int evaluator = evaluator_of(session.self(), static_cast<std::size_t>(dealer));
    const FpVector part =
        dcf.evaluate(shape, evaluator, dealt.keys[dealer], points_of(gate, own, out.opened), gate.points);
    for (std::size_t i = 0; i < part.size(); ++i) {
      const std::size_t g = own[i / (points * width)], at = g * points + i / width % points, k = i % width;
      (k == 0 ? out.bits : out.products)[at] = dealt.constants[g * width + k] + part[i];
    }
  }
  return out;
}

// The constants of one gate by tables: rho and, with a factor, rho * factor for each point; the base comes last.
std::size_t table_constants(const ThresholdGate& gate) {
  return elements_of(gate) * static_cast<std::size_t>(gate.points) + (gate.has_base ? 1 : 0);
}

SecretBytes draw_masks(Session& session, const TableShape& shape) {
  SecretBytes masks(shape.mask_bits());
  session.rng().fill(masks);
  for (std::uint8_t& mask : masks) mask &= 1;
  const auto rhos = masks.end() - shape.points();
  if (mutant(Mutant::no_lookup_mask)) std::fill(masks.begin(), rhos, std::uint8_t{0});
  if (mutant(Mutant::no_result_mask)) std::fill(rhos, masks.end(), std::uint8_t{0});
  return masks;
}

// The first evaluator's halves of the bits of these gates, which it and their dealer know.
SecretBytes first_halves(Session& session, const GateLabel& label, int dealer, std::size_t bytes) {
  const auto blocks =
      session.blocks(Purpose::table, dealer, (dealer + 1) % kParties, label, 0, 1, (bytes + kFpBytes - 1) / kFpBytes);
  const auto* begin = reinterpret_cast<const std::uint8_t*>(blocks.data());
  return SecretBytes(begin, begin + bytes);
}

Deal deal_tables(Session& session, const GateLabel& label, const ThresholdGate& gate, const TableShape& shape) {
  return [&](std::span<const std::size_t> gates, const Masks& masks, Bytes&, Bytes& second, FpVector& constants) {
    const std::size_t size = shape.gate_bytes(), width = elements_of(gate);
    const SecretBytes halves = first_halves(session, label, session.self(), gates.size() * size);
    second.assign(halves.begin(), halves.end());
    SecretBytes bits(size);
    auto constant = constants.begin();
    for (std::size_t i = 0; i < gates.size(); ++i) {
      const u128 r1 = masks.r1[gates[i]], r2 = masks.r2[gates[i]];
      const ThresholdSecrets secrets = gate.secrets(r1, r2);
      const SecretBytes table_masks = draw_masks(session, shape);
      write_tables(shape, secrets.alpha, secrets.flip, table_masks, bits);
      for (std::size_t b = 0; b < size; ++b) second[i * size + b] ^= bits[b];
      for (int k = 0; k < gate.points; ++k) {
        const Fp rho = bit_value(*(table_masks.end() - gate.points + k));
        *constant++ = rho;
        if (width > 1) *constant++ = rho * (factor_of(gate, r1) + factor_of(gate, r2));
      }
      if (gate.has_base) *constant++ = secrets.base;
    }
    if (!gates.empty())
      for (const ByteView half : {view_of(halves), ByteView(second)})
        witness("truth table", half.first(kWitnessedBytes));
  };
}

// Exchanges the messages between the evaluators, for the gates of each dealer except this party.
void read_tables(Session& session, const GateLabel& label, const TableShape& shape,
                 std::array<std::optional<TableReader>, kParties>& readers) {
  const int self = session.self();
  for (std::size_t r = 0; r < shape.rounds(); ++r) {
    Exchange round{.phase = label.phase};
    for (int dealer = 0; dealer < kParties; ++dealer) {
      if (dealer == self) continue;
      const int other = 3 - dealer - self;
      round.out[other] = readers[dealer]->masked();
      round.expected[other] = readers[dealer]->message_bytes();
      round.key_bytes += round.out[other].size();
    }
    session.exchange(round);
    for (int dealer = 0; dealer < kParties; ++dealer)
      if (dealer != self) readers[dealer]->take(round.in[3 - dealer - self]);
  }
}

// bit = e xor rho = e + (1 - 2e) rho. Both evaluators know e, so shares of rho (times the factor) suffice.
Compared compare_by_tables(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                           std::size_t gates, const ThresholdGate& gate) {
  const TableShape shape(gate.domain, gate.points);
  const std::size_t constants = table_constants(gate), width = elements_of(gate);
  Dealt dealt = open_with_keys(session, label, values, offset, bound, gates, {0, shape.gate_bytes(), constants},
                               deal_tables(session, label, gate, shape));
  Compared out = room_for(std::move(dealt.opened), gates, gate);
  std::array<std::optional<TableReader>, kParties> readers;
  for (int dealer = 0; dealer < kParties; ++dealer) {
    if (dealer == session.self()) continue;
    const auto own = gates_of(dealer, gates);
    const int evaluator = evaluator_of(session.self(), static_cast<std::size_t>(dealer));
    const auto points = points_of(gate, own, out.opened);
    if (evaluator == 0)
      readers[dealer].emplace(shape, 0, view_of(first_halves(session, label, dealer, own.size() * shape.gate_bytes())),
                              points);
    else
      readers[dealer].emplace(shape, 1, dealt.keys[dealer], points);
  }
  read_tables(session, label, shape, readers);
  for (std::size_t g = 0; g < gates; ++g) {
    const int evaluator = evaluator_of(session.self(), g);
    if (evaluator < 0) continue;
    const Fp* constant = dealt.constants.data() + g * constants;
    for (int k = 0; k < gate.points; ++k) {
      const std::size_t at = g * static_cast<std::size_t>(gate.points) + static_cast<std::size_t>(k);
      const Fp e = bit_value(readers[dealer_of(g)]->revealed(g / kParties, k)), sign = Fp::from_int(1) - e - e;
      const Fp* shared = constant + static_cast<std::size_t>(k) * width;
      out.bits[at] = sign * shared[0];
      if (evaluator == 0) out.bits[at] += e;
      if (gate.has_base) out.bits[at] += constant[constants - 1];
      if (width > 1)
        out.products[at] = e * factor_of(gate, evaluator == 0 ? out.opened.r1[g] : out.opened.r2[g]) + sign * shared[1];
    }
  }
  return out;
}
}  // namespace

Compared compare(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                 std::size_t gates, const ThresholdGate& gate) {
  return session.comparison() == ComparisonKind::fast
             ? compare_by_keys(session, label, values, offset, bound, gates, gate)
             : compare_by_tables(session, label, values, offset, bound, gates, gate);
}

double comparison_bytes(ComparisonKind kind, int domain, int points, bool has_factor) {
  const double elements = has_factor ? 2 : 1;
  if (kind == ComparisonKind::fast) {
    const DcfShape shape{domain, static_cast<int>(elements)};
    return (2 * static_cast<double>(shape.key_bytes()) + elements * kFpBytes) / 3;
  }
  const TableShape shape(domain, points);
  double bytes = static_cast<double>(shape.gate_bytes()) + elements * points * kFpBytes;
  for (std::size_t round = 0; round < shape.rounds(); ++round)
    bytes += 2 * static_cast<double>(shape.message_bytes(round));
  return bytes / 3;
}

}  // namespace pgmpc
