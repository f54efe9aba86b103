// Implements what SQL functions of studies ask of the server or of files: settings, the calling role, a short wait,
// certificates.
//
// Security
// Of a key file, only whether it can be used is revealed.
#include <optional>
#include <string>

#include "net/tls.h"
#include "pg/guard.h"
#include "pg/guc.h"
#include "pg/row.h"
#include "pg/version.h"

extern "C" {
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_preloaded);
PG_FUNCTION_INFO_V1(pg_mpc_library_version);
PG_FUNCTION_INFO_V1(pg_mpc_configured_party);
PG_FUNCTION_INFO_V1(pg_mpc_configured_database);
PG_FUNCTION_INFO_V1(pg_mpc_invoking_user);
PG_FUNCTION_INFO_V1(pg_mpc_wait_briefly);
PG_FUNCTION_INFO_V1(pg_mpc_certificate_details);
PG_FUNCTION_INFO_V1(pg_mpc_own_certificate);
}

namespace {

// Set while the server loads the library, before any of its functions can run.
const bool loaded_at_start = process_shared_preload_libraries_in_progress;

constexpr int kLongestWait = 1000;

// A certificate, or the reason why there is none, in plain memory.
struct CertificateRow {
  struct varlena* fingerprint;
  struct varlena* subject;
  TimestampTz not_before, not_after;
  bool usable;
  struct varlena* problem;
  struct varlena* hint;
  struct varlena* weakness;
};

struct varlena* text_value(std::string_view text) {
  return pg::make_varlena(view_of(text));
}

TimestampTz timestamp_of(std::time_t time) {
  constexpr std::int64_t days = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;
  return (static_cast<std::int64_t>(time) - days * SECS_PER_DAY) * USECS_PER_SEC;
}

CertificateRow row_of(const Certificate& certificate) {
  return {text_value(certificate.fingerprint),
          text_value(certificate.subject),
          timestamp_of(certificate.not_before),
          timestamp_of(certificate.not_after),
          certificate.for_client && certificate.for_server,
          nullptr,
          nullptr,
          certificate.weakness.empty() ? nullptr : text_value(certificate.weakness)};
}

CertificateRow problem_row(const std::string& problem, const std::string& hint) {
  return {nullptr, nullptr, 0, 0, false, text_value(problem), hint.empty() ? nullptr : text_value(hint), nullptr};
}

CertificateRow own_certificate() {
  const std::string certificate_file = guc::certificate_file(), key_file = guc::private_key_file();
  if (certificate_file.empty() || key_file.empty())
    return problem_row(
        certificate_file.empty() ? "pg_mpc.certificate_file is not set" : "pg_mpc.private_key_file is not set",
        "Set pg_mpc.certificate_file and pg_mpc.private_key_file in postgresql.conf and reload it.");
  try {
    CertificateRow row = row_of(Identity::load(certificate_file, key_file)->certificate());
    if (!row.usable)
      return problem_row("the certificate does not allow both TLS server and TLS client authentication",
                         "Issue it with extendedKeyUsage = serverAuth, clientAuth.");
    load_trust_store(guc::ca_file(), guc::crl_file());
    return row;
  } catch (const pg::ServerError&) {
    throw;
  } catch (const Error& error) {
    return problem_row(error.message() + (error.detail().empty() ? "" : ": " + error.detail()),
                       !error.hint().empty()
                           ? error.hint()
                           : "Set pg_mpc.certificate_file and pg_mpc.private_key_file to PEM files that "
                             "the server can read and that belong together, then reload it.");
  }
}

Datum text_or_null(struct varlena* value, bool* null) {
  *null = value == nullptr;
  return PointerGetDatum(value);
}

}  // namespace

Datum pg_mpc_preloaded(PG_FUNCTION_ARGS) { PG_RETURN_BOOL(loaded_at_start); }

Datum pg_mpc_library_version(PG_FUNCTION_ARGS) { PG_RETURN_TEXT_P(cstring_to_text(pg::kLibraryVersion)); }

Datum pg_mpc_configured_party(PG_FUNCTION_ARGS) {
  if (guc::party()[0] == '\0') PG_RETURN_NULL();
  PG_RETURN_TEXT_P(cstring_to_text(guc::party()));
}

Datum pg_mpc_configured_database(PG_FUNCTION_ARGS) { PG_RETURN_TEXT_P(cstring_to_text(guc::database())); }

// For the SQL of version 0.1.0, which a node may have until ALTER EXTENSION pg_mpc UPDATE.
Datum pg_mpc_invoking_user(PG_FUNCTION_ARGS) {
  // In index expressions and the like, the outer role is the one that runs the maintenance, often a superuser. The code
  // is the table owner's, so nothing may be approved in that role's name.
  if (InSecurityRestrictedOperation())
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("studies cannot be changed within a security-restricted operation")));
  PG_RETURN_OID(GetOuterUserId());
}

Datum pg_mpc_wait_briefly(PG_FUNCTION_ARGS) {
  const int milliseconds = std::clamp(PG_GETARG_INT32(0), 0, kLongestWait);
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
  PG_RETURN_VOID();
}

Datum pg_mpc_certificate_details(PG_FUNCTION_ARGS) {
  text* pem = PG_GETARG_TEXT_PP(0);
  TupleDesc type = pg::row_type(fcinfo);
  CertificateRow row = pg::udf([&] { return row_of(parse_certificate(pg::text_of(pem))); });
  // The row type of version 0.1.0, which a node may have until ALTER EXTENSION pg_mpc UPDATE, lacks the last column.
  bool nulls[6] = {};
  Datum values[6] = {
      PointerGetDatum(row.fingerprint),   PointerGetDatum(row.subject), TimestampTzGetDatum(row.not_before),
      TimestampTzGetDatum(row.not_after), BoolGetDatum(row.usable),     Datum(0)};
  values[5] = text_or_null(row.weakness, &nulls[5]);
  return HeapTupleGetDatum(heap_form_tuple(type, values, nulls));
}

Datum pg_mpc_own_certificate(PG_FUNCTION_ARGS) {
  TupleDesc type = pg::row_type(fcinfo);
  CertificateRow row = pg::udf([&] { return own_certificate(); });
  bool nulls[6];
  Datum values[6];
  values[0] = text_or_null(row.fingerprint, &nulls[0]);
  values[1] = TimestampTzGetDatum(row.not_before);
  values[2] = TimestampTzGetDatum(row.not_after);
  nulls[1] = nulls[2] = row.fingerprint == nullptr;
  values[3] = text_or_null(row.problem, &nulls[3]);
  values[4] = text_or_null(row.hint, &nulls[4]);
  values[5] = text_or_null(row.weakness, &nulls[5]);
  return HeapTupleGetDatum(heap_form_tuple(type, values, nulls));
}

}  // namespace pgmpc
