// Measures step 8 of other analyses than penalised models, on existing shares of 5000 records of 30 attributes: 15 of each
// controller, every third of them two-valued. Defaults of a spec: statistical precision and all rules.
//   analysis.describe.{rounds,bytes_per_party,seconds}.d30   Table 1 with ten cross-tables and the correlations between the
//                                                 controllers; three parties in one process over an in-memory channel,
//                                                 seconds is the wall time of all three together
//   analysis.describe.by.{rounds,bytes_per_party,seconds}.d30   the same by the levels of an attribute
#include <random>
#include <string>

#include "analysis/describe/describe.h"
#include "analysis/run.h"
#include "report.h"
#include "shared_records.h"
#include "support/loopback_channel.h"

namespace {

using namespace pgmpc;

constexpr std::size_t kRows = 5000, kAttributes = 30;

bool two_valued(std::size_t attribute) { return attribute % 3 == 0; }

std::string name_of(std::size_t attribute) { return "x" + std::to_string(attribute); }

// The records of all parties, with normal columns and flags that a half, a third, … of the records have.
std::array<JoinedRecords, kParties> make_records() {
  std::mt19937_64 generator(1);
  std::normal_distribution<double> normal;
  std::vector<EncodedColumn> columns;
  for (std::size_t j = 0; j < kAttributes; ++j) {
    std::vector<double> values;
    for (std::size_t r = 0; r < kRows; ++r)
      values.push_back(two_valued(j) ? (normal(generator) > 0.1 * static_cast<double>(j) - 1 ? 1 : 0)
                                     : normal(generator));
    columns.push_back(two_valued(j) ? encode_two_valued("x", values) : encode_column("x", values, false));
  }
  return bench::share_records(columns);
}

AnalysisColumns columns_of_two_parties() {
  AnalysisColumns out;
  for (std::size_t j = 0; j < kAttributes; ++j) {
    out.attributes.push_back(j);
    out.names.push_back({j < kAttributes / 2 ? "a" : "b", name_of(j)});
  }
  return out;
}

DescribeSettings table_1(bool by) {
  DescribeSettings settings;
  settings.correlation = true;
  for (std::size_t row = 0; row < kAttributes / 2; row += 3)
    for (std::size_t column = kAttributes / 2; column < kAttributes / 2 + 6; column += 3)
      settings.tables.emplace_back(name_of(row), name_of(column));
  if (by) settings.by = name_of(0);
  return settings;
}

void measure_describe(const bench::Selection& selection, const std::array<JoinedRecords, kParties>& records,
                      const std::string& name, bool by) {
  if (!selection.wants(name + ".rounds.d30") && !selection.wants(name + ".bytes_per_party.d30") &&
      !selection.wants(name + ".seconds.d30"))
    return;
  constexpr int kRuns = 5;
  const auto analysis = make_describe(table_1(by));
  double fastest = 0;
  std::array<Transcript, kParties> transcripts;
  for (int run = 0; run < kRuns; ++run) {
    LoopbackNetwork network;
    CancelToken cancel;
    const double seconds = bench::seconds_of([&] {
      run_parties(network, [&](Channel& channel) {
        const int party = channel.self();
        SessionKeys keys;
        for (int peer = 0; peer < kParties; ++peer) keys.pair[peer].data()[0] = static_cast<std::uint8_t>(party + peer);
        Session session(channel, 8, std::move(keys), system_rng(), cancel);
        AnalysesRequest request;
        const JoinedRecords& own = records[static_cast<std::size_t>(party)];
        request.records = {bench::copy_of(own.columns), bench::copy_of(own.inputs), own.described, own.attributes};
        request.tasks.push_back({"table1", analysis, columns_of_two_parties()});
        request.rules.max_leverage = 0.4;
        request.rules.max_vif = 200;
        request.precision = Precision::statistical;
        run_analyses(session, std::move(request), cancel, {});
        transcripts[static_cast<std::size_t>(party)] = session.transcript();
      });
    });
    if (run == 0 || seconds < fastest) fastest = seconds;
  }
  std::int64_t most = 0;
  for (const Transcript& transcript : transcripts) most = std::max(most, transcript.bytes_sent);
  bench::report(name + ".rounds.d30", static_cast<double>(transcripts[0].rounds), "rounds");
  bench::report(name + ".bytes_per_party.d30", static_cast<double>(most), "B");
  bench::report(name + ".seconds.d30", fastest, "s");
}

void run(const bench::Selection& selection) {
  const auto records = make_records();
  measure_describe(selection, records, "analysis.describe", false);
  measure_describe(selection, records, "analysis.describe.by", true);
}

}  // namespace

int main(int argc, char** argv) { return pgmpc::bench::run_selected("bench_analysis", argc, argv, run); }
