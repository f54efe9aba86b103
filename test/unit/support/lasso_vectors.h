// Reads the reference vectors test/vectors/lasso/*.json with their data.
//
// Terms
// A vector is a data set with exact solutions (recipe: tools/vectors/lasso_vectors.py).
// identical: pairs of equal columns. The lasso determines only the sum of their coefficients.
//
// Invariants
// Synthetic data are generated from integers exactly as the recipe does it, and the stored checksum is compared.
#pragma once
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/plain_lasso.h"

namespace pgmpc::test {

struct VectorFit {
  double lambda = 0;
  double alpha = 1;
  bool standardize = true;
  double lambda_over_max = 0;  // lambda * alpha over the smallest with an all-zero solution
  double intercept = 0;
  std::vector<double> coefficients;
  double r_squared = 0;
  int nonzero = 0;
};

struct LassoVector {
  std::string name;
  PlainTable table;
  std::vector<VectorFit> fits;
  std::vector<std::pair<std::size_t, std::size_t>> identical;  // (later column, first column)
};

inline const std::vector<std::string>& lasso_vector_names() {
  static const std::vector<std::string> names = {"diabetes", "ar1_50",   "ar1_90",    "ar1_99", "wide",
                                                 "hundred",  "constant", "duplicate", "zero",   "binary"};
  return names;
}

// Knuth's 64-bit linear congruential generator; bell() is the sum of twelve 16-bit draws, centred.
class VectorGenerator {
 public:
  explicit VectorGenerator(std::uint64_t seed) : state_(seed) {}
  std::int64_t bell() {
    std::int64_t sum = -6 * std::int64_t{65536};
    for (int i = 0; i < 12; ++i) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      sum += static_cast<std::int64_t>(state_ >> 48);
    }
    return sum;
  }

 private:
  std::uint64_t state_;
};

// Parameters of a synthetic data set; the recipe explains them. Tests may make their own sets.
struct SyntheticData {
  std::uint64_t seed = 1;
  std::size_t n = 0, d = 0;
  std::int64_t rho = 0, innovation = 1024, noise = 16, threshold = 0;  // rho, innovation: over 1024
  std::vector<std::int64_t> beta;                                      // over 16
  std::vector<std::size_t> binary, constant;
  std::vector<std::pair<std::size_t, std::size_t>> duplicate;
};

struct IntegerTable {
  std::vector<std::vector<std::int64_t>> rows;  // over 65536
  std::vector<std::int64_t> outcome;
};

inline IntegerTable generate(const SyntheticData& p) {
  constexpr std::int64_t kUnit = 65536;
  const auto is_binary = [&p](std::size_t j) {
    return std::find(p.binary.begin(), p.binary.end(), j) != p.binary.end();
  };
  VectorGenerator generator(p.seed);
  IntegerTable table;
  for (std::size_t i = 0; i < p.n; ++i) {
    std::vector<std::int64_t> row(p.d);
    std::int64_t before = 0, sum = 0;
    for (std::size_t j = 0; j < p.d; ++j) {
      const std::int64_t e = generator.bell();
      before = j == 0 ? e : (p.rho * before + p.innovation * e) >> 10;
      row[j] = !is_binary(j) ? before : e > p.threshold ? kUnit : 0;
      sum += p.beta[j] * row[j];
    }
    table.outcome.push_back((sum + p.noise * generator.bell()) >> 4);
    for (std::size_t j = 0; j < p.d; ++j) {
      if (!is_binary(j)) row[j] = (row[j] << (j % 3)) + static_cast<std::int64_t>(j) * kUnit;
    }
    for (const std::size_t j : p.constant) row[j] = 3 * kUnit;
    for (const auto& [later, first] : p.duplicate) row[later] = row[first];
    table.rows.push_back(std::move(row));
  }
  return table;
}

inline std::uint64_t checksum(const IntegerTable& table) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    std::uint64_t sum = 97 * static_cast<std::uint64_t>(table.outcome[i]);
    for (std::size_t j = 0; j < table.rows[i].size(); ++j)
      sum += (j + 1) * static_cast<std::uint64_t>(table.rows[i][j]);
    total += (i + 1) * sum;
  }
  return total;
}

