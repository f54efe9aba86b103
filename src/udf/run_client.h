// What: the requests that the run functions make to the coordinator of their node.
// Terms: row = the step row of a finished step, as JSON.
// Invariants: no PostgreSQL header; errors as pg/rpc.h says.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pg/rpc.h"
#include "worker/message.h"

namespace pgmpc::run_client {

using OnRow = std::function<void(const Json& row)>;

// One request, one answer; nothing when none came in time.
std::optional<Json> ask(const Json& request, pg::Rpc::Timeout timeout = std::nullopt);

// Starts the study, or its rehearsal, for a role (its oid), or joins the attempt that runs, waits for its end and
// returns it: {"state"} and, when the match was told, {"matched"}. Leaving early (an error, a cancelled query, a
// backend that ends) closes the connection, which cancels the study.
Json run(const std::string& study, bool rehearsal, unsigned int role, const OnRow& on_row);
// State of the study at its end; nothing after the timeout. Leaving early only stops the waiting.
std::optional<std::string> wait(const std::string& study, pg::Rpc::Timeout timeout);

}  // namespace pgmpc::run_client
