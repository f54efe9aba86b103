// Wakes the coordinator when a transaction that queued messages or changed peers commits.
//
// Invariants
// The wake-up is sent only after the transaction's rows are visible to others. The callback neither fails nor waits. A
// lost wake-up only delays, because the coordinator also polls.
#include "pg/rpc.h"

// After the headers that are free of PostgreSQL.
#include "pg/guard.h"

extern "C" {
#include "access/xact.h"

PG_FUNCTION_INFO_V1(pg_mpc_wake_coordinator);
}

namespace {

namespace pg = pgmpc::pg;

bool outbox_filled = false, peers_changed = false;  // in the current transaction

void at_end_of_transaction(XactEvent event, void* argument) {
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE) return;
  if (event == XACT_EVENT_COMMIT) {
    // A reload also reads the outbox.
    if (peers_changed)
      pg::notify_coordinator(R"({"op":"reload"})");
    else if (outbox_filled)
      pg::notify_coordinator(R"({"op":"outbox"})");
  }
  outbox_filled = peers_changed = false;
}

void register_callback() {
  static bool registered = false;
  if (registered) return;
  RegisterXactCallback(at_end_of_transaction, nullptr);
  registered = true;
}

}  // namespace

Datum pg_mpc_wake_coordinator(PG_FUNCTION_ARGS) {
  register_callback();
  text* what = PG_GETARG_TEXT_PP(0);
  return pg::udf(fcinfo, [&] {
    (pg::text_of(what) == "reload" ? peers_changed : outbox_filled) = true;
    return Datum(0);
  });
}
