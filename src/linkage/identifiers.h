// What: identifiers before they are hashed: normalisation of their parts and the canonical encoding both controllers
//       must produce byte for byte, or their records do not match.
// Terms: part = one column of a composite identifier; normalisation = what the agreed spec applies to every part,
//        in its order: trim (ASCII white space at both ends), upper (ASCII letters), digits (keeps 0-9 only).
// Invariants: each part is encoded as u32 length + bytes, so that ("ab","c") and ("a","bc") differ; bytes outside
//             ASCII pass through unchanged, in no locale.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace pgmpc {

enum class Normalisation { trim, upper, digits };

// Error(invalid_parameter) for another name.
Normalisation parse_normalisation(std::string_view name);
std::vector<Normalisation> parse_normalisations(std::span<const std::string> names);

void normalise_part(SecretBytes& part, std::span<const Normalisation> rules);

// Appends one part, already normalised, to the encoding of an identifier. Error(limit_exceeded) above 64 kB.
void append_part(SecretBytes& identifiers, ByteView part);

}  // namespace pgmpc
