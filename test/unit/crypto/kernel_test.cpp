// Compares the kernels with GMP's mpz functions: products and squares of pairs, conversions, table access and Fermat
// tests. Operands are random, or make carries run through all limbs.
#include "bignum/kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "support/test_keys.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

constexpr KernelKind kKinds[] = {KernelKind::ifma, KernelKind::avx2, KernelKind::portable};

Integer random_below(const Integer& bound, Rng& rng) {
  Bytes random(bound.bits() / 8 + 16);
  rng.fill(random);
  Integer out{ByteView(random)};
  mpz_mod(out, out, bound);
  return out;
}

// 2^bits - 1: all limbs ones.
Integer all_ones(std::size_t bits) {
  Integer out;
  mpz_setbit(out, bits);
  mpz_sub_ui(out, out, 1);
  return out;
}

struct Root {
  std::string name;
  Integer value;
  std::size_t limbs;
};

// Primes and moduli of the sizes in use, and moduli with extreme limbs.
std::vector<Root> roots() {
  std::vector<Root> out;
  for (int bits : {2048, 3072, 4096}) {
    const auto& key = test_key("a", bits);
    const auto size = static_cast<std::size_t>(bits) / 64;
    out.push_back({"p of " + std::to_string(bits), Integer(view_of(key.p())), size / 2});
    out.push_back({"N of " + std::to_string(bits), Integer(ByteView(key.public_key().n())), size});
  }
  for (std::size_t bits : {256, 1024, 1536, 2048, 3072, 4096}) {
    out.push_back({"ones of " + std::to_string(bits), all_ones(bits), bits / 64});
    Integer low(1ul), half;
    mpz_setbit(low, bits - 1);
    out.push_back({"lowest of " + std::to_string(bits), low, bits / 64});
    mpz_setbit(half, bits);  // 2^bits - 2^(bits/2) + 1: a quotient of -1, digits of 0 and of ones
    mpz_sub(half, half, all_ones(bits / 2));
    out.push_back({"half of " + std::to_string(bits), half, bits / 64});
  }
  return out;
}

std::vector<Integer> parts(const Root& root, Rng& rng) {
  std::vector<Integer> out = {Integer(), Integer(1ul), root.value, root.value, all_ones(root.limbs * 64 - 1),
                              Integer()};
  mpz_sub_ui(out[2], out[2], 1);
  mpz_sub_ui(out[3], out[3], 2);
  mpz_mod(out[4], out[4], root.value);
  mpz_setbit(out[5], root.limbs * 32);
  for (int i = 0; i < 3; ++i) out.push_back(random_below(root.value, rng));
  return out;
}

class Kernel : public ::testing::TestWithParam<KernelKind> {
 protected:
  void SetUp() override {
    if (GetParam() == KernelKind::ifma && !ifma_supported()) GTEST_SKIP() << "no AVX512-IFMA here";
    if (GetParam() == KernelKind::avx2 && !avx2_supported()) GTEST_SKIP() << "no AVX2 here";
  }
  TestRng rng_{21};
};

std::string name_of(KernelKind kind) {
  return kind == KernelKind::ifma ? "ifma" : kind == KernelKind::avx2 ? "avx2" : "portable";
}

INSTANTIATE_TEST_SUITE_P(Each, Kernel, ::testing::ValuesIn(kKinds),
                         [](const auto& kind) { return name_of(kind.param); });

// A batch of 8 numbers modulo root^2, kept beside a kernel's batch.
struct KernelLanes {
  explicit KernelLanes(const PairKernel& of) : kernel(of), batch(of.batch_size()), work(of.work()) {}

