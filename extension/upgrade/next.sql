-- What: the part of the next upgrade script that is written by hand: changed tables (new columns at the end, so that
--       dumps of new and of upgraded nodes fit each other), removed objects, data. Functions, views, comments and rights
--       follow by themselves (tools/lib/upgrade_script.py); t/013_upgrade.pl compares the result with a fresh install.
-- Invariants: what parties decided and what the ledger holds is never rewritten.

ALTER TABLE mpc_internal.approvals ADD COLUMN source_records bigint;

-- Attempts reserve what they may take from the budget of a source.
ALTER TABLE mpc_internal.source_uses DROP CONSTRAINT source_uses_outcome_check;
ALTER TABLE mpc_internal.source_uses ADD CONSTRAINT source_uses_outcome_check
  CHECK (outcome IN ('running', 'released', 'refused', 'ended'));

DROP FUNCTION mpc_internal.record_use(text, text, text);
DROP FUNCTION mpc_internal.require_budget(jsonb, oid);
DROP FUNCTION mpc_internal.earlier_cohorts(oid);
DROP FUNCTION mpc_internal.source_digest(text, text, oid, text[], oid);

-- What public functions do is in functions of mpc_internal that are told the calling role.
DROP FUNCTION mpc_internal.invoking_user();
DROP FUNCTION mpc_internal.start_study(text);
DROP FUNCTION mpc_internal.run_study(text);
DROP FUNCTION mpc_internal.run_step(text, text);
DROP FUNCTION mpc_internal.record_objection(text, text, text);
DROP FUNCTION mpc_internal.decide(text, integer, text, text, text, text, timestamptz, text);
DROP FUNCTION mpc_internal.owns(oid);
DROP FUNCTION mpc_internal.own_draft(text);
DROP FUNCTION mpc_internal.take_draft(text);
DROP FUNCTION mpc_internal.floor_min_matched();

-- Identifiers are looked at as an engine reads them.
DROP FUNCTION mpc.check_source(text, regclass, text);
DROP FUNCTION mpc_internal.check_identifier(regclass, text[], jsonb, text);
DROP FUNCTION mpc_internal.check_columns(regclass, text[], text);
DROP FUNCTION mpc_internal.float_of(regclass, text);
DROP FUNCTION mpc_internal.range_problem(float8, float8, float8, float8, integer);
DROP FUNCTION mpc_internal.required_matches(jsonb);
DROP FUNCTION mpc_internal.normalised(text, jsonb);
DROP FUNCTION mpc_internal.released_version(text);

-- Rehearsals.
ALTER TABLE mpc_internal.studies DROP CONSTRAINT studies_run_state_check;
ALTER TABLE mpc_internal.studies ADD CONSTRAINT studies_run_state_check
  CHECK (run_state IN ('running', 'released', 'rehearsed', 'failed', 'cancelled'));
DROP FUNCTION mpc_internal.attempt_started(text, text, boolean);

DROP FUNCTION mpc_internal.check_peer_url(text);
DROP FUNCTION mpc_internal.certificate_details(text);
DROP FUNCTION mpc_internal.own_certificate();

-- Commitments to the data that a controller brings, and what is known of earlier ones.
ALTER TABLE mpc_internal.approvals DROP CONSTRAINT approvals_decision_check;
ALTER TABLE mpc_internal.approvals ADD CONSTRAINT approvals_decision_check
  CHECK (decision IN ('approved', 'rejected', 'withdrawn', 'void'));
ALTER TABLE mpc_internal.approvals ADD COLUMN data_version bigint;
ALTER TABLE mpc_internal.approvals ADD COLUMN columns text[];
ALTER TABLE mpc_internal.approvals ADD COLUMN commitments bytea[];
ALTER TABLE mpc_internal.approvals ADD COLUMN two_valued text[];
ALTER TABLE mpc_internal.approvals ADD COLUMN commitment bytea;
ALTER TABLE mpc_internal.approvals ADD COLUMN data_number integer;
ALTER TABLE mpc_internal.approvals ADD COLUMN key_id bytea;
ALTER TABLE mpc_internal.approvals ADD COLUMN source_owner oid;
ALTER TABLE mpc_internal.approvals ADD COLUMN stated_at timestamptz;
ALTER TABLE mpc_internal.outbox ADD COLUMN refused_at timestamptz;
ALTER TABLE mpc_internal.outbox ADD COLUMN held_until timestamptz;
ALTER TABLE mpc_internal.source_uses ADD COLUMN counterpart text;
ALTER TABLE mpc_internal.source_uses ADD COLUMN data_version bigint;
ALTER TABLE mpc_internal.source_uses ADD COLUMN columns text[];
ALTER TABLE mpc_internal.source_uses ADD COLUMN modelled text;
ALTER TABLE mpc_internal.source_uses ADD COLUMN numbers bigint;

-- Wide columns of views are the last ones; results have the version of the study and the precision of each number.
ALTER TABLE mpc_internal.fits ADD COLUMN r_squared_grid float8;
ALTER TABLE mpc_internal.coefficients ADD COLUMN grid float8;
DROP FUNCTION mpc.coefficients(text);
DROP FUNCTION mpc.fit(text);
DROP VIEW mpc.approvals;
DROP VIEW mpc.study_history;
DROP VIEW mpc.parties;
DROP VIEW mpc.steps;
DROP VIEW mpc.models;
DROP VIEW mpc.ledger;
DROP VIEW mpc.stat_study_progress;
DROP VIEW mpc.source_uses;

-- data

-- Whoever could read a study before may read it now, in the versions that there are: all members of mpc_reader, and the
-- roles that decided on it or ran it.
INSERT INTO mpc_internal.readers (study, version, role, role_name, reason)
SELECT DISTINCT s.study, v.version, r.oid, r.rolname, 'upgraded'
  FROM mpc_internal.studies AS s CROSS JOIN LATERAL (VALUES (0), (s.version)) AS v (version) CROSS JOIN pg_catalog.pg_roles AS r
 WHERE r.rolname OPERATOR(pg_catalog.=) 'mpc_reader'
    OR r.oid OPERATOR(pg_catalog.=) ANY (SELECT a.approver FROM mpc_internal.approvals AS a WHERE a.study OPERATOR(pg_catalog.=) s.study)
    OR EXISTS (SELECT FROM mpc_internal.ledger AS l
                WHERE l.study OPERATOR(pg_catalog.=) s.study AND l.event OPERATOR(pg_catalog.=) ANY ('{proposed,approved,asked}')
                  AND l.detail OPERATOR(pg_catalog.->>) 'by' OPERATOR(pg_catalog.=) pg_catalog.quote_ident(r.rolname));
