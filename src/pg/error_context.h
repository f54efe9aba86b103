// Trims the context of errors that leave a function of the extension. It removes the lines of the extension's own SQL
// and PL/pgSQL, and keeps those of the caller's code and of code that a source calls.
//
// Terms
// A mark is a line of the context, added by a callback, where one part of the context ends. From the inside out, a
// context has: code of a source, mark of the source, code of the extension, mark of the entry, code of the caller.
//
// Invariants
// The functions use plain data without destructors. A PG_TRY restores the error_context_stack that it has saved.
#pragma once
#include "pg/compat.h"

namespace pgmpc::pg {

// Pushes a mark on error_context_stack. The caller sets error_context_stack back to callback->previous.
void mark_entry(ErrorContextCallback* callback);
void mark_source(ErrorContextCallback* callback);

// Raises the current error again without the context between the marks; for PG_CATCH. The copy is made in `memory`.
// reads_source: an error about a name gets kSearchPathHint if it has no hint or is about an undefined function.
[[noreturn]] void rethrow_without_own_context(MemoryContext memory, bool reads_source);

// True for SQLSTATEs of unknown names, which may come from code that is read with another search path than its owner's.
bool may_need_search_path(int sqlstate);
inline constexpr char kSearchPathHint[] =
    "Sources are read with search_path pg_catalog, pg_temp. Functions that a view calls name the schema of what they "
    "use, "
    "or are given it: ALTER FUNCTION ... SET search_path = ...";

}  // namespace pgmpc::pg