  void set(std::size_t lane, const Integer& low, const Integer& high) {
    Limbs pair(2 * kernel.limbs());
    std::copy_n(limbs_of(low, kernel.limbs()).data(), kernel.limbs(), pair.data());
    std::copy_n(limbs_of(high, kernel.limbs()).data(), kernel.limbs(), pair.data() + kernel.limbs());
    kernel.load(batch.data(), lane, pair.data());
  }
  Integer get(std::size_t lane, const Integer& root) {
    Limbs pair(2 * kernel.limbs());
    kernel.store(pair.data(), batch.data(), lane, work);
    Integer low, high;
    mpz_import(low, kernel.limbs(), -1, 8, 0, 0, pair.data());
    mpz_import(high, kernel.limbs(), -1, 8, 0, 0, pair.data() + kernel.limbs());
    EXPECT_LT(mpz_cmp(low, root), 0) << "first part not canonical";
    EXPECT_LT(mpz_cmp(high, root), 0) << "second part not canonical";
    mpz_addmul(low, high, root);
    return low;
  }

  const PairKernel& kernel;
  KernelWords batch;
  KernelWork work;
};

// a * b / R modulo root^2.
Integer expected_product(const Integer& a, const Integer& b, const PairKernel& kernel, const Integer& square) {
  Integer r, out;
  mpz_setbit(r, kernel.radix_bits());
  EXPECT_NE(mpz_invert(r, r, square), 0);
  mpz_mul(out, a, b);
  mpz_mod(out, out, square);
  mpz_mul(out, out, r);
  mpz_mod(out, out, square);
  return out;
}

Integer number(const Integer& low, const Integer& high, const Integer& root) {
  Integer out = low;
  mpz_addmul(out, high, root);
  return out;
}

// Calls body(root, its kernel, root^2) for both timings and all roots.
template <typename Body>
void for_each_kernel(KernelKind kind, Body body) {
  for (const Timing timing : {Timing::constant, Timing::variable})
    for (const Root& root : roots()) {
      SCOPED_TRACE(root.name);
      const auto kernel = PairKernel::make(limbs_of(root.value, root.limbs), timing, kind);
      Integer square;
      mpz_mul(square, root.value, root.value);
      body(root, *kernel, square);
      if (::testing::Test::HasFatalFailure()) return;
    }
}

TEST_P(Kernel, ProductsAndSquaresAgreeWithGmp) {
  for_each_kernel(GetParam(), [&](const Root& root, const PairKernel& kernel, const Integer& square) {
    const std::vector<Integer> values = parts(root, rng_);
    KernelLanes x(kernel), y(kernel), product(kernel), squared(kernel);
    for (std::size_t round = 0; round < values.size(); ++round) {
      std::vector<Integer> a(kKernelLanes), b(kKernelLanes);
      for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
        const Integer &a0 = values[round], &a1 = values[(lane + round) % values.size()];
        const Integer &b0 = values[(2 * lane + round) % values.size()], &b1 = values[(lane * round) % values.size()];
        x.set(lane, a0, a1);
        y.set(lane, b0, b1);
        a[lane] = number(a0, a1, root.value);
        b[lane] = number(b0, b1, root.value);
      }
      kernel.multiply(product.batch.data(), x.batch.data(), y.batch.data(), x.work);
      kernel.square(squared.batch.data(), x.batch.data(), x.work);
      for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
        ASSERT_EQ(mpz_cmp(product.get(lane, root.value), expected_product(a[lane], b[lane], kernel, square)), 0)
            << "product, round " << round << ", lane " << lane;
        ASSERT_EQ(mpz_cmp(squared.get(lane, root.value), expected_product(a[lane], a[lane], kernel, square)), 0)
            << "square, round " << round << ", lane " << lane;
      }
    }
  });
}

