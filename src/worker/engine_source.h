// Reads this controller's source: the table or view that it bound to the study when it approved.
//
// Terms
// A complete record has no NULL in a used column or identifier part. Other records are dropped and counted.
//
// Invariants
// read_source uses one REPEATABLE READ READ ONLY transaction under the approver's identity (restricted). It is over
// when read_source returns or throws: no snapshot and no lock remains.
//
// Threads
// Main thread only, before the first byte is sent to a peer.
#pragma once
#include <functional>

#include "protocol/protocol.h"
#include "worker/message.h"

namespace pgmpc {

// Reads the complete records. ServerError (pg/guard.h) with the server's SQLSTATE when the source cannot be read.
// Error(invalid_parameter) when a value is none of the declared levels of its attribute; scan_source throws the same.
Source read_source(const Json& job, const Spec& spec);

// What to read: a relation, the columns of the identifier, and the role whose rights are used (oids).
struct BoundSource {
  unsigned int relation = 0;
  std::vector<std::string> identifier;
  unsigned int approver = 0;
};

// Called for every part of an identifier: as it was read, in UTF-8, and the verdict of its form.
using SeePart = std::function<void(std::size_t part, ByteView text, Refusal refusal)>;

// Reads the same records in the caller's transaction and, marked, those with a missing value in a column. Hands them
// over in parts, which are then cleansed.
void scan_source(const BoundSource& bound, const Spec& spec, int controller, const std::vector<std::string>& columns,
                 const std::function<void(const Source& part)>& take, const SeePart& see = nullptr);

}  // namespace pgmpc
