// A limit on the nesting of JSON from others: parsing and copying a deep value overflows the stack of the process.
#pragma once
#include "base/bytes.h"

namespace pgmpc {

// Returns whether objects and arrays are nested deeper than 32 levels. Takes any bytes, JSON or not.
bool json_too_deep(ByteView text);

}  // namespace pgmpc