// Results become operands again without any reduction: the value ranges of the kernels' headers must hold in long
// chains.
TEST_P(Kernel, LongChainsStayInRange) {
  for (const Root& root : roots()) {
    SCOPED_TRACE(root.name);
    const auto kernel = PairKernel::make(limbs_of(root.value, root.limbs), Timing::constant, GetParam());
    Integer square, largest = root.value;
    mpz_mul(square, root.value, root.value);
    mpz_sub_ui(largest, largest, 1);
    KernelLanes x(*kernel), y(*kernel), base(*kernel);
    std::vector<Integer> value(kKernelLanes), factor(kKernelLanes);
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
      const Integer low = lane == 0 ? largest : random_below(root.value, rng_);
      const Integer high = lane <= 1 ? largest : random_below(root.value, rng_);
      x.set(lane, low, high);
      base.set(lane, low, high);
      value[lane] = factor[lane] = number(low, high, root.value);
    }
    for (int step = 0; step < 24; ++step) {
      kernel->square(y.batch.data(), x.batch.data(), x.work);
      kernel->multiply(x.batch.data(), y.batch.data(), base.batch.data(), x.work);
      for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
        value[lane] = expected_product(value[lane], value[lane], *kernel, square);
        value[lane] = expected_product(value[lane], factor[lane], *kernel, square);
        ASSERT_EQ(mpz_cmp(x.get(lane, root.value), value[lane]), 0) << "step " << step << ", lane " << lane;
      }
    }
  }
}

// Loads x modulo root, as a kernel's number of n limbs, into a lane of a part.
void load_number(const PairKernel& kernel, KernelWord* part, std::size_t lane, const Integer& x) {
  kernel.load_part(part, lane, limbs_of(x, kernel.limbs()).data());
}

// (a0, a1) * (y, 0), parts and their sums. A sum of 16 results is used as a factor, and one result is added to a second
// part.
TEST_P(Kernel, ProductsWithResiduesAndPartsAgreeWithGmp) {
  for_each_kernel(GetParam(), [&](const Root& root, const PairKernel& kernel, const Integer& square) {
    const std::vector<Integer> values = parts(root, rng_);
    KernelLanes x(kernel), product(kernel);
    const std::size_t part = kernel.part_size();
    KernelWords y(part), made(part), sum(part);
    for (std::size_t round = 0; round < values.size(); ++round) {
      std::vector<Integer> a(kKernelLanes), b(kKernelLanes), high(kKernelLanes);
      for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
        const Integer& low = values[round];
        high[lane] = values[(lane + round) % values.size()];
        b[lane] = values[(2 * lane + round) % values.size()];
        x.set(lane, low, high[lane]);
        load_number(kernel, y.data(), lane, b[lane]);
        a[lane] = number(low, high[lane], root.value);
      }
      kernel.multiply_residue(product.batch.data(), x.batch.data(), y.data(), x.work);
      KernelLanes four(kernel), whole(kernel);
      std::copy_n(product.batch.data(), kernel.batch_size(), four.batch.data());
      for (int i = 1; i < 4; ++i) kernel.add(four.batch.data(), product.batch.data(), x.work);
      kernel.multiply(whole.batch.data(), four.batch.data(), x.batch.data(), x.work);
      // 16 times the product of the first parts, times y, added to the second part.
      kernel.multiply_part(sum.data(), x.batch.data(), y.data(), x.work);
      std::copy_n(sum.data(), part, made.data());
      for (int i = 1; i < 16; ++i) kernel.add_part(sum.data(), made.data(), x.work);
      kernel.multiply_part(made.data(), sum.data(), y.data(), x.work);
      KernelLanes more(kernel);
      std::copy_n(product.batch.data(), kernel.batch_size(), more.batch.data());
      kernel.add_part(more.batch.data() + part, made.data(), x.work);
      KernelWords out(kernel.batch_size());
      kernel.multiply_residue(out.data(), more.batch.data(), y.data(), x.work);
      std::copy_n(out.data(), kernel.batch_size(), more.batch.data());
      for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
        Integer wanted = expected_product(a[lane], b[lane], kernel, square), added;
        ASSERT_EQ(mpz_cmp(product.get(lane, root.value), wanted), 0) << "round " << round << ", lane " << lane;
        mpz_mul_ui(added, wanted, 4);
        added = expected_product(added, a[lane], kernel, square);
        ASSERT_EQ(mpz_cmp(whole.get(lane, root.value), added), 0) << "four, round " << round << ", lane " << lane;
        added = expected_product(values[round], b[lane], kernel, root.value);
        mpz_mul_ui(added, added, 16);
        added = expected_product(added, b[lane], kernel, root.value);
        mpz_addmul(wanted, added, root.value);
        wanted = expected_product(wanted, b[lane], kernel, square);
        ASSERT_EQ(mpz_cmp(more.get(lane, root.value), wanted), 0) << "sum, round " << round << ", lane " << lane;
      }
    }
  });
}

