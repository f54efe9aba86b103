// Implements the lists of the steps and of what each of them destroys.
#include "study/step_facts.h"

namespace pgmpc {

namespace {
using Items = std::vector<std::string>;

Items of_controller(std::string_view step) {
  if (step == "agree_key") return {"joint key", "halves of the joint key", "identifiers read from the source"};
  if (step == "scramble") return {"attribute values read from the source"};
  if (step == "push") return {"hashed identifiers", "own copy of the ciphertexts"};
  if (step == "unmask") return {"Paillier private key"};
  if (step == "share") return {"additive shares", "random shares"};
  return {};
}

Items of_third_party(std::string_view step) {
  if (step == "match") return {"hashed identifiers", "ciphertexts of unmatched records"};
  if (step == "unmask") return {"ciphertexts of matched records", "secret order of the matched records"};
  return {};
}

Items of_rehearsing_controller(std::string_view step) {
  if (step == "prepare") return {"attribute values read from the source"};
  if (step == "agree_key") return of_controller(step);
  if (step == "push") return {"hashed identifiers", "keys of the attempt"};
  return {};
}
}  // namespace

std::string analysis_step(const Spec& spec) {
  std::string name = spec.analyses.at(0).analysis->step();
  for (const AnalysisEntry& entry : spec.analyses)
    if (name != entry.analysis->step()) return kAnalysisStep;
  return name;
}

std::vector<std::pair<int, std::string>> steps_of(bool third_party, const std::string& last) {
  if (third_party) return {{1, "prepare"}, {4, "match"}, {6, "unmask"}, {7, "share"}, {8, last}};
  return {{1, "prepare"}, {2, "agree_key"}, {3, "scramble"}, {4, "push"},
          {5, "mask"},    {6, "unmask"},    {7, "share"},    {8, last}};
}

bool is_step(std::string_view name) {
  for (const bool third_party : {false, true})
    for (const char* last : {kPenalisedStep, kAnalysisStep})
      for (const auto& [number, step] : steps_of(third_party, last))
        if (step == name) return true;
  return false;
}

const char* data_status(int step, bool third_party) {
  if (step == 1) return third_party ? "none" : "personal";
  if (step <= 3) return "pseudonymised";
  return step == 8 ? "aggregate" : "anonymous";
}

Items destroyed_in_rehearsal(std::string_view step, bool third_party) {
  if (!third_party) return of_rehearsing_controller(step);
  return step == "match" ? Items{"hashed identifiers", "keys of the attempt"} : Items{};
}

Items destroyed_in(const Spec& spec, std::string_view step, bool third_party) {
  if (step != analysis_step(spec)) return third_party ? of_third_party(step) : of_controller(step);
  if (spec.keep_shares) return {"keys of the attempt"};
  return {"Shamir shares", "keys of the attempt"};
}

}  // namespace pgmpc
