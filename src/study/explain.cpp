// Implements explain(): one function per step. The numbers come from explain_estimate.h.
#include "study/explain.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "json/canonical_json.h"
#include "study/columns.h"
#include "study/disclosure.h"
#include "study/explain_estimate.h"
#include "study/levels.h"
#include "study/step_facts.h"

namespace pgmpc {
namespace {

using Rows = std::vector<ExplainRow>;

// The numbers of records that the estimates of a party's rows use.
struct Counts {
  Count expected;     // what the parties agreed on
  int own;            // the party whose own count is known, or -1
  Count own_records;  // never the count of another party (rule F5)

  Count pushed(int party) const { return party == own ? own_records : expected; }
  // Never more than what this party pushes.
  Count matched(int party) const { return expected && party == own ? std::min(expected, own_records) : pushed(party); }
};

struct Action {
  int step;
  std::string name;
  int party;  // index
  int peer;   // index, -1 for none or both
  std::string sends;
  std::vector<Learning> learned;
};

std::string in_words(const std::vector<Learning>& learned) {
  std::string text;
  for (const Learning& each : learned) text += (text.empty() ? "" : "; ") + each.who + ": " + each.what;
  return text.empty() ? kNothing : text;
}

void add(Rows& rows, const Spec& spec, Action action, const StepEstimate& estimate) {
  const bool third = action.party == 2;
  std::vector<std::string> destroyed = destroyed_in(spec, action.name, third);
  std::string learns = in_words(action.learned);
  rows.push_back({action.step,
                  std::move(action.name),
                  spec.party_name(action.party),
                  action.peer < 0 ? std::string() : spec.party_name(action.peer),
                  std::move(action.sends),
                  std::move(learns),
                  std::move(action.learned),
                  estimate.records,
                  estimate.bytes,
                  estimate.rounds,
                  estimate.seconds,
                  data_status(action.step, third),
                  std::move(destroyed),
                  {}});
}

// Steps 1 to 3 of one controller.
void pseudonymise(Rows& rows, const Spec& spec, const Counts& counts, int self) {
  const int other = 1 - self;
  add(rows, spec, {1, "prepare", self, -1, kNothing, {}}, estimate_prepare(counts.pushed(self)));
  add(rows, spec, {2, "agree_key", self, other, "its half of the joint key, sealed for the peer; a check value", {}},
      estimate_agree_key(counts.pushed(self)));
  add(rows, spec, {3, "scramble", self, -1, kNothing, {}}, estimate_scramble(spec, self, counts.pushed(self)));
}

void join(Rows& rows, const Spec& spec, const Counts& counts, int self) {
  add(rows, spec,
      {4,
       "push",
       self,
       2,
       "keyed hashes, its public key, a ciphertext block for every record",
       {{"third party", {2}, "how many records were pushed"}}},
      estimate_push(spec, self, counts.pushed(self)));
}

void match(Rows& rows, const Spec& spec) {
  add(rows, spec,
      {4,
       "match",
       2,
       -1,
       "the number of matched records, or one bit that refuses",
       {{"third party", {2}, "both sizes and which pushed records pair up, as pseudonyms"},
        {"controllers", {0, 1}, "the match count only"}}},
      estimate_match(spec));
}

void mask(Rows& rows, const Spec& spec, const Counts& counts, int self) {
  add(rows, spec,
      {5, "mask", self, 2, "random shares, encrypted under the public key of " + spec.party_name(1 - self), {}},
      estimate_mask(spec, self, counts.matched(self)));
}

void unmask_third_party(Rows& rows, const Spec& spec, const Counts& counts) {
  for (int controller = 0; controller < 2; ++controller) {
    add(rows, spec,
        {6,
         "unmask",
         2,
         controller,
         "ciphertexts of value minus random share, with fresh randomness of the third party, in an order only it knows",
         {}},
        estimate_send_sums(spec, controller, counts.expected));
  }
}

void unmask_controller(Rows& rows, const Spec& spec, const Counts& counts, int self) {
  add(rows, spec, {6, "unmask", self, -1, kNothing, {}}, estimate_decrypt(spec, self, counts.matched(self)));
}

void share(Rows& rows, const Spec& spec, const Counts& counts, int party) {
  const bool third = party == 2;
  add(rows, spec,
      {7, "share", party, third ? -1 : 1 - party, third ? kNothing : "one share of each of its additive shares", {}},
      estimate_share(spec, party, counts.matched(party)));
}

std::string names_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Step 8. With several analyses, each statement names its analysis.
void analyse(Rows& rows, const Spec& spec, const Counts& counts, int party) {
  std::vector<int> recipients;
  for (const std::string& name : spec.recipients) recipients.push_back(spec.party_index(name));
  std::vector<Learning> learned;
  for (const AnalysisEntry& entry : spec.analyses) {
    const AnalysisDescription words = entry.analysis->words();
    const std::string of = spec.analyses.size() == 1 ? "" : entry.name + ": ";
    learned.push_back({names_of(spec.recipients), recipients, of + words.received});
    if (!words.opened_to_all.empty()) learned.push_back({"all", {0, 1, 2}, of + words.opened_to_all});
  }
  add(rows, spec, {8, analysis_step(spec), party, -1, spec.analyses[0].analysis->words().sends, std::move(learned)},
      estimate_analyses(spec, counts.matched(party)));
}

void note(Rows& rows, std::string subject, std::string statement) {
  ExplainRow row;
  row.name = std::move(subject);
  row.learns = std::move(statement);
  rows.push_back(std::move(row));
}

// A statement about one analysis. Where a study has several, the subject names it.
void note_of(Rows& rows, const Spec& spec, const AnalysisEntry& entry, const Statement& statement) {
  const bool only = spec.analyses.size() == 1;
  note(rows, only ? statement.subject : statement.subject + " of " + entry.name, statement.text);
  if (!only) rows.back().analysis = entry.name;
}

// "; outcome P.A, attributes P.B, Q.C".
std::string columns_of(const Spec& spec, const AnalysisEntry& entry) {
  std::string text;
  if (entry.columns.outcome) {
    const JoinedColumn outcome = joined_columns(spec)[*entry.columns.outcome];
    text = "; outcome " + spec.party_name(outcome.party) + "." + outcome.name;
  }
  std::string attributes;
  for (const NamedColumn& column : entry.columns.names)
    attributes += (attributes.empty() ? "; attributes " : ", ") + column.party + "." + shown_column(column.name);
  return text + attributes;
}

// Returns a text such as "2^-29.4", rounded up to the larger distance.
std::string power_of_two(double log2) {
  char text[32];
  std::snprintf(text, sizeof text, "2^%.1f", std::ceil(log2 * 10) / 10);
  return text;
}

void note_exposure(Rows& rows, const Spec& spec) {
  const auto join_part = join_exposure_log2(spec);
  note(rows, "statistical distance",
       "everything opened during the analysis is within " + power_of_two(planned_exposure_log2(spec)) +
           " of values that depend on the result only; the engine refuses above 2^-24");
  note(rows, "statistical distance of the join",
       join_part ? "masked values are within " + power_of_two(*join_part) + " of uniform at expected_records"
                 : "masked values are within records * " + std::to_string(spec.column_count()) + " * 2^-80 of uniform");
}

// What the times before the announcement tell (study/pace.h).
void note_times(Rows& rows, const Spec& spec) {
  std::string statement =
      "all parties learn the binary order of magnitude of how long a controller reads and pushes, because messages "
      "before the match count wait until a power of two of seconds has passed";
  if (const auto agreed = estimate_match(spec).seconds)
    statement +=
        "; the match count is announced " + canonical_number(*agreed) +
        " s after the first push, a time that follows from expected_records, or later if the match takes longer";
  note(rows, "public: times", std::move(statement));
}

void note_public(Rows& rows, const Spec& spec) {
  const std::size_t fixed = spec.controllers[0].scale_exponents.size() + spec.controllers[1].scale_exponents.size();
  std::size_t columns = 0;  // of levels have the unit 1
  for (const JoinedColumn& column : joined_columns(spec)) columns += level_of(column.name) ? 0 : 1;
  if (fixed < columns) {
    note(rows, "public: order of magnitude",
         "all parties learn the binary order of magnitude of " + std::to_string(columns - fixed) + " of " +
             std::to_string(columns) + " columns; scale_exponents in the spec fixes it instead");
  }
  note(rows, "public: match count", "all parties learn how many records matched, or that they were too few");
  note_times(rows, spec);
  for (const AnalysisEntry& entry : spec.analyses) {
    const AnalysisDescription words = entry.analysis->words();
    for (const Statement& fact : words.public_facts) note_of(rows, spec, entry, fact);
    note_of(rows, spec, entry, {"public: result", names_of(spec.recipients) + " learn " + words.opened});
  }
  note(rows, "public: two-valued columns",
       "all parties learn which columns have at most two distinct values in their owner's source, whatever their type");
  if (spec.precision == Precision::exact) return;
  note(
      rows, "public: precision",
      "all parties learn to which power of two each released number is rounded, the order of magnitude of its standard "
      "error");
  for (const AnalysisEntry& entry : spec.analyses)
    for (const Statement& each : entry.analysis->words().notes) note_of(rows, spec, entry, each);
}

void note_trust(Rows& rows, const Spec& spec) {
  note(rows, "trust",
       "all parties follow the protocol and at most one is curious: any two of the three together can open everything");
  note(rows, "trust: third party",
       spec.third_party + " learns both table sizes and which pushed records pair up, as pseudonyms; together with a " +
           "controller that still holds the joint key it could test identifiers of the other controller");
  note(rows, "trust: columns",
       "names do not say what a column holds: the controllers agree on the definition of every column before they "
       "approve, because a chosen column can single out one record");
  if (spec.keep_shares) {
    note(rows, "trust: kept shares",
         "shares stay at every party, encrypted, for other analyses that all parties agree on");
  }
}

void note_rules(Rows& rows, const Spec& spec) {
  for (const DisclosureRule& rule : disclosure_rules(spec))
    note(rows, "rule: " + rule.key, (rule.relaxed ? "relaxed: " : "") + rule.statement);
  if (spec.expect_matched)
    note(rows, "rule: expect_matched",
         "the match is refused outside " + std::to_string(spec.expect_matched->first) + " to " +
             std::to_string(spec.expect_matched->second) + " records, with the bit and the text of every refusal");
}

// Says which number of records the estimates use.
void note_estimates(Rows& rows, const Spec& spec, const Counts& counts) {
  note(rows, "estimates: agreed",
       counts.expected
           ? "records, bytes and seconds follow from expected_records of the spec, " + std::to_string(*counts.expected)
           : "the spec has no expected_records: records, bytes and seconds that depend on it are NULL");
  note(rows, "estimates: waits",
       "seconds of steps 2 and 4 contain the waits until messages may leave; those of unmask at " + spec.third_party +
           " are of its randomness, which it multiplies in while the controllers mask");
  if (!counts.own_records) return;
  const std::string own = std::to_string(*counts.own_records);
  note(rows, "estimates: own records",
       "rows of " + spec.party_name(counts.own) + " follow from its own source, which only this node sees: " + own +
           " complete records up to step 4, from step 5 on the matched ones, at most " +
           std::to_string(*counts.matched(counts.own)));
}

// Sorts the rows by step; within a step, the rows of the reader's own node come first.
void order(Rows& rows, const std::string& own) {
  std::stable_sort(rows.begin(), rows.end(), [&own](const ExplainRow& a, const ExplainRow& b) {
    if (a.step != b.step) return a.step < b.step;
    return !own.empty() && (a.party == own) > (b.party == own);
  });
}

}  // namespace

std::vector<ExplainRow> explain(const Spec& spec, int own_party, const std::optional<std::int64_t>& own_records) {
  const bool counted = own_records && (own_party == 0 || own_party == 1);
  const Counts counts{spec.expected_records, counted ? own_party : -1, counted ? own_records : std::nullopt};
  Rows rows;
  for (int self = 0; self < 2; ++self) {
    pseudonymise(rows, spec, counts, self);
    join(rows, spec, counts, self);
    mask(rows, spec, counts, self);
  }
  match(rows, spec);
  unmask_third_party(rows, spec, counts);
  for (int self = 0; self < 2; ++self) unmask_controller(rows, spec, counts, self);
  for (int party = 0; party < 3; ++party) {
    share(rows, spec, counts, party);
    analyse(rows, spec, counts, party);
  }
  for (const AnalysisEntry& entry : spec.analyses) {
    Statement method = entry.analysis->words().method;
    if (spec.analyses.size() > 1) method.text += columns_of(spec, entry);
    note_of(rows, spec, entry, method);
  }
  note_public(rows, spec);
  note_trust(rows, spec);
  note_rules(rows, spec);
  note_exposure(rows, spec);
  note_estimates(rows, spec, counts);
  order(rows, own_party >= 0 && own_party < 3 ? spec.party_name(own_party) : std::string());
  return rows;
}

}  // namespace pgmpc
