// What: one SQL statement in one short transaction of its own, for the workers. The only way in which C++ code of the
//       workers reaches tables.
// Terms: fault = an error as it travels between processes: SQLSTATE, message, detail, hint.
// Invariants: text is UTF-8, whatever the encoding of the database; transactions are read-write and READ COMMITTED,
//             whatever the defaults of the server are; usable from code with live destructors: every ereport(ERROR)
//             ends inside run_sql, which gives a fault; values go in and come out as text, NULL as nullopt; no
//             transaction or snapshot is left open. Main thread of a process that is connected to a database only.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "pg/fault.h"

namespace pgmpc::pg {

using SqlValue = std::optional<std::string>;

struct SqlResult {
  std::optional<Fault> fault;
  std::vector<std::vector<SqlValue>> rows;
};

// Every parameter has type text: the statement casts ($1::bigint, $2::jsonb).
SqlResult run_sql(const char* sql, const std::vector<SqlValue>& parameters);

}  // namespace pgmpc::pg