TEST_P(Kernel, SelectionKeepsTheLanes) {
  const Integer root(view_of(test_key("a", 3072).p()));
  const auto kernel = PairKernel::make(limbs_of(root, 24), Timing::constant, GetParam());
  constexpr std::size_t kParts = 5;
  const std::size_t part = kernel->part_size();
  KernelWords table(kParts * part), out(part);
  for (std::size_t p = 0; p < kParts; ++p)
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      load_number(*kernel, table.data() + p * part, lane, random_below(root, rng_));
  for (std::size_t index = 0; index < kParts; ++index) {
    kernel->select(out.data(), table.data(), kParts, index);
    for (std::size_t i = 0; i < part; ++i)
      for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
        EXPECT_EQ(out[i].lane[lane], table[index * part + i].lane[lane]) << index;
  }
}

// Entries of all lanes, in memory of their own.
struct EntrySet {
  explicit EntrySet(const PairKernel& of) : kernel(of), words(of.entry_size()) {
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      to[lane] = reinterpret_cast<std::uint64_t*>(words.data()) + lane * of.entry_size();
  }
  const PairKernel& kernel;
  KernelWords words;  // 8 entries of entry_size() words of 64 bits
  std::uint64_t* to[kKernelLanes];
};

// The residues of all factors go into the pair, and store_sum returns the sum of their tails modulo root. Tails are
// random or root - 1, as many as the widest sums have. The chain runs without a reduction to canonical pairs.
TEST_P(Kernel, ProductsWithEntriesAgreeWithGmp) {
  for (const Root& root : roots()) {
    SCOPED_TRACE(root.name);
    const auto kernel = PairKernel::make(limbs_of(root.value, root.limbs), Timing::variable, GetParam());
    Integer square;
    mpz_mul(square, root.value, root.value);
    const std::vector<Integer> values = parts(root, rng_);
    const std::size_t lanes = 5, part = kernel->part_size();
    KernelWords power(kernel->power_size());
    EntrySet first(*kernel), second(*kernel);
    KernelWords sums(kKernelLanes * kernel->sum_size() / kKernelLanes);
    auto* sum = reinterpret_cast<std::uint64_t*>(sums.data());
    KernelLanes x(*kernel);
    KernelWords product(kernel->batch_size());
    std::vector<Integer> expected(lanes), tails(lanes);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      x.set(lane, values[lane], values[values.size() - 1 - lane]);
      expected[lane] = number(values[lane], values[values.size() - 1 - lane], root.value);
    }
    kernel->start_product(product.data(), x.batch.data(), x.work);
    x.work.lanes = lanes;
    for (std::size_t round = 0; round < 24; ++round) {
      for (std::size_t side = 0; side < 2; ++side) {  // the entry of a power, then that of an inverse
        for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
          const Integer& y = values[(lane * 3 + round + side * (round + lane)) % values.size()];
          const Integer& z = values[(lane + 2 + round + side) % values.size()];
          load_number(*kernel, power.data() + side * part, lane, y);
          load_number(*kernel, power.data() + (side + 2) * part, lane, z);
          if (lane >= lanes) continue;
          mpz_add(tails[lane], tails[lane], z);
          expected[lane] = expected_product(expected[lane], y, *kernel, square);
        }
        kernel->write_entries((side == 0 ? first : second).to, power.data(), side == 1);
      }
      kernel->multiply_entries(product.data(), first.to, second.to, sum, x.work);
      kernel->finish_product(x.batch.data(), product.data(), x.work);
      for (std::size_t lane = 0; lane < lanes; ++lane)
        ASSERT_EQ(mpz_cmp(x.get(lane, root.value), expected[lane]), 0) << "round " << round << ", lane " << lane;
    }
    Limbs total(root.limbs + 1);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      kernel->store_sum(total.data(), sum + lane * kernel->sum_size());
      EXPECT_EQ(
          mpn_cmp(total.data(), limbs_of(tails[lane], root.limbs + 1).data(), static_cast<mp_size_t>(root.limbs + 1)),
          0);
    }
  }
}

