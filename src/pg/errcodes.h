// Registers the SQLSTATEs of pg_mpc: the class MP, and the code of each ErrorCode of the core.
//
// Invariants
// Users catch errors by SQLSTATE, so a code never changes its meaning. New codes go to the end.
#pragma once
#include "base/error.h"
#include "pg/compat.h"

#define ERRCODE_MPC_TIMEOUT MAKE_SQLSTATE('M', 'P', '0', '0', '1')
#define ERRCODE_MPC_PEER_STOPPED MAKE_SQLSTATE('M', 'P', '0', '0', '2')
#define ERRCODE_MPC_PEER_UNREACHABLE MAKE_SQLSTATE('M', 'P', '0', '0', '3')
#define ERRCODE_MPC_PROTOCOL_VIOLATION MAKE_SQLSTATE('M', 'P', '0', '0', '4')
#define ERRCODE_MPC_REFUSED MAKE_SQLSTATE('M', 'P', '0', '0', '5')
#define ERRCODE_MPC_NOT_CONVERGED MAKE_SQLSTATE('M', 'P', '0', '0', '6')
#define ERRCODE_MPC_INCONSISTENT_SHARES MAKE_SQLSTATE('M', 'P', '0', '0', '7')
// A peer answered with an error whose SQLSTATE nodes do not send to each other (worker/peer_answer.h).
#define ERRCODE_MPC_PEER_ERROR MAKE_SQLSTATE('M', 'P', '0', '0', '8')

namespace pgmpc::pg {

inline int sqlstate_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_parameter:
      return ERRCODE_INVALID_PARAMETER_VALUE;
    case ErrorCode::out_of_range:
      return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
    case ErrorCode::data_exception:
      return ERRCODE_DATA_EXCEPTION;
    case ErrorCode::invalid_text:
      return ERRCODE_INVALID_TEXT_REPRESENTATION;
    case ErrorCode::wrong_state:
      return ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    case ErrorCode::not_supported:
      return ERRCODE_FEATURE_NOT_SUPPORTED;
    case ErrorCode::undefined_object:
      return ERRCODE_UNDEFINED_OBJECT;
    case ErrorCode::duplicate_object:
      return ERRCODE_DUPLICATE_OBJECT;
    case ErrorCode::limit_exceeded:
      return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case ErrorCode::out_of_memory:
      return ERRCODE_OUT_OF_MEMORY;
    case ErrorCode::configuration:
      return ERRCODE_CONFIG_FILE_ERROR;
    case ErrorCode::cancelled:
      return ERRCODE_QUERY_CANCELED;
    case ErrorCode::timeout:
      return ERRCODE_MPC_TIMEOUT;
    case ErrorCode::peer_stopped:
      return ERRCODE_MPC_PEER_STOPPED;
    case ErrorCode::peer_unreachable:
      return ERRCODE_MPC_PEER_UNREACHABLE;
    case ErrorCode::protocol_violation:
      return ERRCODE_MPC_PROTOCOL_VIOLATION;
    case ErrorCode::refused:
      return ERRCODE_MPC_REFUSED;
    case ErrorCode::not_converged:
      return ERRCODE_MPC_NOT_CONVERGED;
    case ErrorCode::inconsistent_shares:
      return ERRCODE_MPC_INCONSISTENT_SHARES;
    case ErrorCode::internal:
      break;
  }
  return ERRCODE_INTERNAL_ERROR;
}

// The five characters of a SQLSTATE, as JSON messages carry them.
inline std::string sqlstate_text(int sqlstate) { return unpack_sql_state(sqlstate); }

// The reverse. Text that is no SQLSTATE becomes XX000, because it may come from another process.
inline int sqlstate_from_text(std::string_view text) noexcept {
  auto valid = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  if (text.size() != 5 || !std::all_of(text.begin(), text.end(), valid)) return ERRCODE_INTERNAL_ERROR;
  return MAKE_SQLSTATE(text[0], text[1], text[2], text[3], text[4]);
}

}  // namespace pgmpc::pg
