// Measures step 8 on existing shares of 5000 records of 30 attributes, 10 of them in the model, with lambda = 0.1
// lambda_max, standardised. The release is exact, without rules over the joint design, unless the name has "default".
//   lasso.{rounds,bytes_per_party,compute}.d30     three parties in one process over an in-memory channel; rounds and
//                                                  bytes are exact, compute is the wall time of all three together
//   lasso.default.{rounds,bytes_per_party,seconds}.d30   statistical precision and all rules, the defaults of a spec
//   lasso.{rounds,bytes_per_party}.d30.compact     the first ones with analysis.comparison "compact"
//   lasso.seconds.d30, lasso.seconds_rtt{20,40}ms.d30   three engines and three listeners as processes, real TLS; the
//                                                  latter through a relay that delays both directions; best of 5
//   lasso.rounds.{ar50,ar90,ar99,ar90_d100,ar90_d200}   columns correlated 0.5 to 0.99 (lasso_counts.h), each with
//                                                  lasso.coefficient_error.* and lasso.r_squared_error.* over its fits
//   lasso.rounds.{ten_lambdas,elastic_net,ridge}   other penalties on columns correlated 0.5
//   lasso.processor.d30                            processor time of one engine in the best run of lasso.seconds.d30
#include <cstdio>

#include "algebra/fixed.h"
#include "lasso_counts.h"
#include "lasso_data.h"
#include "lasso_parties.h"
#include "report.h"

