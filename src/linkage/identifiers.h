// What: identifiers before they are hashed: normalisation of their parts and the canonical encoding both controllers
//       must produce byte for byte, or their records do not match.
// Terms: part = one column of a composite identifier; normalisation = what the agreed spec applies to every part,
//        in its order: trim (ASCII white space at both ends), upper (ASCII letters), digits (keeps 0-9 only). The forms
//        of forms.h do this better; these rules stay for specs that have them.
// Invariants: a part that is empty afterwards is no identifier, nor is a number with a fraction whose digits are asked
//             for: the record is refused, as a form would. Each part is encoded as u32 length + bytes, so that
//             ("ab","c") and ("a","bc") differ; bytes outside ASCII pass through unchanged, in no locale.
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

// Error(invalid_parameter) for another name.
Normalisation parse_normalisation(std::string_view name);
std::vector<Normalisation> parse_normalisations(std::span<const std::string> names);

Refusal normalise_part(SecretBytes& part, PartType type, std::span<const Normalisation> rules);

// Appends one part, already normalised, to the encoding of an identifier. Error(limit_exceeded) above 64 kB.
void append_part(SecretBytes& identifiers, ByteView part);

}  // namespace pgmpc
