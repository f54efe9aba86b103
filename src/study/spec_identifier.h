// The part of the study spec that says how persons are found at the other controller: parts of the identifier with
// their forms, or one list of rules for all parts (the older form), examples, and how many matches are expected.
#pragma once
#include <nlohmann/json.hpp>

#include "json/spec_reader.h"
#include "study/spec.h"

namespace pgmpc {

// proposed: examples are normalised here and must give what a filled spec says they are.
void read_identifier(Spec& spec, const SpecReader& root, bool proposed);
nlohmann::json filled_identifier(const Spec& spec);

// The bytes of an identifier with these parts (linkage/identifiers.h). Nothing when one of them is refused, and then
// the reason per part; a part that is empty after the older rules is refused, too.
std::optional<SecretBytes> normalised_identifier(const IdentifierSpec& identifier, std::vector<SecretBytes> parts,
                                                 std::span<const PartType> types, std::span<Refusal> refusals);

}  // namespace pgmpc
