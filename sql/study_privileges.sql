-- Privileges on studies: mpc_admin has peers, mpc_study studies, mpc_reader views and results; other roles have none.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_admin IN ROLE mpc_admin;
CREATE ROLE regress_study IN ROLE mpc_study;
CREATE ROLE regress_reader IN ROLE mpc_reader;
CREATE ROLE regress_stranger;
GRANT SELECT ON test_certificates TO PUBLIC;
CREATE FUNCTION may(statement text) RETURNS text LANGUAGE sql AS $$ SELECT error FROM fails(statement) LIMIT 1 $$;
CREATE TABLE tried (place serial, statement text);
INSERT INTO tried (statement) VALUES
  ($$SELECT mpc.add_peer('new', 'https://localhost:1', certificate_of('other'))$$),
  ($$SELECT mpc.alter_peer('new', url => 'https://localhost:2')$$),
  ($$SELECT mpc.remove_peer('new')$$),
  ($$SELECT mpc.propose_study('mine', test_spec('0.7'))$$),
  ($$SELECT mpc.reject_study('mine')$$),
  ($$SELECT * FROM mpc.explain_study('mine')$$),
  ($$SELECT * FROM mpc.studies, mpc.approvals$$),
  ($$SELECT * FROM mpc.parties$$),
  ($$SELECT * FROM mpc.steps$$),
  ($$SELECT * FROM mpc.ledger$$),
  ($$SELECT * FROM mpc.verify_ledger()$$),
  ($$SELECT * FROM mpc.models$$),
  ($$SELECT * FROM mpc.coefficients('path')$$),
  ($$SELECT mpc.predict('path', '{"age": 1}', 1)$$),
  ($$SELECT * FROM mpc_internal.peers$$),
  ($$SELECT mpc_internal.control('zorgttp', '{"type": "hello"}')$$),
  ($$SELECT mpc_internal.recover()$$),
  ($$INSERT INTO mpc_internal.approvals (study, version, party, digest, decision) VALUES ('a', 1, 'b', 'c', 'approved')$$),
  ($$DELETE FROM mpc.ledger$$);
GRANT SELECT ON tried TO PUBLIC;
SET ROLE regress_admin;
SELECT may(statement), statement FROM tried ORDER BY place;
SET ROLE regress_study;
SELECT may(statement), statement FROM tried ORDER BY place;
SET ROLE regress_reader;
SELECT may(statement), statement FROM tried ORDER BY place;
SET ROLE regress_stranger;
SELECT may(statement), statement FROM tried ORDER BY place;
RESET ROLE;

-- A source is read as the role that approves: column by column, never as the owner of the extension.
SELECT mpc.propose_study('private', test_spec('0.8')) AS digest \gset
SELECT set_config('test.digest', :'digest', false) = :'digest';
SET ROLE regress_study;
SELECT fails(format('SELECT mpc.approve_study(''private'', %L, ''patients'', ''bsn'')', current_setting('test.digest')));
SELECT fails($$SELECT * FROM mpc.check_source('private', 'patients', 'bsn')$$);
SELECT fails($$SELECT * FROM mpc.explain_study('private', 'patients', 'bsn')$$);
RESET ROLE;
GRANT SELECT (bsn, age) ON patients TO regress_study;
SET ROLE regress_study;
SELECT fails(format('SELECT mpc.approve_study(''private'', %L, ''patients'', ''bsn'')', current_setting('test.digest')));
RESET ROLE;
GRANT SELECT (smoker) ON patients TO regress_study;
SET ROLE regress_study;
SELECT fails(format('SELECT mpc.approve_study(''private'', %L, ''patients'', ''bsn'')', current_setting('test.digest')));
SELECT count(*) FROM mpc.check_source('private', 'patients', 'bsn');
SELECT DISTINCT records FROM mpc.explain_study('private', 'patients', 'bsn') WHERE step = 4 AND party = 'regress';
RESET ROLE;
SELECT party, source, decided_by FROM mpc.approvals WHERE study = 'private';
-- the privilege may be revoked, and the role dropped
REVOKE SELECT (smoker) ON patients FROM regress_study;
SELECT fails($$SELECT mpc_internal.start_job('private')$$);
GRANT SELECT (smoker) ON patients TO regress_study;
SELECT mpc_internal.start_job('private') IS NOT NULL;
DROP OWNED BY regress_study;
DROP ROLE regress_study;
SELECT fails($$SELECT mpc_internal.start_job('private')$$);
-- a schema without USAGE for the role
CREATE SCHEMA locked;
CREATE TABLE locked.patients AS TABLE patients;
CREATE ROLE regress_study IN ROLE mpc_study;
GRANT SELECT ON locked.patients TO regress_study;
SELECT 'locked.patients'::regclass::oid AS locked \gset
SET ROLE regress_study;
SELECT fails(format('SELECT mpc.approve_study(''private'', %L, %s::regclass, ''bsn'')', current_setting('test.digest'), :'locked'));
RESET ROLE;
DROP SCHEMA locked CASCADE;
DROP OWNED BY regress_admin, regress_study, regress_reader, regress_stranger;
DROP ROLE regress_admin, regress_study, regress_reader, regress_stranger;
