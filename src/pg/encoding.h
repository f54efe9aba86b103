// Converts text between the encoding of the database and UTF-8. Everything outside of the server uses UTF-8: messages
// between processes and nodes, specs, identifiers.
//
// Errors
// Neither direction fails for a character that the other encoding lacks: it becomes a question mark, so that one
// message never blocks another. Error 42883 when the server has no conversion between the two encodings. Text that must
// be the same everywhere (digests, identifiers) is compared, or refused, by its reader.
//
// Users
// Call these functions where the server may raise. to_server and from_server need a transaction.
#pragma once
#include "pg/compat.h"

namespace pgmpc::pg {

// Each returns new text in CurrentMemoryContext, or the argument itself when nothing changes.
const char* to_server(const char* utf8);
const char* from_server(const char* text);

// Replaces bytes beyond ASCII by question marks, in place, unless the database is in UTF-8. For texts of errors, also
// outside a transaction.
void ascii_unless_utf8(char* text);

}  // namespace pgmpc::pg
