// Tests whether two samples have the same distribution: compares counts of many features by chi-square.
//
// Terms
// A feature is a small number computed from what a party sees, such as a few bits of an element. A cell is one value of
// a feature. Samples 0 and 1 are what a party sees when the secret is the first or the second of two.
//
// Invariants
// All features together are one test: worst() is the smallest p-value times the number of comparisons.
#pragma once
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace pgmpc {

class TwoSamples {
 public:
  // Returns the id of a feature with this number of cells, creating it if needed. uniform: each sample alone must also
  // be uniform over the cells. neighbours: how many features with consecutive ids are created.
  std::size_t feature(const std::string& name, unsigned cells, bool uniform = false, std::size_t neighbours = 1) {
    const auto [at, fresh] = ids_.try_emplace(name, tallies_.size());
    if (fresh)
      for (std::size_t i = 0; i < neighbours; ++i)
        tallies_.push_back({name + (neighbours > 1 ? " " + std::to_string(i) : ""), cells, uniform, {}});
    return at->second;
  }
  void add(int sample, std::size_t id, unsigned cell) {
    Tally& tally = tallies_[id];
    if (tally.count[sample].empty()) tally.count[sample].resize(tally.cells);
    ++tally.count[sample].at(cell);
  }

  struct Verdict {
    double p = 1;  // of all comparisons together (Bonferroni)
    std::string feature;
    std::size_t comparisons = 0;
  };
  Verdict worst() const {
    Verdict verdict;
    for (const Tally& tally : tallies_) {
      consider(verdict, two_sample_p(tally), tally.name);
      if (!tally.uniform) continue;
      for (int sample = 0; sample < 2; ++sample) consider(verdict, uniform_p(tally, sample), tally.name + ", uniform");
    }
    verdict.p = std::min(1.0, verdict.p * static_cast<double>(verdict.comparisons));
    return verdict;
  }

 private:
  struct Tally {
    std::string name;
    unsigned cells;
    bool uniform;
    std::vector<int> count[2];
  };

  static void consider(Verdict& verdict, double p, const std::string& name) {
    ++verdict.comparisons;
    if (p < verdict.p) {
      verdict.p = p;
      verdict.feature = name;
    }
  }

  // Returns the upper tail of chi-square by the Wilson-Hilferty approximation.
  static double upper_tail(double chi, int freedom) {
    if (freedom < 1) return 1;
    const double spread = 2.0 / (9.0 * freedom);
    const double z = (std::cbrt(chi / freedom) - (1 - spread)) / std::sqrt(spread);
    return std::erfc(z / std::sqrt(2.0)) / 2;
  }
  static double total(const std::vector<int>& counts) {
    double sum = 0;
    for (int count : counts) sum += count;
    return sum;
  }
  static double two_sample_p(const Tally& tally) {
    const double n0 = total(tally.count[0]), n1 = total(tally.count[1]);
    if (n0 == 0 || n1 == 0) return n0 == n1 ? 1 : 0;  // seen with one secret only, which is a leak
    double chi = 0;
    int used = 0;
    for (unsigned cell = 0; cell < tally.cells; ++cell) {
      const double a = tally.count[0][cell], b = tally.count[1][cell];
      if (a + b == 0) continue;
      ++used;
      chi += std::pow(a * std::sqrt(n1 / n0) - b * std::sqrt(n0 / n1), 2) / (a + b);
    }
    return upper_tail(chi, used - 1);
  }
  static double uniform_p(const Tally& tally, int sample) {
    const double expected = total(tally.count[sample]) / tally.cells;
    if (expected == 0) return 1;
    double chi = 0;
    for (int count : tally.count[sample]) chi += std::pow(count - expected, 2) / expected;
    return upper_tail(chi, static_cast<int>(tally.cells) - 1);
  }

  std::map<std::string, std::size_t> ids_;
  std::vector<Tally> tallies_;
};

}  // namespace pgmpc
