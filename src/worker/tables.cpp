// Implements the coordinator's SQL. Everything is schema-qualified, because the session has no search_path of its own.
#include "worker/tables.h"

#include "pg/spi.h"
#include "pg/version.h"

namespace pgmpc::tables {
namespace {

using Rows = std::vector<std::vector<pg::SqlValue>>;

Rows query(const char* sql, const std::vector<pg::SqlValue>& parameters = {}) {
  pg::SqlResult result = pg::run_sql(sql, parameters);
  if (result.error) throw pg::ErrorFieldsException(*result.error);
  return std::move(result.rows);
}

std::string text_of(const pg::SqlValue& value) { return value.value_or(""); }

Json json_of(const Rows& rows) {
  if (rows.empty() || !rows[0][0]) return nullptr;
  return Json::parse(*rows[0][0]);
}

pg::SqlValue text_or_null(const std::string& text) { return text.empty() ? pg::SqlValue() : pg::SqlValue(text); }

// The SQL of version 0.1.0, which a node may have until ALTER EXTENSION pg_mpc UPDATE, lacks some functions.
bool has_function(const std::string& signature) {
  return query("SELECT pg_catalog.to_regprocedure($1)::pg_catalog.text", {signature})[0][0].has_value();
}

// Returns rows of an id, a party and the message to it.
std::vector<OutboxEntry> entries_of(const char* sql) {
  std::vector<OutboxEntry> entries;
  for (auto& row : query(sql)) entries.push_back({text_of(row[0]), text_of(row[1]), Json::parse(text_of(row[2]))});
  return entries;
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

bool extension_exists() { return !query("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'pg_mpc'").empty(); }

std::string extension_version() {
  Rows rows = query("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_mpc'");
  return rows.empty() ? "" : text_of(rows[0][0]);
}

std::vector<std::pair<std::string, std::vector<std::string>>> parties_to_tell_of_restart() {
  std::vector<std::pair<std::string, std::vector<std::string>>> parties;
  for (auto& row : query("SELECT p, CASE s.run_state WHEN 'running' THEN s.attempt END "
                         "FROM mpc_internal.current_studies AS s, pg_catalog.unnest(s.parties) AS p "
                         "WHERE s.state IN ('proposed', 'approved', 'running', 'rehearsed', 'failed', 'cancelled') "
                         "AND p <> mpc_internal.own_party() ORDER BY 1")) {
    const std::string party = text_of(row[0]);
    if (parties.empty() || parties.back().first != party) parties.push_back({party, {}});
    if (row[1]) parties.back().second.push_back(*row[1]);
  }
  return parties;
}

void recover() { query("SELECT mpc_internal.recover()"); }

std::vector<KnownPeer> peer_list() {
  std::vector<KnownPeer> peers;
  for (auto& row : query("SELECT party, url, certificate, fingerprint, next_fingerprint FROM mpc_internal.peer_list()"))
    peers.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4])});
  return peers;
}

void peer_seen(const std::string& party) { query("SELECT mpc_internal.peer_seen($1)", {party}); }

Json control(const std::string& party, const Json& message) {
  return json_of(query("SELECT mpc_internal.control($1, $2::pg_catalog.jsonb)", {party, dump(message)}));
}

Json start_job(const std::string& study) { return json_of(query("SELECT mpc_internal.start_job($1)", {study})); }

void drop_unused_records() {
  if (has_function("mpc_internal.drop_unused_records()")) query("SELECT mpc_internal.drop_unused_records()");
}

std::optional<StudyState> study_state(const std::string& study) {
  Rows rows =
      query("SELECT state, sqlstate, last_error FROM mpc.studies WHERE study = $1 AND state <> 'draft'", {study});
  if (rows.empty()) return std::nullopt;
  return StudyState{text_of(rows[0][0]), text_of(rows[0][1]), text_of(rows[0][2])};
}

void record_request(const std::string& study, const std::string& what, std::int64_t role) {
  query("SELECT mpc_internal.record_request($1, $2, $3::pg_catalog.oid)", {study, what, std::to_string(role)});
}

void attempt_started(const std::string& study, const std::string& attempt, bool manual, bool rehearsal,
                     const Json& relied_on) {
  if (has_function("mpc_internal.attempt_started(text,text,boolean,boolean,jsonb)")) {
    query("SELECT mpc_internal.attempt_started($1, $2, $3::pg_catalog.bool, $4::pg_catalog.bool, $5::pg_catalog.jsonb)",
          {study, attempt, manual ? "true" : "false", rehearsal ? "true" : "false", dump(relied_on)});
    return;
  }
  if (rehearsal) throw Error(ErrorCode::wrong_state, "the extension does not support rehearsals", {}, pg::kVersionHint);
  query("SELECT mpc_internal.attempt_started($1, $2, $3::pg_catalog.bool)",
        {study, attempt, manual ? "true" : "false"});
}

