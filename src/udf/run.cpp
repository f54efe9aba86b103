// Implements the SQL functions that start, await, cancel and rehearse studies. The wrappers of the public schema
// (55_worker.sql) make the checks that need tables.
#include "udf/run_client.h"
#include "udf/run_rows.h"

// After the headers that are free of PostgreSQL.
#include "pg/guard.h"
#include "udf/entry.h"

extern "C" {
#include "access/xact.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(pg_mpc_start_study);
PG_FUNCTION_INFO_V1(pg_mpc_wait_for_study);
PG_FUNCTION_INFO_V1(pg_mpc_cancel_study);
PG_FUNCTION_INFO_V1(pg_mpc_run_study);
PG_FUNCTION_INFO_V1(pg_mpc_run);
PG_FUNCTION_INFO_V1(pg_mpc_rehearse);
}

namespace {

using pgmpc::Error;
using pgmpc::ErrorCode;
using pgmpc::Json;
namespace pg = pgmpc::pg;
namespace run_client = pgmpc::run_client;

// No limit for NULL. A month of an interval counts as 30 days.
pg::Rpc::Timeout timeout_of(const Interval* interval) {
  if (interval == nullptr) return std::nullopt;
  std::int64_t days = std::int64_t{interval->month} * DAYS_PER_MONTH + interval->day;
  std::int64_t ms = interval->time / 1000 + days * 24 * 3600 * 1000;
  if (ms < 0) throw Error(ErrorCode::invalid_parameter, "timeout must not be negative");
  return std::chrono::milliseconds(std::min<std::int64_t>(ms, std::int64_t{INT_MAX}));
}

void require_transaction_control(FunctionCallInfo fcinfo) {
  if (fcinfo->context != nullptr && IsA(fcinfo->context, CallContext) &&
      !reinterpret_cast<CallContext*>(fcinfo->context)->atomic)
    return;
  ereport(ERROR,
          (errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION), errmsg("mpc.run cannot run inside a transaction block"),
           errhint("Call it outside of BEGIN ... COMMIT, or use mpc.run_study, which holds a snapshot.")));
}

using pgmpc::caller_argument;

// Ends the caller's transaction, so that nothing holds a snapshot during the study.
void release_snapshot() {
  SPI_connect_ext(SPI_OPT_NONATOMIC);
  SPI_commit();
  SPI_finish();
}

}  // namespace

Datum pg_mpc_start_study(PG_FUNCTION_ARGS) {
  text* study = PG_GETARG_TEXT_PP(0);
  Oid caller = caller_argument(fcinfo, 1);
  return pg::udf(fcinfo, [&] {
    Json started = *run_client::ask({{"op", "start"}, {"study", std::string(pg::text_of(study))}, {"role", caller}});
    std::string attempt = pgmpc::text_member(started, "attempt");
    return PointerGetDatum(pg::make_varlena(pgmpc::view_of(attempt)));
  });
}

Datum pg_mpc_wait_for_study(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  text* study = PG_GETARG_TEXT_PP(0);
  Interval* interval = PG_ARGISNULL(1) ? nullptr : PG_GETARG_INTERVAL_P(1);
  return pg::udf(fcinfo, [&] {
    auto state = run_client::wait(std::string(pg::text_of(study)), timeout_of(interval));
    fcinfo->isnull = !state;
    return state ? PointerGetDatum(pg::make_varlena(pgmpc::view_of(*state))) : Datum(0);
  });
}

Datum pg_mpc_cancel_study(PG_FUNCTION_ARGS) {
  text* study = PG_GETARG_TEXT_PP(0);
  Oid caller = caller_argument(fcinfo, 1);
  return pg::udf(fcinfo, [&] {
    run_client::ask({{"op", "cancel"}, {"study", std::string(pg::text_of(study))}, {"role", caller}});
    return Datum(0);
  });
}

Datum pg_mpc_run_study(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  text* study = PG_GETARG_TEXT_PP(0);
  Oid caller = caller_argument(fcinfo, 1);
  pgmpc::StepRowSink sink(fcinfo);
  return pg::udf(fcinfo, [&] {
    run_client::run(std::string(pg::text_of(study)), false, caller, [&](const Json& row) {
      pgmpc::notice_step(row);
      sink.put(row);
    });
    return Datum(0);
  });
}

Datum pg_mpc_run(PG_FUNCTION_ARGS) {
  require_transaction_control(fcinfo);
  Oid caller = pgmpc::calling_role(fcinfo);
  if (PG_ARGISNULL(0))  // procedures are never strict
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the study must not be NULL")));
  char* study = text_to_cstring(PG_GETARG_TEXT_PP(0));
  release_snapshot();
  return pg::udf(fcinfo, [&] {
    run_client::run(study, false, caller, [](const Json& row) { pgmpc::notice_step(row); });
    return Datum(0);
  });
}

// Arguments: study, role. Returns the number of matched records.
Datum pg_mpc_rehearse(PG_FUNCTION_ARGS) {
  text* study = PG_GETARG_TEXT_PP(0);
  Oid caller = PG_GETARG_OID(1);
  return pg::udf(fcinfo, [&] {
    const Json end = run_client::run(std::string(pg::text_of(study)), true, caller,
                                     [](const Json& row) { pgmpc::notice_step(row); });
    return Int64GetDatum(end.at("matched").get<std::int64_t>());
  });
}
