// The Latin letters of names: how they are written with A to Z, and how they are decomposed.
//
// Invariants
//   A table of this project, not the server's locale, libc or ICU, whose results depend on version and encoding: two
//   nodes must agree byte for byte for years. It covers U+00C0 to U+024F and U+1E00 to U+1EFF, and belongs to the
//   version 1 of the forms (forms.h). Source: Unicode Character Database; tools/latin_letters wrote it.
#pragma once

namespace pgmpc {

struct LatinLetter {
  char32_t code;
  const char* letters;     // "AE" for U+00C6
  const char* decomposed;  // UTF-8, canonical (NFD)
};

const LatinLetter* latin_letter(char32_t code);  // nullptr for another character
int combining_class(char32_t code);              // of combining marks; 0 for everything else

}  // namespace pgmpc
