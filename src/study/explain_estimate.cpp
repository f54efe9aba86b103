// Implements the estimates. Sizes follow from the packing (linkage/packing.h) and the sharing (16 bytes per element).
// Times come from measurements on two cores and are used for explain() only.
#include "study/explain_estimate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/limits.h"
#include "linkage/packing.h"
#include "sharing/field.h"
#include "study/disclosure.h"
#include "study/explain.h"
#include "study/pace.h"

namespace pgmpc {
namespace {

constexpr int kStatisticalBits = kSlotMaskBits - kSlotValueBits;
constexpr std::int64_t kElementBytes = kFpBytes;
constexpr std::int64_t kSealBytes = 28;  // nonce and tag of a sealed message

// Operations per second and core of the portable code at 3072 bits. The cost grows with the cube of the key length.
constexpr double kCores = 2;
constexpr double kOwnEncryptions = 1500, kMaskEncryptions = 440, kDecryptions = 160;
constexpr double kRerandomisations = 440;  // fresh randomness of the third party, a power like that of a mask
constexpr double kKeySeconds = 4.5;
constexpr double kRecordSeconds = 1e-6;  // all work per record except public-key arithmetic

constexpr double kRoundSeconds = 8e-4;       // between processes of one machine
constexpr std::int64_t kMostRows = 1000000;  // where the spec has no expected_records

PlannedStudy plan_of(const Spec& spec) {
  PlannedStudy plan;
  plan.attributes = spec.attribute_count();
  plan.others = spec.column_count() - spec.attribute_count();
  plan.rows = static_cast<std::size_t>(spec.expected_records.value_or(kMostRows));
  plan.problems = 0;
  for (const AnalysisEntry& entry : spec.analyses) plan.problems += entry.analysis->problems();
  plan.rules = row_rules(spec);
  plan.comparison = spec.analyses.at(0).analysis->comparison();
  plan.precision = spec.precision;
  return plan;
}

// Adds up the analyses. They share rounds, so only the longest one counts for those.
Cost cost_of(const Spec& spec) {
  const PlannedStudy plan = plan_of(spec);
  Cost total = shared_cost(plan);
  std::int64_t longest = 0;
  for (const AnalysisEntry& entry : spec.analyses) {
    const Cost own = entry.analysis->cost(plan, entry.columns);
    total.exposure += own.exposure;
    total.bytes += own.bytes;
    longest = std::max(longest, own.rounds);
  }
  total.rounds += longest;
  return total;
}

std::int64_t ciphertext_bytes(const Spec& spec) { return 2 * spec.key_bits / 8; }

std::int64_t columns_of(const Spec& spec) { return static_cast<std::int64_t>(spec.column_count()); }

double slower(const Spec& spec) { return std::pow(spec.key_bits / 3072.0, 3); }

Count times(const Count& records, std::int64_t factor) { return records ? Count(*records * factor) : std::nullopt; }

Seconds work(const Count& records, double per_record) {
  return records ? Seconds(static_cast<double>(*records) * per_record) : std::nullopt;
}

// Returns the seconds for the ciphertexts of one controller. per_second: operations per second and core.
Seconds cipher_work(const Spec& spec, int controller, const Count& records, double per_second) {
  const double ciphertexts = static_cast<double>(ciphertexts_per_record(spec, controller));
  return work(records, ciphertexts * slower(spec) / (per_second * kCores) + kRecordSeconds);
}

PaceClock::duration to_duration(double seconds) {
  return std::chrono::duration_cast<PaceClock::duration>(std::chrono::duration<double>(seconds));
}

double to_seconds(PaceClock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

std::int64_t ciphertexts_per_record(const Spec& spec, int controller) {
  const ControllerSpec& owner = spec.controllers.at(static_cast<std::size_t>(controller));
  return static_cast<std::int64_t>(SlotLayout(spec.key_bits, owner.columns().size()).ciphertexts_per_record());
}

StepEstimate estimate_prepare(const Count& records) { return {records, {}, {}, work(records, kRecordSeconds)}; }

StepEstimate estimate_agree_key(const Count& records) {
  Seconds waits;
  if (const Seconds prepares = estimate_prepare(records).seconds)
    waits = to_seconds(next_power(to_duration(*prepares), kSmallestStart)) - *prepares;
  return {{}, 2 * (static_cast<std::int64_t>(kHashBytes) + kSealBytes), 2, waits};
}

StepEstimate estimate_scramble(const Spec& spec, int controller, const Count& records) {
  Seconds seconds = cipher_work(spec, controller, records, kOwnEncryptions);
  if (seconds) *seconds += kKeySeconds * slower(spec);
  return {records, {}, {}, seconds};
}

StepEstimate estimate_push(const Spec& spec, int controller, const Count& records) {
  const std::int64_t per_record =
      static_cast<std::int64_t>(kHashBytes) + ciphertexts_per_record(spec, controller) * ciphertext_bytes(spec);
  return {records, times(records, per_record), {}, estimate_match(spec).seconds};
}

StepEstimate estimate_match(const Spec& spec) {
  const Seconds matches = work(spec.expected_records, 2 * kRecordSeconds);
  if (!matches) return {};
  return {{}, {}, {}, to_seconds(announcement_delay(to_duration(*matches), spec.expected_records, spec.key_bits))};
}

StepEstimate estimate_mask(const Spec& spec, int controller, const Count& records) {
  const int other = 1 - controller;
  return {records,
          times(records, ciphertexts_per_record(spec, other) * ciphertext_bytes(spec)),
          {},
          cipher_work(spec, other, records, kMaskEncryptions)};
}

StepEstimate estimate_send_sums(const Spec& spec, int controller, const Count& records) {
  return {records,
          times(records, ciphertexts_per_record(spec, controller) * ciphertext_bytes(spec)),
          {},
          cipher_work(spec, controller, records, kRerandomisations)};
}

StepEstimate estimate_decrypt(const Spec& spec, int controller, const Count& records) {
  return {records, {}, {}, cipher_work(spec, controller, records, kDecryptions)};
}

// Controllers send each other one element per value. The third party computes its shares from agreed keys.
StepEstimate estimate_share(const Spec& spec, int party, const Count& records) {
  Count bytes = times(records, columns_of(spec) * kElementBytes);
  if (party == 2) bytes = 0;
  return {records, bytes, 1, work(records, kRecordSeconds * static_cast<double>(columns_of(spec)))};
}

StepEstimate estimate_analyses(const Spec& spec, const Count& records) {
  const std::int64_t pairs = columns_of(spec) * (columns_of(spec) + 1) / 2;
  const Cost cost = cost_of(spec);
  Seconds seconds = work(records, kRecordSeconds * static_cast<double>(pairs) / 250);
  if (seconds) *seconds += static_cast<double>(cost.rounds) * kRoundSeconds;
  return {records, cost.bytes, cost.rounds, seconds};
}

double planned_exposure_log2(const Spec& spec) { return std::log2(cost_of(spec).exposure); }

namespace {
void require_few_numbers(const Spec& spec) {
  const std::int64_t numbers = charged_numbers(spec, {});
  const std::int64_t limit =
      spec.disclosure.released_numbers.value_or(default_released_numbers(static_cast<std::int64_t>(kMostRecords)));
  if (numbers <= limit) return;
  throw Error(
      ErrorCode::limit_exceeded, "the study would release more numbers than disclosure.released_numbers allows",
      "It counts " + std::to_string(numbers) + " numbers, and the limit is " +
          (spec.disclosure.released_numbers ? std::to_string(limit)
                                            : "a tenth of the matched records, at most " + std::to_string(limit)) +
          ".",
      "Agree on fewer analyses, attributes or lambdas, on release.precision statistical, or on a larger "
      "disclosure.released_numbers.");
}
}  // namespace

void require_feasible(const Spec& spec) {
  const double planned = planned_exposure_log2(spec);
  if (planned <= std::log2(kMostExposure)) return require_few_numbers(spec);
  char text[32];
  std::snprintf(text, sizeof text, "2^%.1f", planned);
  throw Error(ErrorCode::limit_exceeded, "the study may open more than the allowed statistical distance",
              "Its openings may come within " + std::string(text) + " of the data, the limit is 2^-24.",
              "Agree on fewer lambdas, fewer attributes, a smaller analysis.max_iterations, or on expected_records.");
}

std::optional<double> join_exposure_log2(const Spec& spec) {
  if (!spec.expected_records) return std::nullopt;
  return std::log2(static_cast<double>(*spec.expected_records) * static_cast<double>(columns_of(spec))) -
         kStatisticalBits;
}

}  // namespace pgmpc
