// Implements the lists of what each step destroys.
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
  if (step != "lasso") return third_party ? of_third_party(step) : of_controller(step);
  if (spec.keep_shares) return {"keys of the attempt"};
  return {"Shamir shares", "keys of the attempt"};
}

}  // namespace pgmpc