namespace {

using namespace pgmpc;

void measure_counts(const bench::Selection& selection, const bench::LassoRequests& requests) {
  const bench::LassoCounts counts = bench::count_lasso(requests);
  for (const auto& [phase, traffic] : counts.transcript.phases)
    std::fprintf(stderr, "%s: %lld rounds, %lld elements, %lld bytes\n", phase_name(phase).c_str(),
                 static_cast<long long>(traffic.rounds), static_cast<long long>(traffic.elements_sent),
                 static_cast<long long>(traffic.bytes_sent));
  if (selection.wants("lasso.rounds.d30"))
    bench::report("lasso.rounds.d30", static_cast<double>(counts.transcript.rounds), "rounds");
  if (selection.wants("lasso.bytes_per_party.d30"))
    bench::report("lasso.bytes_per_party.d30", static_cast<double>(counts.bytes), "B");
  if (selection.wants("lasso.compute.d30")) bench::report("lasso.compute.d30", counts.seconds, "s");
}

// Measures the defaults of a spec.
void measure_default(const bench::Selection& selection, int runs) {
  const bench::LassoRequests requests = bench::make_default_requests();
  if (selection.wants("lasso.default.seconds.d30"))
    bench::report("lasso.default.seconds.d30", bench::lasso_between_processes(requests, runs, 0).seconds, "s");
  if (!selection.wants("lasso.default.rounds.d30") && !selection.wants("lasso.default.bytes_per_party.d30")) return;
  const bench::LassoCounts counts = bench::count_lasso(requests);
  bench::report("lasso.default.rounds.d30", static_cast<double>(counts.transcript.rounds), "rounds");
  bench::report("lasso.default.bytes_per_party.d30", static_cast<double>(counts.bytes), "B");
}

// Measures comparisons by truth tables.
void measure_compact(const bench::Selection& selection) {
  if (!selection.wants("lasso.rounds.d30.compact") && !selection.wants("lasso.bytes_per_party.d30.compact")) return;
  bench::LassoRequests requests = bench::make_lasso_requests();
  for (AnalysisRequest& request : requests) request.comparison = ComparisonKind::compact;
  const bench::LassoCounts counts = bench::count_lasso(requests);
  bench::report("lasso.rounds.d30.compact", static_cast<double>(counts.transcript.rounds), "rounds");
  bench::report("lasso.bytes_per_party.d30.compact", static_cast<double>(counts.bytes), "B");
}

void report_errors(const bench::LassoSet& set, const std::string& name) {
  bench::report("lasso.coefficient_error." + name, set.coefficient_error(), "of the largest coefficient");
  bench::report("lasso.r_squared_error." + name, set.r_squared_error(), "");
}

// Reports the largest number of rounds over several lambdas of the lasso, each fitted alone.
void measure_correlated(const bench::Selection& selection, const std::string& name, std::size_t attributes, double rho,
                        const std::vector<double>& fractions) {
  if (!selection.wants("lasso.rounds." + name)) return;
  bench::LassoSet set(bench::make_ar_table(attributes, rho));
  std::int64_t most = 0;
  for (double fraction : fractions) most = std::max(most, set.fit({fraction}, 1).transcript.rounds);
  bench::report("lasso.rounds." + name, static_cast<double>(most), "rounds");
  report_errors(set, name);
}

// Measures ten lambdas (baseline: the slowest of them alone), elastic net and ridge, on columns correlated 0.5.
void measure_kinds(const bench::Selection& selection) {
  if (!selection.wants("lasso.rounds.ten_lambdas") && !selection.wants("lasso.rounds.elastic_net") &&
      !selection.wants("lasso.rounds.ridge"))
    return;
  bench::LassoSet set(bench::make_ar_table(bench::kLassoAttributes, 0.5));
  const std::vector<double> fractions = {0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8};
  std::int64_t one = 0;
  for (double fraction : fractions) one = std::max(one, set.fit({fraction}, 1).transcript.rounds);
  bench::report("lasso.rounds.ten_lambdas", static_cast<double>(set.fit(fractions, 1).transcript.rounds), "rounds",
                {"the slowest of them alone", static_cast<double>(one)}, bench::Better::less);
  bench::report("lasso.rounds.elastic_net", static_cast<double>(set.fit({0.1}, 0.5).transcript.rounds), "rounds");
  bench::report("lasso.rounds.ridge", static_cast<double>(set.fit({0.1}, 0).transcript.rounds), "rounds");
  report_errors(set, "kinds");
}

void run(const bench::Selection& selection) {
  constexpr int kRuns = 5;
  const bool counts = selection.wants("lasso.rounds.d30") || selection.wants("lasso.bytes_per_party.d30") ||
                      selection.wants("lasso.compute.d30");
  const bench::LassoRequests requests = bench::make_lasso_requests();
  if (selection.wants("lasso.seconds.d30") || selection.wants("lasso.processor.d30")) {
    const bench::LassoTime time = bench::lasso_between_processes(requests, kRuns, 0);
    if (selection.wants("lasso.seconds.d30")) bench::report("lasso.seconds.d30", time.seconds, "s");
    if (selection.wants("lasso.processor.d30")) bench::report("lasso.processor.d30", time.processor, "s");
  }
  for (const int rtt : {20, 40}) {
    const std::string name = "lasso.seconds_rtt" + std::to_string(rtt) + "ms.d30";
    if (selection.wants(name))
      bench::report(name, bench::lasso_between_processes(requests, kRuns, rtt / 2.0).seconds, "s");
  }
  measure_default(selection, kRuns);
  if (counts) measure_counts(selection, requests);
  measure_compact(selection);
  const std::vector<double> fractions = {0.01, 0.05, 0.1, 0.5};
  measure_correlated(selection, "ar50", 30, 0.5, fractions);
  measure_correlated(selection, "ar90", 30, 0.9, fractions);
  measure_correlated(selection, "ar99", 30, 0.99, fractions);
  measure_correlated(selection, "ar90_d100", 100, 0.9, {0.02, 0.1, 0.5});
  measure_correlated(selection, "ar90_d200", 200, 0.9, {0.1});
  measure_kinds(selection);
}

}  // namespace

int main(int argc, char** argv) { return pgmpc::bench::run_selected("bench_lasso", argc, argv, run); }
