// What: what a peer answered, before anything of it is used or shown.
//
// Security:
// A peer is known, not trusted. Its text is shown as its own (party: "..."), at most 300 printable characters, without
// its hint, which would read as this node's. Its SQLSTATE counts only if a node may honestly send it. Every member is
// checked for its type, and what is wrong is MP004 naming the peer.
#pragma once
#include "worker/message.h"

namespace pgmpc {

// Text of a peer as it is shown; empty when it said nothing.
std::string quoted(const std::string& party, std::string_view text);

// A peer's reply as {"ok": object} or {"error": ...}, the latter in this node's words. "passing": true when the refusal
// says nothing of the message, as the peer says, or when the reply was malformed: the message may be sent again.
Json checked_reply(const std::string& party, const Json& reply);

// read(ok value) of a checked reply; its protocol violations name the peer. FaultError when the reply is an error.
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
