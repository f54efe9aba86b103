-- Grants privileges. Nothing is granted to PUBLIC, and the roles of the extension cannot log in.
--
-- mpc_admin manages peers and the state of the node. mpc_study proposes, approves and starts studies and checks
-- sources. mpc_reader reads views and results of the studies of which a role is a reader (44_readers.sql).

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mpc FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA mpc FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mpc_internal FROM PUBLIC;

-- mpc_admin

GRANT EXECUTE ON FUNCTION mpc.add_peer(text, text, text), mpc.alter_peer(text, text, text, text), mpc.remove_peer(text) TO mpc_admin;
GRANT EXECUTE ON FUNCTION mpc.forget_records(text) TO mpc_admin;
GRANT EXECUTE ON FUNCTION mpc.node_status(), mpc.verify_ledger() TO mpc_admin, mpc_study, mpc_reader;
GRANT EXECUTE ON FUNCTION mpc.export_ledger(boolean, bigint), mpc.compare_ledger(text, jsonb) TO mpc_admin, mpc_reader;

-- mpc_study

GRANT EXECUTE ON FUNCTION mpc.draft_study(text, jsonb), mpc.propose_study(text, jsonb), mpc.approve_study(text, text, regclass, text),
  mpc.reject_study(text, text), mpc.withdraw_approval(text), mpc.check_source(text, regclass, text),
  mpc.explain_study(text, regclass, text) TO mpc_study;
GRANT EXECUTE ON FUNCTION mpc.explain_study(text), mpc.explain_text(text) TO mpc_study, mpc_reader, mpc_admin;
GRANT EXECUTE ON FUNCTION mpc.keep_records(text, regclass, text) TO mpc_study;
GRANT EXECUTE ON FUNCTION mpc.pending(text) TO mpc_study, mpc_admin;
GRANT EXECUTE ON FUNCTION mpc.add_reader(text, text), mpc.remove_reader(text, text) TO mpc_study, mpc_admin;

-- mpc.check_source and mpc.explain_study with a source run as their caller and need these privileges. They read only
-- catalogs and the source of the caller.
GRANT USAGE ON SCHEMA mpc_internal TO mpc_study;
GRANT EXECUTE ON FUNCTION mpc_internal.study_for_check(text), mpc_internal.role_text(oid), mpc_internal.columns_of(jsonb, text),
  mpc_internal.column_problem(oid, text, oid), mpc_internal.source_column(text), mpc_internal.source_columns(text[]),
  mpc_internal.attribute_problem(oid, text, oid), mpc_internal.wrong_type(text), mpc_internal.identifier_columns(jsonb, oid, text),
  mpc_internal.require_source(oid, oid), mpc_internal.require_binding(jsonb, text, oid, text[], oid),
  mpc_internal.source_profile(text, text, oid, text[], text[]), mpc_internal.base_type(oid, text),
  mpc_internal.form_of(jsonb, integer), mpc_internal.part_problem(jsonb, text), mpc_internal.rows_problem(jsonb),
  mpc_internal.identifier_row(jsonb, text), mpc_internal.source_rows(jsonb, text, oid, text[], oid, jsonb),
  mpc_internal.explain_spec(text, text, bigint) TO mpc_study;

-- readers

GRANT EXECUTE ON FUNCTION mpc.results(text), mpc.coefficients(text), mpc.coefficients(text, text), mpc.fit(text),
  mpc.fit(text, text), mpc.transcript(text), mpc.predict(text, jsonb, float8), mpc.predict(text, jsonb, float8, text)
  TO mpc_reader, mpc_study, mpc_admin;
GRANT SELECT ON mpc.models TO mpc_reader, mpc_study, mpc_admin;
GRANT SELECT ON mpc.studies, mpc.approvals, mpc.study_history, mpc.steps, mpc.ledger, mpc.source_uses,
  mpc.stat_study_progress TO mpc_reader, mpc_study, mpc_admin;
-- Views call these with the privileges of their reader.
GRANT EXECUTE ON FUNCTION mpc_internal.sees_every_study(), mpc_internal.reads_every_result(),
  mpc_internal.released_digits(float8, float8),
  mpc_internal.budget_of(oid[], text[], text) TO mpc_reader, mpc_study, mpc_admin;
GRANT SELECT ON mpc.parties TO mpc_reader, mpc_study, mpc_admin;