// Advances a power and its inverse and compares each step with the definition base^d * R = y * (1 - root * z / R^2),
// over the longest run that a table needs.
TEST_P(Kernel, PowersAdvanceAsDefined) {
  for (const Root& root : roots()) {
    SCOPED_TRACE(root.name);
    const auto kernel = PairKernel::make(limbs_of(root.value, root.limbs), Timing::variable, GetParam());
    const std::size_t part = kernel->part_size();
    const auto n = static_cast<mp_size_t>(root.limbs);
    Integer square, r, r_square_inverse;
    mpz_mul(square, root.value, root.value);
    mpz_setbit(r, kernel->radix_bits());
    mpz_mul(r_square_inverse, r, r);
    ASSERT_NE(mpz_invert(r_square_inverse, r_square_inverse, root.value), 0);
    KernelWords power(kernel->power_size()), step(kernel->power_size());
    EntrySet entries(*kernel), ones(*kernel);
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) load_number(*kernel, power.data(), lane, Integer(1ul));
    kernel->write_entries(ones.to, power.data(), false);
    // y = x R mod root, and the tail -s R^2 for x R = y (1 + root s); the same for the inverse.
    const auto set = [&](KernelWord* out, const Integer& value) {
      Integer x = value;
      for (std::size_t i = 0; i < 2; ++i) {
        Integer shifted, inverted, high, tail, y;
        mpz_mul(shifted, x, r);
        mpz_mod(shifted, shifted, square);
        mpz_tdiv_qr(high, y, shifted, root.value);
        ASSERT_NE(mpz_invert(inverted, y, root.value), 0);
        mpz_mul(tail, high, inverted);
        mpz_mul(tail, tail, r);
        mpz_mul(tail, tail, r);
        mpz_neg(tail, tail);
        mpz_mod(tail, tail, root.value);
        for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
          load_number(*kernel, out + i * part, lane, y);
          load_number(*kernel, out + (2 + i) * part, lane, tail);
        }
        ASSERT_NE(mpz_invert(x, x, square), 0);
      }
    };
    Integer base, x(1ul), inverse_base, inverse(1ul);
    mpz_sub_ui(base, square, 2);  // -2: neither part is small
    ASSERT_NE(mpz_invert(inverse_base, base, square), 0);
    set(power.data(), x);
    set(step.data(), base);
    KernelWork work = kernel->work();
    Limbs stored(2 * root.limbs), sum(root.limbs + 1), quotient(2);
    for (int d = 1; d <= 1040; ++d) {
      kernel->advance(power.data(), step.data(), work);
      mpz_mul(x, x, base);
      mpz_mod(x, x, square);
      mpz_mul(inverse, inverse, inverse_base);
      mpz_mod(inverse, inverse, square);
      if (d > 3 && d < 1038 && d % 100 != 0) continue;
      for (const bool inverted : {false, true}) {
        std::uint64_t* const place = std::exchange(entries.to[3], nullptr);
        kernel->write_entries(entries.to, power.data(), inverted);
        entries.to[3] = place;
        EXPECT_EQ(*place, 0u) << "an entry for a lane that has none";
        // R times the residue times 1, over R^2.
        KernelWords sums(kernel->sum_size()), product(kernel->batch_size());
        KernelLanes x_lanes(*kernel);
        Integer low, high;
        mpz_mod(low, r, square);
        mpz_tdiv_qr(high, low, low, root.value);
        for (std::size_t lane = 0; lane < kKernelLanes; ++lane) x_lanes.set(lane, low, high);
        kernel->start_product(product.data(), x_lanes.batch.data(), work);
        kernel->multiply_entries(product.data(), entries.to, ones.to, reinterpret_cast<std::uint64_t*>(sums.data()),
                                 work);
        kernel->finish_product(x_lanes.batch.data(), product.data(), work);
        for (const std::size_t lane : {std::size_t{0}, std::size_t{7}}) {
          // The residue may exceed the canonical one by root, for which the tail compensates: compare the whole number.
          Integer factor, got = x_lanes.get(lane, root.value);
          kernel->store_sum(sum.data(), reinterpret_cast<std::uint64_t*>(sums.data()) + lane * kernel->sum_size());
          mpn_tdiv_qr(quotient.data(), stored.data(), 0, sum.data(), n + 1, limbs_of(root.value, root.limbs).data(), n);
          mpz_import(factor, root.limbs, -1, 8, 0, 0, stored.data());
          mpz_mul(factor, factor, r_square_inverse);
          mpz_mod(factor, factor, root.value);
          mpz_mul(factor, factor, root.value);
          mpz_ui_sub(factor, 1, factor);
          mpz_mul(got, got, factor);
          mpz_mod(got, got, square);
          ASSERT_EQ(mpz_cmp(got, inverted ? inverse : x), 0) << d << (inverted ? ", inverse" : "");
        }
      }
    }
  }
}

