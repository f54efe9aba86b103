// lasso.{rounds,bytes_per_party,compute}.d30: step 8 on held shares, 5000 records of 30 attributes (10 of them in the
// model), lambda = 0.1 lambda_max, standardised; three parties in one process over an in-memory channel. rounds and
// bytes are exact; compute is the wall time of all three parties together on this machine without any network.
#include <cmath>
#include <random>
#include <thread>

#include "linkage/encoding.h"
#include "regression/analysis.h"
#include "report.h"
#include "sharing/shamir.h"
#include "support/loopback_channel.h"

namespace {

using namespace pgmpc;

constexpr std::size_t kRows = 5000, kAttributes = 30, kInformative = 10;

struct Data {
  std::vector<std::vector<double>> columns;  // the outcome last
  double lambda = 0;
};

// Independent standard normal attributes, coefficients up to 100, noise 10: as scikit-learn's make_regression.
Data make_data() {
  std::mt19937_64 generator(1);
  std::normal_distribution<double> normal;
  Data data;
  data.columns.assign(kAttributes + 1, std::vector<double>(kRows));
  std::vector<double> beta(kAttributes);
  for (std::size_t j = 0; j < kInformative; ++j) beta[j * 3] = 100 * std::generate_canonical<double, 53>(generator);
  double mean = 0;
  for (std::size_t r = 0; r < kRows; ++r) {
    double y = 10 * normal(generator);
    for (std::size_t j = 0; j < kAttributes; ++j) y += beta[j] * (data.columns[j][r] = normal(generator));
    mean += (data.columns[kAttributes][r] = y) / kRows;
  }
  for (std::size_t j = 0; j < kAttributes; ++j) {
    double sum = 0, squares = 0, product = 0;
    for (std::size_t r = 0; r < kRows; ++r) {
      const double x = data.columns[j][r];
      sum += x;
      squares += x * x;
      product += x * (data.columns[kAttributes][r] - mean);
    }
    const double sd = std::sqrt(squares / kRows - sum * sum / kRows / kRows);
    data.lambda = std::max(data.lambda, 0.1 * std::fabs(product) / kRows / sd);
  }
  return data;
}

SessionKeys keys_of(int party) {
  SessionKeys keys;
  for (int peer = 0; peer < kParties; ++peer) keys.pair[peer].data()[0] = static_cast<std::uint8_t>(party + peer);
  return keys;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Selection selection(argc, argv);
  if (!selection.wants("lasso.rounds.d30") && !selection.wants("lasso.bytes_per_party.d30") &&
      !selection.wants("lasso.compute.d30"))
    return 0;
  const Data data = make_data();
  AnalysisRequest requests[kParties];
  for (auto& request : requests) request.lambdas = {data.lambda};
  for (const auto& values : data.columns) {
    const EncodedColumn column = encode_column("x", values, false);
    for (auto& request : requests) {
      request.columns.emplace_back(kRows);
      request.described.push_back({column.exponent, column.binary});
    }
    for (std::size_t r = 0; r <= kRows; ++r) {
      const FpVector shares =
          shamir_split(Fp::from_int(r < kRows ? column.values[r] : column.scaled_mean), 2, kParties, system_rng());
      for (int party = 0; party < kParties; ++party) {
        if (r < kRows)
          requests[party].columns.back()[r] = shares[party];
        else
          requests[party].means.push_back(shares[party]);
      }
    }
  }
  LoopbackNetwork network;
  CancelToken cancel;
  Transcript transcripts[kParties];
  const double seconds = bench::seconds_of([&] {
    run_parties(network, [&](Channel& channel) {
      const int party = channel.self();
      Session session(channel, 8, keys_of(party), system_rng(), cancel);
      analyse(session, std::move(requests[party]), cancel, {});
      transcripts[party] = session.transcript();
    });
  });
  std::int64_t most = 0;
  for (const Transcript& transcript : transcripts) most = std::max(most, transcript.bytes_sent);
  if (selection.wants("lasso.rounds.d30"))
    bench::report("lasso.rounds.d30", static_cast<double>(transcripts[0].rounds), "rounds");
  if (selection.wants("lasso.bytes_per_party.d30"))
    bench::report("lasso.bytes_per_party.d30", static_cast<double>(most), "B");
  if (selection.wants("lasso.compute.d30")) bench::report("lasso.compute.d30", seconds, "s");
  return 0;
}