void attempt_step(const std::string& study, const std::string& attempt, const Json& row) {
  query("SELECT mpc_internal.attempt_step($1, $2, $3::pg_catalog.jsonb)", {study, attempt, dump(row)});
}

void attempt_matched(const std::string& study, const std::string& attempt, std::int64_t records) {
  query("SELECT mpc_internal.attempt_matched($1, $2, $3::pg_catalog.int8)", {study, attempt, std::to_string(records)});
}

void attempt_promised(const std::string& study, const std::string& attempt) {
  if (knows_outcomes()) query("SELECT mpc_internal.attempt_promised($1, $2)", {study, attempt});
}

void attempt_computed(const std::string& attempt) { query("SELECT mpc_internal.attempt_computed($1)", {attempt}); }

// Converts a result for the SQL of version 0.2.0 and before, which stores one penalised analysis only.
static Json old_result(const Json& result) {
  Json old{{"matched", result.at("matched")},
           {"coefficients", Json::array()},
           {"fits", Json::array()},
           {"traffic", result.at("traffic")}};
  for (const Json& relation : result.at("relations"))
    old[relation.at("relation") == "fit" ? "fits" : "coefficients"] = relation.at("rows");
  for (Json& fit : old["fits"]) {
    fit["rounds"] = result.at("rounds");
    fit["bytes_sent"] = result.at("bytes_sent");
  }
  return old;
}

static Json stored_form(const Json& result) {
  return has_function("mpc_internal.results(oid,text)") ? result : old_result(result);
}

void attempt_released(const std::string& study, const std::string& attempt, const Json& result) {
  query("SELECT mpc_internal.attempt_released($1, $2, $3::pg_catalog.jsonb)",
        {study, attempt, dump(stored_form(result))});
}

void attempt_rehearsed(const std::string& study, const std::string& attempt) {
  query("SELECT mpc_internal.attempt_rehearsed($1, $2)", {study, attempt});
}

void attempt_failed(const std::string& study, const std::string& attempt, const pg::ErrorFields& error,
                    bool cancelled) {
  query("SELECT mpc_internal.attempt_failed($1, $2, $3, $4, $5, $6, $7::pg_catalog.bool)",
        {study, attempt, error.sqlstate, error.message, text_or_null(error.detail), text_or_null(error.hint),
         cancelled ? "true" : "false"});
}

void charge_early_attempt(const std::string& attempt, const std::string& started_by, const std::string& ended_by) {
  if (!has_function("mpc_internal.charge_early_attempt(text,text,text)")) return;
  query("SELECT mpc_internal.charge_early_attempt($1, $2, $3)",
        {attempt, text_or_null(started_by), text_or_null(ended_by)});
}

bool knows_outcomes() { return has_function("mpc_internal.awaited_results()"); }

std::vector<OutboxEntry> awaited_results() {
  if (!knows_outcomes()) return {};
  return entries_of("SELECT attempt, party, message FROM mpc_internal.awaited_results()");
}

std::string outcome_received(const std::string& attempt, const std::string& party, const Json& answer,
                             const Json& own_result) {
  return text_of(query(
      "SELECT mpc_internal.outcome_received($1, $2, $3::pg_catalog.jsonb, $4::pg_catalog.jsonb)",
      {attempt, party, dump(answer), own_result.is_null() ? pg::SqlValue() : dump(stored_form(own_result))})[0][0]);
}

std::vector<OutboxEntry> outbox_pending() {
  return entries_of("SELECT id, party, message FROM mpc_internal.outbox_pending()");
}

void outbox_delivered(const std::string& id) {
  query("SELECT mpc_internal.outbox_delivered($1::pg_catalog.int8)", {id});
}

void outbox_refused(const std::string& id, const pg::ErrorFields& error, bool passing) {
  Json fields = error_reply(error)["error"];
  fields["passing"] = passing;
  query("SELECT mpc_internal.outbox_refused($1::pg_catalog.int8, $2::pg_catalog.jsonb)", {id, dump(fields)});
}

void outbox_gap(const std::string& id, std::int64_t held) {
  query("SELECT mpc_internal.outbox_gap($1::pg_catalog.int8, $2::pg_catalog.int4)", {id, std::to_string(held)});
}

}  // namespace pgmpc::tables