TEST_P(Kernel, FermatAgreesWithPowm) {
  int primes = 0;
  for (const std::size_t limbs : {std::size_t{4}, std::size_t{16}, std::size_t{24}, std::size_t{32}}) {
    std::vector<Integer> numbers;
    if (limbs == 16) numbers.emplace_back(view_of(test_key().p()));
    if (limbs == 24) numbers.emplace_back(view_of(test_key("a", 3072).q()));
    numbers.push_back(all_ones(limbs * 64));
    Integer prime;
    mpz_setbit(prime, 64 * limbs - 2);
    mpz_nextprime(prime, prime);
    numbers.push_back(prime);
    while (numbers.size() < 11) {
      Integer odd = random_below(all_ones(limbs * 64), rng_);
      mpz_setbit(odd, 0);
      mpz_setbit(odd, limbs * 64 - 1);
      numbers.push_back(odd);
    }
    for (std::size_t count = 1; count <= kKernelLanes; ++count) {
      Limbs candidates(count * limbs);
      unsigned expected = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const Integer &m = numbers[(i + count) % numbers.size()], two(2ul);
        std::copy_n(limbs_of(m, limbs).data(), limbs, candidates.data() + i * limbs);
        Integer exponent, power;
        mpz_sub_ui(exponent, m, 1);
        mpz_powm(power, two, exponent, m);
        if (mpz_cmp_ui(static_cast<mpz_srcptr>(power), 1) == 0) expected |= 1u << i;
      }
      EXPECT_EQ(fermat_base_two(candidates.data(), limbs, count, GetParam()), expected);
      primes += __builtin_popcount(expected);
    }
  }
  EXPECT_GT(primes, 20);
}

TEST(KernelChoice, CanBeForcedAndRefusesWhatTheProcessorLacks) {
  const KernelKind before = selected_kernel();
  select_kernel(KernelKind::portable);
  EXPECT_EQ(selected_kernel(), KernelKind::portable);
  if (ifma_supported()) {
    EXPECT_NO_THROW(select_kernel(KernelKind::ifma));
    EXPECT_EQ(selected_kernel(), KernelKind::ifma);
  } else {
    EXPECT_THROW(select_kernel(KernelKind::ifma), Error);
  }
  select_kernel(before);
}

TEST(KernelChoice, RefusesEvenAndOversizedModuli) {
  for (const KernelKind kind : kKinds) {
    EXPECT_THROW(PairKernel::make(limbs_of(Integer(6ul), 1), Timing::constant, kind), Error);
    EXPECT_THROW(PairKernel::make(limbs_of(Integer(7ul), 2), Timing::constant, kind), Error);
    EXPECT_THROW(PairKernel::make(limbs_of(all_ones(65 * 64), 65), Timing::constant, kind), Error);
  }
}

}  // namespace
}  // namespace pgmpc
