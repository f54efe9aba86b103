// Text between the encoding of the database and UTF-8, which everything outside of the server speaks: messages between
// processes and nodes, specs, identifiers.
//
// Invariants
//   Neither direction fails for a character that the other encoding lacks: it becomes a question mark, so that one
//   message never stops another one. What must be the same everywhere (digests, identifiers) is compared, or refused,
//   by its reader. Called where the server may raise; to_server and from_server need a transaction.
#pragma once
#include "pg/compat.h"

namespace pgmpc::pg {

// New text in CurrentMemoryContext, or the argument itself when there is nothing to change.
const char* to_server(const char* utf8);
const char* from_server(const char* text);

// For text of errors, also outside a transaction: in a database that is not in UTF-8, bytes beyond ASCII become
// question marks, in place.
void ascii_unless_utf8(char* text);

}  // namespace pgmpc::pg
