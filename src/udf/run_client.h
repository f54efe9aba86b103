// Sends requests of the run functions to the coordinator of their node.
//
// Terms
// A row is the step row of a finished step, as JSON.
//
// Errors
// As in pg/rpc.h; an error reply is thrown as ServerError. No PostgreSQL header is needed.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pg/rpc.h"
#include "worker/message.h"

namespace pgmpc::run_client {

using OnRow = std::function<void(const Json& row)>;

// Sends one request and returns its answer, nothing after the timeout.
std::optional<Json> ask(const Json& request, pg::Rpc::Timeout timeout = std::nullopt);

// Starts the study, or its rehearsal, for a role (its oid), or joins the attempt that runs. Waits for the end and
// returns it: {"state"} and, when the match was announced, {"matched"}. Leaving early (an error, a cancelled query, the
// end of the backend) closes the connection, which cancels the study.
Json run(const std::string& study, bool rehearsal, unsigned int role, const OnRow& on_row);
// Returns the state of the study at its end, nothing after the timeout. Leaving early only stops the wait.
std::optional<std::string> wait(const std::string& study, pg::Rpc::Timeout timeout);

}  // namespace pgmpc::run_client