inline PlainTable plain_table(const IntegerTable& table) {
  PlainTable plain;
  plain.columns.resize(table.rows.empty() ? 0 : table.rows.front().size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    for (std::size_t j = 0; j < plain.columns.size(); ++j) {
      plain.columns[j].push_back(static_cast<double>(table.rows[i][j]) / 65536);
    }
    plain.outcome.push_back(static_cast<double>(table.outcome[i]) / 65536);
  }
  return plain;
}

inline std::ifstream open_source_file(const std::string& path) {
  std::ifstream file(std::string(PG_MPC_SOURCE_DIR) + "/" + path);
  if (!file) throw std::runtime_error("cannot open " + path);
  return file;
}

// Reads a CSV with a header line. The first column is the identifier, the last one the outcome.
inline PlainTable read_csv(const std::string& path) {
  std::ifstream file = open_source_file(path);
  PlainTable table;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::vector<double> values;
    std::stringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) values.push_back(std::stod(cell));
    table.columns.resize(values.size() - 2);
    for (std::size_t j = 0; j + 2 < values.size(); ++j) table.columns[j].push_back(values[j + 1]);
    table.outcome.push_back(values.back());
  }
  return table;
}

inline SyntheticData synthetic_data(const nlohmann::json& g) {
  SyntheticData p;
  p.seed = g.at("seed");
  p.n = g.at("n");
  p.d = g.at("d");
  p.rho = g.at("rho");
  p.innovation = g.at("innovation");
  p.noise = g.at("noise");
  p.threshold = g.at("threshold");
  p.beta = g.at("beta").get<std::vector<std::int64_t>>();
  p.binary = g.at("binary").get<std::vector<std::size_t>>();
  p.constant = g.at("constant").get<std::vector<std::size_t>>();
  for (const auto& pair : g.at("duplicate")) p.duplicate.emplace_back(pair.at(0), pair.at(1));
  return p;
}

inline PlainTable vector_data(const nlohmann::json& data) {
  if (data.contains("csv")) return read_csv(data.at("csv"));
  const IntegerTable table = generate(synthetic_data(data.at("generator")));
  if (checksum(table) != std::stoull(data.at("checksum").get<std::string>(), nullptr, 16)) {
    throw std::runtime_error("generated data differs from that of the recipe");
  }
  return plain_table(table);
}

inline LassoVector load_lasso_vector(const std::string& name) {
  std::ifstream file = open_source_file("test/vectors/lasso/" + name + ".json");
  const auto document = nlohmann::json::parse(file);
  LassoVector vector;
  vector.name = name;
  vector.table = vector_data(document.at("data"));
  if (document.at("data").contains("generator")) {
    vector.identical = synthetic_data(document.at("data").at("generator")).duplicate;
  }
  for (const auto& fit : document.at("fits")) {
    vector.fits.push_back({fit.at("lambda"), fit.at("alpha"), fit.at("standardize"), fit.at("lambda_over_max"),
                           fit.at("intercept"), fit.at("coefficients").get<std::vector<double>>(), fit.at("r_squared"),
                           fit.at("nonzero")});
  }
  return vector;
}

// Merges identical columns as the stored solutions do: the first one gets the sum, the later ones 0.
inline std::vector<double> merged(const LassoVector& vector, std::vector<double> coefficients) {
  for (const auto& [later, first] : vector.identical) {
    coefficients.at(first) += coefficients.at(later);
    coefficients.at(later) = 0;
  }
  return coefficients;
}

// Returns max|b - b*| / max|b*| in original units, without the intercept, or max|b| for an all-zero solution.
inline double coefficient_error(const LassoVector& vector, const VectorFit& fit, const std::vector<double>& found) {
  const std::vector<double> coefficients = fit.alpha == 1 ? merged(vector, found) : found;
  double worst = 0, scale = 0;
  for (std::size_t j = 0; j < fit.coefficients.size(); ++j) {
    worst = std::max(worst, std::fabs(coefficients.at(j) - fit.coefficients[j]));
    scale = std::max(scale, std::fabs(fit.coefficients[j]));
  }
  return scale > 0 ? worst / scale : worst;
}

}  // namespace pgmpc::test
