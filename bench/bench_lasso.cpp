// Step 8 on held shares, 5000 records of 30 attributes (10 of them in the model), lambda = 0.1 lambda_max,
// standardised.
//   lasso.{rounds,bytes_per_party,compute}.d30     three parties in one process over an in-memory channel; rounds and
//                                                  bytes are exact, compute is the wall time of all three together
//   lasso.seconds.d30, lasso.seconds_rtt{20,40}ms.d30   three engines and three listeners as processes, real TLS; the
//                                                  latter through a relay that delays every way; best of 5
//   lasso.processor.d30                            processor time of one engine in the best run of lasso.seconds.d30
#include <cstdio>

#include "lasso_data.h"
#include "lasso_parties.h"
#include "regression/fixed.h"
#include "report.h"
#include "support/loopback_channel.h"

namespace {

using namespace pgmpc;

SessionKeys keys_of(int party) {
  SessionKeys keys;
  for (int peer = 0; peer < kParties; ++peer) keys.pair[peer].data()[0] = static_cast<std::uint8_t>(party + peer);
  return keys;
}

void measure_counts(const bench::Selection& selection, const bench::LassoRequests& requests) {
  LoopbackNetwork network;
  CancelToken cancel;
  Transcript transcripts[kParties];
  const double seconds = bench::seconds_of([&] {
    run_parties(network, [&](Channel& channel) {
      const int party = channel.self();
      Session session(channel, 8, keys_of(party), system_rng(), cancel);
      analyse(session, bench::copy_of(requests[party]), cancel, {});
      transcripts[party] = session.transcript();
    });
  });
  std::int64_t most = 0;
  for (const Transcript& transcript : transcripts) most = std::max(most, transcript.bytes_sent);
  for (const auto& [phase, traffic] : transcripts[0].phases)
    std::fprintf(stderr, "%s: %lld rounds, %lld elements, %lld bytes\n", phase_name(phase).c_str(),
                 static_cast<long long>(traffic.rounds), static_cast<long long>(traffic.elements_sent),
                 static_cast<long long>(traffic.bytes_sent));
  if (selection.wants("lasso.rounds.d30"))
    bench::report("lasso.rounds.d30", static_cast<double>(transcripts[0].rounds), "rounds");
  if (selection.wants("lasso.bytes_per_party.d30"))
    bench::report("lasso.bytes_per_party.d30", static_cast<double>(most), "B");
  if (selection.wants("lasso.compute.d30")) bench::report("lasso.compute.d30", seconds, "s");
}

int run(const bench::Selection& selection) {
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
  if (counts) measure_counts(selection, requests);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(bench::Selection(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_lasso: %s\n", error.what());
    return 1;
  }
}
