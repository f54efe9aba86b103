// Reads the part of the study spec that says how records of both controllers are matched. The identifier has parts with
// their forms, or one list of rules for all parts (the older way). Examples and the expected number of matches are
// optional.
#pragma once
#include <nlohmann/json.hpp>

#include "json/spec_reader.h"
#include "study/spec.h"

namespace pgmpc {

// Reads "identifier" and "expect_matched", and normalises the examples. proposed: the normalised form that a filled
// example names must be the one computed here. Throws Error(invalid_parameter).
void read_identifier(Spec& spec, const SpecReader& root, bool proposed);
// Returns the value of "identifier" with defaults written out.
nlohmann::json filled_identifier(const Spec& spec);

// Returns the bytes of an identifier with these parts (linkage/identifiers.h), or nullopt when a part is refused.
// types, refusals: one per part; refusals receives the reason of each. A part that is empty after the older rules is
// refused too.
std::optional<SecretBytes> normalised_identifier(const IdentifierSpec& identifier, std::vector<SecretBytes> parts,
                                                 std::span<const PartType> types, std::span<Refusal> refusals);

}  // namespace pgmpc
