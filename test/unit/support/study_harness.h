// A whole study between three parties in one process, over the loopback network.
#pragma once
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "linkage/identifiers.h"
#include "mpc/registry.h"
#include "protocol/protocol.h"
#include "support/loopback_channel.h"
#include "support/plain_lasso.h"
#include "support/test_rng.h"

namespace pgmpc::test {

// The clear records of one controller, from which make_source() makes a Source.
struct Records {
  std::vector<std::string> names;
  std::vector<std::string> identifiers;
  std::vector<std::vector<double>> columns;
  std::vector<std::size_t> binary;
};

inline Source make_source(const Records& records) {
  Source source;
  for (std::size_t j = 0; j < records.names.size(); ++j) {
    SourceColumn column;
    column.name = records.names[j];
    for (std::size_t b : records.binary) column.binary |= b == j;
    column.values.assign(records.columns[j].begin(), records.columns[j].end());
    source.columns.push_back(std::move(column));
  }
  for (const std::string& identifier : records.identifiers) {
    append_part(source.identifiers, view_of(std::string_view(identifier)));
    source.identifier_ends.push_back(source.identifiers.size());
  }
  return source;
}

// Rows of the relations of a penalised analysis.
struct CoefficientRow {
  double lambda = 0;
  std::string attribute, party;  // "(intercept)" without a party
  double value = 0;
  bool selected = false;
};
struct FitRow {
  double lambda = 0, r_squared = 0, adjusted_r_squared = 0;
  int nonzero = 0;
};

// The result of a party, and the rows of its first analysis.
struct HarnessResult : StudyResult {
  std::vector<CoefficientRow> coefficients;
  std::vector<FitRow> fits;

  HarnessResult& operator=(StudyResult result) {
    static_cast<StudyResult&>(*this) = std::move(result);
    coefficients.clear();
    fits.clear();
    if (analyses.empty()) return *this;
    const auto number = [](const nlohmann::json& value) {
      return value.is_null() ? std::nan("") : value.get<double>();
    };
    for (const Relation& relation : analyses[0].relations)
      for (const auto& row : relation.rows) {
        if (relation.name == "coefficients")
          coefficients.push_back({row.at("lambda"), row.at("attribute"),
                                  row.at("party").is_null() ? "" : row.at("party").get<std::string>(),
                                  row.at("coefficient"), row.at("selected")});
        if (relation.name == "fit")
          fits.push_back(
              {row.at("lambda"), number(row.at("r_squared")), number(row.at("adjusted_r_squared")), row.at("nonzero")});
      }
    return *this;
  }
};

// Records the calls of one party's observer.
class Recorder : public StudyObserver {
 public:
  void after_step(const StepRow& row) override {
    rows.push_back(row);
    if (on_step) on_step(row);
  }
  void matched(std::int64_t records) override { match_count = records; }
  void before_release() override {
    if (on_release) on_release();
  }
  void round(std::int64_t done, std::int64_t estimated) override {
    rounds_in_order = rounds_in_order && done == rounds + 1;
    rounds = done;
    rounds_estimated = estimated;
  }
  std::vector<StepRow> rows;
  std::function<void(const StepRow&)> on_step;
  std::function<void()> on_release;
  std::int64_t match_count = -1;
  std::int64_t rounds = 0, rounds_estimated = 0;
  bool rounds_in_order = true;
};

// Counts the bytes that are drawn from another generator.
class CountingRng final : public Rng {
 public:
  CountingRng(Rng& source, std::atomic<std::uint64_t>& bytes) : source_(source), bytes_(bytes) {}
  void fill(std::span<std::uint8_t> out) override {
    bytes_ += out.size();
    source_.fill(out);
  }

 private:
  Rng& source_;
  std::atomic<std::uint64_t>& bytes_;
};

class StudyHarness {
 public:
  StudyHarness(const std::string& spec_json, Records a, Records b, bool record = false, std::uint64_t seed = 1)
      : StudyHarness(parse_spec(spec_json), std::move(a), std::move(b), record, seed) {}
  StudyHarness(Spec spec, Records a, Records b, bool record = false, std::uint64_t seed = 1)
      : spec_(std::move(spec)), a_(std::move(a)), b_(std::move(b)), seed_(seed) {
    options_.record = record;
    network_ = std::make_unique<LoopbackNetwork>(options_);
  }

  // Runs all steps and keeps every party's failure. Then throws the first one that does not follow from another's.
  void run() {
    run_parties(*network_, [&](Channel& channel) {
      const int party = channel.self();
      TestRng source(seed_ * 100 + static_cast<std::uint64_t>(party));
      CountingRng rng(source, random_bytes[party]);
      ThreadPool pool(1);
      CancelToken cancel;
      StudyContext context{spec_,
                           "study",
                           channel,
                           rng,
                           pool,
                           cancel,
                           observers[party],
                           party == kThirdParty && third_party_memory != 0 ? third_party_memory : memory_limit};
      context.rehearsal = rehearsal[static_cast<std::size_t>(party)];
      context.commitments = commitments[static_cast<std::size_t>(party)];
      try {
        results[party] = party == kThirdParty ? run_third_party(context)
                                              : run_controller(context, make_source(party == 0 ? a_ : b_));
      } catch (const Error& error) {
        failures[party] = std::make_unique<Error>(error);  // the run has already informed its peers
      }
    });
    for (ErrorCode echo : {ErrorCode::peer_stopped, ErrorCode::internal})
      for (const auto& failure : failures)
        if (failure && failure->code() != echo) throw Error(*failure);
  }

  const Spec& spec() const { return spec_; }
  LoopbackNetwork& network() { return *network_; }
  std::uint64_t memory_limit = 0, third_party_memory = 0;
  std::array<bool, kParties> rehearsal{};               // which parties rehearse; normally all or none
  std::array<std::string, kParties> commitments{};      // as each party knows them; normally the same
  std::atomic<std::uint64_t> random_bytes[kParties]{};  // drawn by each party
  Recorder observers[kParties];
  HarnessResult results[kParties];
  std::unique_ptr<Error> failures[kParties];

 private:
  Spec spec_;
  Records a_, b_;
  std::uint64_t seed_;
  LoopbackNetwork::Options options_;
  std::unique_ptr<LoopbackNetwork> network_;
};

}  // namespace pgmpc::test
