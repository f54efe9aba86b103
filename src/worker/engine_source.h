// What: reads this controller's source: the table or view that it binds to the study when it approves.
// Terms: complete record = no NULL in a used column or identifier part; the others are dropped and counted.
// Invariants: one REPEATABLE READ READ ONLY transaction under the approver's identity (restricted), over when
//             read_source returns or throws: no snapshot and no lock stays. Main thread, before the first network byte.
#pragma once
#include <functional>

#include "protocol/protocol.h"
#include "worker/message.h"

namespace pgmpc {

// ServerError (pg/guard.h) with the server's SQLSTATE when the source cannot be read.
Source read_source(const Json& job, const Spec& spec);

// What is read: a relation, the columns of the identifier, and the role whose rights it is read with.
struct BoundSource {
  unsigned int relation = 0;
  std::vector<std::string> identifier;
  unsigned int approver = 0;
};

// Told every part of an identifier as it was read, in UTF-8, and what its form says.
using SeePart = std::function<void(std::size_t part, ByteView text, Refusal refusal)>;

// The same records and, marked, those with a missing value in a column, in the transaction of the caller, handed over
// part by part and then cleansed.
void scan_source(const BoundSource& bound, const IdentifierSpec& identifier, const std::vector<std::string>& columns,
                 const std::function<void(const Source& part)>& take, const SeePart& see = nullptr);

}  // namespace pgmpc
