// The context of errors that leave a function of the extension: its own SQL and PL/pgSQL is nobody's business, code of
// the caller and code that a source calls are.
//
// Terms
//   mark = a line of the context, put there by a callback, that says where a part of it ends. Innermost first, a
//   context is: code of a source, mark of the source, code of the extension, mark of the entry, code of the caller.
//
// Invariants
//   Plain data, no destructor. An error_context_stack that a PG_TRY has saved is restored by it.
#pragma once
#include "pg/compat.h"

namespace pgmpc::pg {

// Pushes a mark on error_context_stack; the caller sets that back to callback->previous.
void mark_entry(ErrorContextCallback* callback);
void mark_source(ErrorContextCallback* callback);

// Called in PG_CATCH: raises the current error again, without the context between the marks. The copy is made in
// `memory`. reads_source: an error about a name, without a hint of ours, gets kSearchPathHint.
[[noreturn]] void rethrow_without_own_context(MemoryContext memory, bool reads_source);

// For errors about names that nothing says more about: code that is read with another search path than its owner's.
bool may_need_search_path(int sqlstate);
inline constexpr char kSearchPathHint[] =
    "Sources are read with search_path pg_catalog, pg_temp. Functions that a view calls name the schema of what they "
    "use, "
    "or are given it: ALTER FUNCTION ... SET search_path = ...";

}  // namespace pgmpc::pg
