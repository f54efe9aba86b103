// Converts arrays of SQL to containers of C++.
#pragma once
#include <string>
#include <vector>

#include "pg/guard.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

namespace pgmpc::pg {

// Returns the elements of a text array. ServerError when one of them is NULL.
inline std::vector<std::string> texts_of(ArrayType* array) {
  Datum* parts = nullptr;
  int count = 0;
  call([&] { deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &parts, nullptr, &count); });
  std::vector<std::string> out;
  for (int i = 0; i < count; i++) {
    const auto* part = call([&] { return DatumGetTextPP(parts[i]); });
    out.emplace_back(text_of(part));
  }
  return out;
}

}  // namespace pgmpc::pg
