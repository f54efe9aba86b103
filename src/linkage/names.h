// Names of persons as forms of identifiers need them (forms.h): letters A to Z, Dutch surnames, how a name sounds.
#pragma once
#include "linkage/forms.h"
#include "linkage/utf8.h"

namespace pgmpc {

// Appends what the character is in A to Z; nothing for blanks, marks, digits and punctuation. Refusal::letters for a
// letter outside the table.
Refusal append_letters(char32_t code, SecretBytes& out);

// The surname without prefixes (van, de, 't, ...) and without the second part of a double name, in A to Z. A name that
// consists of prefixes is its last word.
Refusal surname_nl(const SecretCodePoints& text, SecretBytes& out);

// Letters A to Z become their phonetic code (Postel 1969), digits 0 to 8. Already coded digits stay as they are.
void cologne_sound(SecretBytes& name);

}  // namespace pgmpc
