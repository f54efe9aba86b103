// What: reads this controller's source: the table or view it bound to the study when it approved.
// Terms: complete record = no NULL in a used column or identifier part; the others are dropped and counted.
// Invariants: one REPEATABLE READ READ ONLY transaction under the approver's identity (restricted), over when
//             read_source returns or throws: no snapshot and no lock stays. Main thread, before the first network byte.
#pragma once
#include "study/protocol.h"
#include "worker/message.h"

namespace pgmpc {

// ServerError (pg/guard.h) with the server's SQLSTATE when the source cannot be read.
Source read_source(const Json& job, const Spec& spec);

}  // namespace pgmpc
