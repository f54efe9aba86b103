// Checks what a peer answered before anything of it is used or shown.
//
// Security
// A peer is known, not trusted. Its text is shown as a quotation (party: "..."), at most 300 printable characters. Its
// hint is dropped, because it would read as this node's. Its SQLSTATE is kept only if a node may send it (otherwise
// MP008). Every member is checked for its type; a violation is MP004 with the name of the peer.
#pragma once
#include "worker/message.h"

namespace pgmpc {

// Formats text of a peer for display; empty when there is none.
std::string quoted(const std::string& party, std::string_view text);

// Returns a peer's reply as {"ok": object} or {"error": ...}, the latter with this node's wording. The member
// "passing" is true when the peer's refusal does not depend on the message, or when the reply was malformed. The
// message may then be sent again.
Json checked_reply(const std::string& party, const Json& reply);

// Calls read(ok value) of a checked reply; its protocol violations name the peer. ErrorFieldsException when the
// reply is an error.
template <typename Read>
auto read_answer(const std::string& party, const Json& reply, Read read) -> decltype(read(reply)) {
  const Json answer = value_of_reply(reply);
  try {
    return read(answer);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::protocol_violation && error.code() != ErrorCode::invalid_text) throw;
    throw Error(ErrorCode::protocol_violation, "party " + party + " sent an answer that the protocol does not allow",
                error.message() + (error.detail().empty() ? "" : ": " + error.detail()),
                "The nodes may run different versions of pg_mpc.");
  }
}

}  // namespace pgmpc
