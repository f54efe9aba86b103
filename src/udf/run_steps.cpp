// Implements the SQL functions of step-by-step mode, one per step, and those that ask the coordinator about the node.
#include <cmath>

#include "base/duration.h"
#include "pg/guc.h"
#include "udf/run_client.h"
#include "udf/run_rows.h"

// After the headers that are free of PostgreSQL.
#include "pg/errcodes.h"
#include "pg/guard.h"
#include "pg/row.h"
#include "udf/entry.h"

extern "C" {
#include "access/xlog.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(pg_mpc_step);
PG_FUNCTION_INFO_V1(pg_mpc_ping_peer);
PG_FUNCTION_INFO_V1(pg_mpc_coordinator_status);
PG_FUNCTION_INFO_V1(pg_mpc_coordinator_progress);
}

namespace {

using pgmpc::Error;
using pgmpc::ErrorCode;
using pgmpc::Json;
namespace pg = pgmpc::pg;
namespace run_client = pgmpc::run_client;

constexpr std::chrono::seconds kStatusPatience{10};

// For requests that the coordinator answers at once unless it is broken.
Json ask_now(const Json& request) {
  auto answer = run_client::ask(request, kStatusPatience);
  if (!answer) throw Error(ErrorCode::wrong_state, "the coordinator of this node does not answer");
  return std::move(*answer);
}

Datum jsonb_datum(const Json& value) {
  std::string text = value.dump();
  return pg::call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.c_str())); });
}

// The step continues. The caller learns which peer this node waits for, if any.
[[noreturn]] void throw_not_done(const std::string& study, const std::string& step,
                                 std::chrono::milliseconds patience) {
  Json awaited = ask_now({{"op", "awaited"}, {"study", study}});
  std::string peer = pgmpc::text_member(awaited, "peer"), cause = pgmpc::text_member(awaited, "cause");
  std::string within = step + " within " + pgmpc::duration_text(patience);
  throw Error(
      ErrorCode::timeout,
      peer.empty() ? "this node is not done with step " + within : peer + " has not done its part of step " + within,
      cause.empty() ? "pg_mpc.step_timeout has passed; step " + step + " of study \"" + study + "\" continues." : cause,
      "Call mpc." + step + " again to continue waiting.");
}

}  // namespace

Datum pg_mpc_step(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  text* study = PG_GETARG_TEXT_PP(0);
  text* step = PG_GETARG_TEXT_PP(1);
  Oid caller = pgmpc::caller_argument(fcinfo, 2);
  pgmpc::StepRowSink sink(fcinfo);
  return pg::udf(fcinfo, [&] {
    std::string name(pg::text_of(step)), of(pg::text_of(study));
    std::chrono::milliseconds patience(pgmpc::guc::step_timeout_ms());
    auto rows = run_client::ask({{"op", "step"}, {"study", of}, {"name", name}, {"role", caller}}, patience);
    if (!rows) throw_not_done(of, name, patience);
    for (const Json& row : *rows) sink.put(row);
    return Datum(0);
  });
}

// Returns (party text, ok boolean, round_trip_ms float8, cause text, clock_ahead_ms float8).
Datum pg_mpc_ping_peer(PG_FUNCTION_ARGS) {
  TupleDesc type = pg::row_type(fcinfo);
  text* party = PG_GETARG_TEXT_PP(0);
  return pg::udf(fcinfo, [&] {
    Datum values[5] = {PointerGetDatum(party), BoolGetDatum(true), Datum(0), Datum(0), Datum(0)};
    bool nulls[5] = {false, false, true, true, true};
    try {
      Json answer = ask_now({{"op", "ping"}, {"peer", std::string(pg::text_of(party))}});
      values[2] = Float8GetDatum(std::round(answer.at("round_trip_ms").get<double>() * 1e3) / 1e3);
      nulls[2] = false;
      if (const Json& ahead = answer.at("clock_ahead_ms"); !ahead.is_null()) {
        values[4] = Float8GetDatum(ahead.get<double>());
        nulls[4] = false;
      }
    } catch (const pg::ServerError& error) {
      if (error.sqlstate() != ERRCODE_MPC_PEER_UNREACHABLE) throw;
      const std::string& cause = error.detail().empty() ? error.message() : error.detail();
      values[1] = BoolGetDatum(false);
      values[3] = PointerGetDatum(pg::make_varlena(pgmpc::view_of(cause)));
      nulls[3] = false;
    }
    return pg::call([&] { return HeapTupleGetDatum(heap_form_tuple(type, values, nulls)); });
  });
}

Datum pg_mpc_coordinator_status(PG_FUNCTION_ARGS) {
  return pg::udf(fcinfo, [&] { return jsonb_datum(ask_now({{"op", "status"}})); });
}

Datum pg_mpc_coordinator_progress(PG_FUNCTION_ARGS) {
  // Nothing runs on a standby.
  return pg::udf(fcinfo, [&] {
    return jsonb_datum(RecoveryInProgress() ? Json::array() : ask_now({{"op", "progress"}}));
  });
}
