// Runs one SQL statement in a short transaction of its own, for the workers. C++ code of the workers reaches tables in
// no other way.
//
// Terms
//
// Invariants
// Text is UTF-8, whatever the encoding of the database. Values go in and come out as text, NULL as nullopt.
// Transactions are read-write and READ COMMITTED, whatever the defaults of the server. No transaction or snapshot stays
// open.
//
// Errors
// Callers may have objects with destructors: every ereport(ERROR) of the statement ends inside run_sql, which returns
// its fields.
//
// Threads
// Main thread only, in a process that is connected to a database.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "pg/error_fields.h"

namespace pgmpc::pg {

using SqlValue = std::optional<std::string>;

struct SqlResult {
  std::optional<ErrorFields> error;
  std::vector<std::vector<SqlValue>> rows;
};

// Every parameter has the type text; the statement casts it ($1::bigint, $2::jsonb).
SqlResult run_sql(const char* sql, const std::vector<SqlValue>& parameters);

}  // namespace pgmpc::pg
