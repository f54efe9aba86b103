// Implements the check of a peer's reply and the quotation of its text.
#include "worker/peer_answer.h"

#include <algorithm>
#include <array>

#include "base/printable.h"

namespace pgmpc {
namespace {

constexpr std::size_t kMostCharacters = 300;
constexpr char kPeerError[] = "MP008";  // pg/errcodes.h

// True for SQLSTATEs that a node sends to a peer: the class of this product, and those of its checks and resources.
// Others could make a client close its connection (57), try again (40) or take an error for success (00, 01, 02).
bool allowed_sqlstate(const std::string& state) {
  constexpr std::array<std::string_view, 8> kClasses = {"0A", "22", "42", "53", "54", "55", "58", "F0"};
  const auto valid = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  if (state.size() != 5 || !std::all_of(state.begin(), state.end(), valid)) return false;
  if (state.starts_with("MP")) return state >= "MP001" && state <= kPeerError;
  return std::find(kClasses.begin(), kClasses.end(), state.substr(0, 2)) != kClasses.end();
}

// True for refusals that do not depend on the message, also those of a node that is being set up.
bool passing(const std::string& state) { return pg::is_temporary(state) || state == "55000" || state == "F0000"; }

Json malformed(const std::string& party) {
  Json reply = error_reply({"MP004", "party " + party + " sent an answer that the protocol does not allow",
                            "It is neither a result nor an error of pg_mpc.",
                            "The nodes may run different versions of pg_mpc, or a proxy between them answers."});
  reply["passing"] = true;
  return reply;
}

}  // namespace

std::string quoted(const std::string& party, std::string_view text) {
  std::string shown = printable_text(text, kMostCharacters);
  if (shown.empty()) return "";
  std::replace(shown.begin(), shown.end(), '"', '\'');
  return party + ": \"" + shown + "\"";
}

Json checked_reply(const std::string& party, const Json& reply) {
  if (auto ok = reply.find("ok"); ok != reply.end()) return ok->is_object() ? ok_reply(*ok) : malformed(party);
  auto error = reply.find("error");
  if (error == reply.end() || !error->is_object()) return malformed(party);
  const pg::ErrorFields said = error_from_json(*error);
  std::string message = quoted(party, said.message);
  if (message.empty()) message = "party " + party + " refused without a reason";
  Json checked =
      error_reply({allowed_sqlstate(said.sqlstate) ? said.sqlstate : kPeerError, message, quoted(party, said.detail),
                   "The quoted text was written by the node of party " + party + ": ask its administrator."});
  if (passing(said.sqlstate)) checked["passing"] = true;
  return checked;
}

}  // namespace pgmpc
