// Names of persons for the forms of identifiers (forms.h): letters A to Z, Dutch surnames, and how a name sounds.
#pragma once
#include "linkage/forms.h"
#include "linkage/utf8.h"

namespace pgmpc {

// Appends the character in A to Z, or nothing for blanks, marks, digits and punctuation. Returns Refusal::letters for a
// letter outside the table.
Refusal append_letters(char32_t code, SecretBytes& out);

// Appends the surname in A to Z, without prefixes (van, de, 't, ...) and without the second part of a double name. Of a
// name that consists of prefixes the last word remains.
Refusal surname_nl(const SecretCodePoints& text, SecretBytes& out);

// Replaces letters A to Z by their phonetic code (Postel 1969), digits 0 to 8. Other characters are dropped.
void cologne_sound(SecretBytes& name);

}  // namespace pgmpc
