// The Latin letters of names: how they are written with A to Z, and how they are decomposed.
//
// Invariants
// This is a table of the project. The results of the server's locale, libc or ICU depend on their version and encoding,
// but two nodes must agree byte for byte for years. It covers U+00C0 to U+024F and U+1E00 to U+1EFF, and belongs to
// version 1 of the forms (forms.h).
//
// Source
// Unicode Character Database; tools/latin_letters wrote the table.
#pragma once

namespace pgmpc {

struct LatinLetter {
  char32_t code;
  const char* letters;     // "AE" for U+00C6
  const char* decomposed;  // UTF-8, canonical (NFD)
};

const LatinLetter* latin_letter(char32_t code);  // nullptr for another character
int combining_class(char32_t code);              // of combining marks; 0 for all other characters

}  // namespace pgmpc
