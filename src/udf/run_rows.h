// Converts step rows (JSON) to SQL rows and NOTICEs.
//
// Invariants
// The sink's members are plain pointers, so it may exist in a function that raises. put() and notice_step() are for
// code inside pg::udf.
#pragma once
#include "worker/message.h"

// After the headers that are free of PostgreSQL.
#include "pg/compat.h"

namespace pgmpc {

// Columns: party, step, name, peer, records, bytes, seconds, data_status, destroyed.
class StepRowSink {
 public:
  explicit StepRowSink(FunctionCallInfo fcinfo);  // after InitMaterializedSRF
  void put(const Json& row) const;

 private:
  ReturnSetInfo* result_;
  AttInMetadata* types_;
};

// Sends the NOTICE "step 4 push: ...".
void notice_step(const Json& row);

}  // namespace pgmpc
