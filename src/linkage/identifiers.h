// Identifiers before they are hashed: normalisation of their parts, and their canonical encoding.
// Both controllers must produce the same bytes for a person, or their records do not match.
//
// Terms
// part: one column of a composite identifier.
// normalisation: what the agreed spec applies to every part, in its order: trim (ASCII white space at both ends), upper
// (ASCII letters), digits (keeps 0-9 only). The forms of forms.h do this better; these rules remain for specs that use
// them.
//
// Invariants
// A part that is empty afterwards is refused, as a form would refuse it. So is a number with a sign or a fraction when
// only its digits are to be kept. Each part is encoded as u32 length and bytes, so ("ab","c") and ("a","bc") differ.
// Bytes outside ASCII pass through unchanged; no locale matters.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "linkage/forms.h"

namespace pgmpc {

enum class Normalisation { trim, upper, digits };

// Throw Error(invalid_parameter) for an unknown name.
Normalisation parse_normalisation(std::string_view name);
std::vector<Normalisation> parse_normalisations(std::span<const std::string> names);

// Applies the rules to the part in their order. Returns why the part is refused, or Refusal::kept.
Refusal normalise_part(SecretBytes& part, PartType type, std::span<const Normalisation> rules);

// Appends one part, already normalised, to the encoding of an identifier. Throws Error(limit_exceeded) above 64 kB.
void append_part(SecretBytes& identifiers, ByteView part);

}  // namespace pgmpc
