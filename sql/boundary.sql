-- The boundary of SQL: foreign code that runs while a source is read, functions that call mpc for another role, unusual
-- role names, and read privileges.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
-- The code of the view must not hang the test.
SET statement_timeout = '2min';
CREATE ROLE regress_trudy IN ROLE mpc_study;
CREATE ROLE regress_clerk;
CREATE ROLE "Regress ""Alice""" IN ROLE mpc_study;
CREATE SCHEMA trap AUTHORIZATION regress_trudy;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
SELECT mpc.propose_study('boundary', '{"controllers": {"regress": {"attributes": ["x"]}, "zilveren_kruis": {"attributes": [], "outcome": "y"}},
  "third_party": "zorgttp", "analysis": {"lambda": 0.1}}') AS digest \gset
SELECT set_config('test.digest', :'digest', false) = :'digest';
CREATE FUNCTION approve(source text) RETURNS TABLE (error text) LANGUAGE sql AS $$
SELECT fails(format('SELECT mpc.approve_study(''boundary'', %L, %L::regclass, ''id'')', current_setting('test.digest'), source)) $$;

-- code in a view changes search_path: nothing that runs with the privileges of the owner follows it
SET ROLE regress_trudy;
CREATE TABLE trap.t AS SELECT 'p' || i AS id, i::float8 AS x FROM generate_series(1, 300) AS i;
CREATE FUNCTION trap.hijacked() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'ALTER ROLE regress_trudy SUPERUSER';
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'hijacked as %', current_user;
END $$;
CREATE FUNCTION trap.floor(numeric) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.hijacked(); RETURN pg_catalog.floor($1); END $$;
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.hijacked(); RETURN pg_catalog.now(); END $$;
CREATE FUNCTION trap.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.hijacked(); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);
CREATE FUNCTION trap.bait() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_catalog.set_config('search_path', 'trap, pg_catalog', false);
  RETURN true;
END $$;
CREATE VIEW trap.v AS SELECT id, x FROM trap.t WHERE trap.bait();
SHOW search_path;
SELECT approve('trap.v');
SHOW search_path;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_trudy';
SELECT count(*) FROM mpc.check_source('boundary', 'trap.v', 'id');
SELECT DISTINCT records FROM mpc.explain_study('boundary', 'trap.v', 'id') WHERE step = 4 AND party = 'regress';
SHOW search_path;
RESET ROLE;

-- attacks of code in a view: each statement with its SQLSTATE; 00000 only where it changes nothing outside
CREATE TABLE escapes (place serial, statement text);
GRANT SELECT ON escapes TO PUBLIC;
INSERT INTO escapes (statement) VALUES
  ('SET ROLE regress_clerk'), ('SET ROLE NONE'), ('RESET ROLE'), ('SET LOCAL ROLE regress_clerk'),
  ('SET SESSION AUTHORIZATION regress_clerk'), ('SET SESSION AUTHORIZATION DEFAULT'), ('RESET SESSION AUTHORIZATION'),
  ($$SELECT set_config('role', 'none', false)$$), ($$SELECT set_config('session_authorization', 'regress_clerk', false)$$),
  ('CREATE TEMPORARY TABLE escaped (i integer)'), ('CREATE TEMPORARY VIEW escaped AS SELECT 1'), ('CREATE TEMPORARY SEQUENCE escaped'),
  ('CREATE FUNCTION pg_temp.escaped() RETURNS void LANGUAGE sql AS '''''),
  ('LISTEN escaped'), ('UNLISTEN *'), ('PREPARE escaped AS SELECT 1'), ('DEALLOCATE ALL'),
  ('DECLARE escaped CURSOR WITH HOLD FOR SELECT 1'), ('CLOSE ALL'), ('DISCARD ALL'), ('DISCARD TEMP'),
  ('COMMIT'), ('ROLLBACK'), ('SAVEPOINT escaped'), ('LOAD ''pg_mpc'''),
  ('INSERT INTO trap.queue VALUES (1)'), ('SET CONSTRAINTS ALL IMMEDIATE'),
  ('INSERT INTO mpc_internal.readers (study, role, role_name, reason) VALUES (''boundary'', 1, ''x'', ''added'')'),
  ($$SELECT mpc.propose_study('escaped', '{}')$$), ($$SELECT mpc.approve_study('boundary', current_setting('test.digest'), 'trap.t', 'id')$$),
  ($$SELECT mpc.withdraw_approval('boundary')$$), ($$SELECT mpc.reject_study('boundary')$$), ($$SELECT mpc.start_study('boundary')$$),
  ($$SELECT mpc.cancel_study('boundary')$$), ($$SELECT * FROM mpc.prepare('boundary')$$), ($$CALL mpc.run('boundary')$$),
  ($$SELECT mpc.rehearse('boundary')$$),
  ($$SELECT mpc.add_reader('boundary', 'regress_clerk')$$), ($$SELECT * FROM mpc.check_source('boundary', 'trap.t', 'id')$$),
  ($$SELECT mpc_internal.record_event('boundary', NULL, 'forged', NULL, '{}')$$),
  ('ALTER ROLE regress_trudy SUPERUSER'), ('SET LOCAL search_path = trap'), ('SET search_path = trap');
-- every setting that a session can change, to another value
INSERT INTO escapes (statement)
SELECT format('SELECT set_config(%L, %L, %s)', name, CASE vartype WHEN 'bool' THEN CASE setting WHEN 'on' THEN 'off' ELSE 'on' END
         WHEN 'enum' THEN (SELECT min(e) FROM unnest(enumvals) AS e WHERE e <> setting)
         WHEN 'integer' THEN CASE WHEN setting::numeric < max_val::numeric THEN setting::numeric + 1 ELSE setting::numeric - 1 END::text
         WHEN 'real' THEN CASE WHEN setting::numeric < max_val::numeric THEN least(setting::numeric + 0.5, max_val::numeric) ELSE setting::numeric - 0.5 END::text
         ELSE CASE name WHEN 'DateStyle' THEN 'SQL, DMY' WHEN 'TimeZone' THEN 'Asia/Tokyo' WHEN 'client_encoding' THEN 'LATIN1'
              WHEN 'search_path' THEN 'trap' WHEN 'timezone_abbreviations' THEN 'Australia' ELSE 'C' END END, local)
  FROM pg_settings, unnest('{false,true}'::boolean[]) AS local
 WHERE context = 'user' AND name NOT IN ('client_min_messages', 'role', 'session_authorization') ORDER BY name, local;
SELECT count(*) > 200 AS many FROM escapes;
SET ROLE regress_trudy;
CREATE TABLE trap.queue (i integer);
CREATE FUNCTION trap.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.hijacked(); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON trap.queue DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap.later();
CREATE FUNCTION trap.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RETURN '00000';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
CREATE FUNCTION trap.escape() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  tried record;
  met text;
BEGIN
  FOR tried IN SELECT * FROM public.escapes ORDER BY place LOOP
    met := trap.try(tried.statement);
    IF tried.statement NOT LIKE 'SELECT set_config(%' OR tried.place < 20 THEN
      RAISE NOTICE '% %', met, tried.statement;
    END IF;
  END LOOP;
  RETURN true;
END $$;
CREATE VIEW trap.w AS SELECT id, x FROM trap.t WHERE id <> 'p1' OR trap.escape();
CREATE TABLE trap.before AS SELECT name, setting FROM pg_settings;
SELECT approve('trap.w');
SELECT current_user, session_user = current_user AS session;
SELECT name, b.setting, s.setting FROM trap.before AS b JOIN pg_settings AS s USING (name) WHERE b.setting IS DISTINCT FROM s.setting;
SELECT count(*) FROM pg_listening_channels();
SELECT count(*) FROM pg_prepared_statements;
SELECT count(*) FROM pg_cursors WHERE name = 'escaped';
SELECT count(*) FROM pg_class WHERE relname = 'escaped';
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_trudy';
RESET ROLE;
SELECT decision, source FROM mpc.approvals WHERE study = 'boundary' AND party = 'regress';
SELECT count(*) FROM mpc.ledger WHERE event = 'forged';
DROP VIEW trap.w;

-- an error of a view that the caller catches restores user and settings
SET ROLE regress_trudy;
CREATE FUNCTION trap.fail() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_catalog.set_config('search_path', 'trap, pg_catalog', false);
  RAISE EXCEPTION 'half way';
END $$;
CREATE VIEW trap.f AS SELECT id, x FROM trap.t WHERE id <> 'p200' OR trap.fail();
SELECT approve('trap.f');
SELECT current_user;
SHOW search_path;
RESET ROLE;

-- a SECURITY DEFINER function that calls mpc acts as its owner, not as its caller
SELECT mpc.withdraw_approval('boundary');
CREATE TABLE clerk_patients AS SELECT 'p' || i AS id, i::float8 AS x FROM generate_series(1, 300) AS i;
ALTER TABLE clerk_patients OWNER TO regress_clerk;
SET ROLE regress_trudy;
CREATE FUNCTION trap.full_years(x float8) RETURNS float8 LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM mpc.approve_study('boundary', current_setting('test.digest'), 'public.clerk_patients', 'id');
  RETURN pg_catalog.floor(x);
END $$;
CREATE FUNCTION trap.invoker(x float8) RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mpc.approve_study('boundary', current_setting('test.digest'), 'public.clerk_patients', 'id');
  RETURN pg_catalog.floor(x);
END $$;
CREATE FUNCTION trap.cancel() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ SELECT mpc.start_study('nowhere') $$;
RESET ROLE;
SET ROLE regress_clerk;
SELECT fails('SELECT trap.full_years(12.7)');
SELECT fails('SELECT trap.invoker(12.7)');
SELECT fails('SELECT trap.cancel()');
RESET ROLE;
-- called by a superuser, the deputy still reads as its owner
SELECT fails('SELECT trap.full_years(12.7)');
-- neither EXECUTE alone nor membership without inheritance is enough; after SET ROLE the role counts
GRANT EXECUTE ON FUNCTION mpc.approve_study(text, text, regclass, text), mpc.coefficients(text) TO regress_clerk;
GRANT USAGE ON SCHEMA mpc TO regress_clerk;
SET ROLE regress_clerk;
SELECT approve('clerk_patients');
SELECT fails($$SELECT * FROM mpc.coefficients('boundary')$$);
RESET ROLE;
REVOKE EXECUTE ON FUNCTION mpc.approve_study(text, text, regclass, text), mpc.coefficients(text) FROM regress_clerk;
REVOKE USAGE ON SCHEMA mpc FROM regress_clerk;
CREATE ROLE regress_noinherit NOINHERIT IN ROLE regress_trudy;
GRANT USAGE ON SCHEMA mpc TO regress_noinherit;
GRANT EXECUTE ON FUNCTION mpc.withdraw_approval(text) TO regress_noinherit;
SET ROLE regress_noinherit;
SELECT fails($$SELECT mpc.withdraw_approval('boundary')$$);
RESET ROLE;
SET SESSION AUTHORIZATION regress_noinherit;
SET ROLE regress_trudy;
SELECT fails($$SELECT mpc.withdraw_approval('boundary')$$);
RESET SESSION AUTHORIZATION;
DROP OWNED BY regress_noinherit;
DROP ROLE regress_noinherit;
GRANT mpc_study TO regress_clerk;
SET ROLE regress_clerk;
SELECT approve('clerk_patients');
RESET ROLE;
SELECT source, decided_by FROM mpc.approvals WHERE study = 'boundary' AND party = 'regress';
-- no public function runs with the privileges of its owner; internal ones that do cannot be called by roles, except two that only read
SELECT count(*) FROM pg_proc WHERE pronamespace = 'mpc'::regnamespace AND prosecdef;
SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'mpc_internal'::regnamespace AND p.prosecdef
   AND EXISTS (SELECT FROM unnest('{mpc_admin,mpc_study,mpc_reader}'::text[]) AS r WHERE has_function_privilege(r, p.oid, 'EXECUTE')) ORDER BY 1;

-- role names that need quotes
SELECT mpc.withdraw_approval('boundary');
GRANT SELECT ON clerk_patients TO "Regress ""Alice""";
SET ROLE "Regress ""Alice""";
SELECT approve('clerk_patients');
SELECT count(*) FROM mpc.check_source('boundary', 'clerk_patients', 'id');
SELECT count(*) > 10 FROM mpc.explain_study('boundary', 'clerk_patients', 'id');
RESET ROLE;
SELECT decided_by FROM mpc.approvals WHERE study = 'boundary' AND party = 'regress';
SELECT mpc_internal.start_job('boundary') IS NOT NULL;
SELECT detail ->> 'by' FROM mpc.ledger WHERE study = 'boundary' AND event = 'approved' ORDER BY id DESC LIMIT 1;

-- readers: roles that proposed, approved or ran a study, and roles that they add
INSERT INTO mpc_internal.fits (study, version, lambda, n, parameters, nonzero, iterations, converged) VALUES ('boundary', 1, 0.1, 200, 1, 0, 1, true);
INSERT INTO mpc_internal.coefficients VALUES ('boundary', 1, 0.1, 1, 'x', 'regress', 0, false);
CREATE ROLE regress_reader IN ROLE mpc_reader;
CREATE ROLE regress_admin IN ROLE mpc_admin;
CREATE ROLE regress_other IN ROLE mpc_study;
CREATE FUNCTION sees() RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', (SELECT count(*) FROM mpc.studies WHERE study = 'boundary'), (SELECT count(*) FROM mpc.approvals WHERE study = 'boundary'),
  (SELECT count(*) > 0 FROM mpc.study_history WHERE study = 'boundary'), (SELECT count(*) > 0 FROM mpc.ledger WHERE study = 'boundary'),
  (SELECT count(*) FROM mpc.models WHERE study = 'boundary'),
  (SELECT string_agg(error, '') FROM fails('SELECT * FROM mpc.coefficients(''boundary'')'))) $$;
SET ROLE regress_reader;
SELECT sees();
SELECT count(*) FROM mpc.export_ledger() WHERE entry LIKE '%boundary%';
SELECT fails($$SELECT mpc.add_reader('boundary', 'regress_reader')$$);
SET ROLE regress_other;
SELECT sees();
SELECT fails($$SELECT mpc.add_reader('boundary', 'regress_other')$$);
SET ROLE regress_admin;
SELECT sees();
SET ROLE regress_clerk;
SELECT sees();
SELECT fails($$SELECT mpc.add_reader('boundary', 'regress_nobody')$$);
SELECT fails($$SELECT mpc.add_reader('nowhere', 'regress_reader')$$);
SELECT mpc.add_reader('boundary', 'regress_reader');
SET ROLE regress_reader;
SELECT sees();
SELECT count(*) > 0 FROM mpc.export_ledger() WHERE entry LIKE '%boundary%';
SET ROLE regress_clerk;
SELECT mpc.remove_reader('boundary', 'regress_reader');
SELECT regexp_replace(fails($$SELECT mpc.remove_reader('boundary', 'regress_reader')$$), 'readers are .*regress_clerk', 'readers are ... regress_clerk');
SET ROLE regress_reader;
SELECT sees();
RESET ROLE;
CREATE ROLE regress_plain;
SELECT fails($$SELECT mpc.add_reader('boundary', 'regress_plain')$$);
-- a new role of the same name is not the one that was added
SELECT mpc.add_reader('boundary', 'regress_reader');
DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
CREATE ROLE regress_reader IN ROLE mpc_reader;
SET ROLE regress_reader;
SELECT sees();
RESET ROLE;
SELECT event, detail ->> 'role', detail ->> 'by' = current_user FROM mpc.ledger WHERE study = 'boundary' AND event LIKE 'reader%' ORDER BY id;
-- results may be read in a materialized view, studies may not be changed there
CREATE MATERIALIZED VIEW kept AS SELECT coefficient FROM mpc.coefficients('boundary');
REFRESH MATERIALIZED VIEW kept;
SELECT fails($$CREATE MATERIALIZED VIEW changed AS SELECT mpc.reject_study('boundary')$$);
DROP MATERIALIZED VIEW kept;

-- versions: a role that proposes a new one reads nothing of the previous one, and adds readers to its own versions only
CREATE FUNCTION released(version integer) RETURNS void LANGUAGE sql AS $$
  UPDATE mpc_internal.studies AS s SET run_state = 'released' WHERE s.study = 'boundary' AND s.version = released.version;
  INSERT INTO mpc_internal.steps (study, version, attempt, party, step, name, destroyed) VALUES ('boundary', version, repeat(version::text, 32), 'regress', 1, 'prepare', '{}');
  SELECT mpc_internal.record_event('boundary', repeat(version::text, 32), 'started', 'regress', jsonb_build_object('version', version));
  SELECT mpc_internal.record_event('boundary', repeat(version::text, 32), 'step', 'regress', '{"step": 1}');
  INSERT INTO mpc_internal.source_uses (study, version, attempt, outcome, models, match_told, relations, names) VALUES ('boundary', version, repeat(version::text, 32), 'released', 0, true, '{}', '{}') $$;
SELECT released(1);
-- rows of each view: versions, and numbers of entries of attempts
CREATE FUNCTION sees_versions() RETURNS text LANGUAGE sql AS $$
SELECT format('studies %s, approvals %s, history %s, steps %s, ledger %s, models %s, uses %s', (SELECT string_agg(version::text, ',') FROM mpc.studies WHERE study = 'boundary'),
  (SELECT string_agg(DISTINCT version::text, ',') FROM mpc.approvals WHERE study = 'boundary'), (SELECT string_agg(DISTINCT version::text, ',') FROM mpc.study_history WHERE study = 'boundary'),
  (SELECT string_agg(DISTINCT version::text, ',') FROM mpc.steps WHERE study = 'boundary'), (SELECT string_agg(DISTINCT attempt, ',') FROM mpc.ledger WHERE study = 'boundary' AND event = 'step'),
  (SELECT string_agg(version::text, ',') FROM mpc.models WHERE study = 'boundary'), (SELECT string_agg(version::text, ',') FROM mpc.source_uses WHERE study = 'boundary')) $$;
CREATE FUNCTION exported_entries() RETURNS text LANGUAGE sql AS $$
SELECT string_agg(DISTINCT entry::jsonb ->> 3, ',') FROM mpc.export_ledger() WHERE entry::jsonb ->> 2 = 'boundary' AND entry::jsonb ->> 4 = 'step' $$;
CREATE ROLE regress_second IN ROLE mpc_reader;
SET ROLE regress_other;
SELECT mpc.propose_study('boundary', (SELECT jsonb_set(spec, '{expected_records}', '77') FROM mpc.studies WHERE study = 'boundary')) IS NOT NULL;
SELECT fails($$SELECT * FROM mpc.coefficients('boundary')$$);
SELECT count(*) FROM mpc.models WHERE study = 'boundary';
SELECT fails($$SELECT mpc.remove_reader('boundary', 'regress_clerk')$$);
SELECT mpc.add_reader('boundary', 'regress_second');
RESET ROLE;
SELECT version, role_name, reason FROM mpc_internal.readers WHERE study = 'boundary' AND role_name IN ('regress_other', 'regress_second') ORDER BY role_name;
SET ROLE regress_second;
SELECT sees_versions(), exported_entries();
SELECT fails($$SELECT * FROM mpc.coefficients('boundary')$$);
-- readers of version 1 still read it when another one is proposed and when that one is released
SET ROLE regress_clerk;
SELECT attribute, coefficient FROM mpc.coefficients('boundary');
SELECT mpc.add_reader('boundary', 'regress_reader');
RESET ROLE;
SELECT released(2);
INSERT INTO mpc_internal.fits (study, version, lambda, n, parameters, nonzero, iterations, converged) VALUES ('boundary', 2, 0.1, 200, 1, 0, 1, true);
INSERT INTO mpc_internal.coefficients VALUES ('boundary', 2, 0.1, 1, 'x', 'regress', 2, true);
SET ROLE regress_reader;
SELECT sees_versions(), exported_entries();
SELECT coefficient FROM mpc.coefficients('boundary');
SELECT count(*) FROM mpc.explain_study('boundary') WHERE records = 77;
SET ROLE regress_second;
SELECT sees_versions(), exported_entries();
SELECT coefficient FROM mpc.coefficients('boundary');
SELECT count(*) > 0 FROM mpc.explain_study('boundary') WHERE records = 77;
-- a member of mpc_admin adds readers to all versions, future ones included
SET ROLE regress_admin;
SELECT sees_versions();
SELECT mpc.add_reader('boundary', 'regress_second');
SET ROLE regress_second;
SELECT sees_versions();
SELECT coefficient FROM mpc.coefficients('boundary');
SET ROLE regress_other;
SELECT mpc.remove_reader('boundary', 'regress_second');
SELECT fails($$SELECT mpc.remove_reader('boundary', 'regress_second')$$);
RESET ROLE;
SELECT event, detail ->> 'role', detail ->> 'versions' FROM mpc.ledger WHERE study = 'boundary' AND event LIKE 'reader%' ORDER BY id DESC LIMIT 4;
DELETE FROM mpc_internal.source_uses WHERE study = 'boundary';
DELETE FROM mpc_internal.steps WHERE study = 'boundary';
DROP FUNCTION released, sees_versions, exported_entries;

-- a spec that would be refused after the match is refused when it is proposed
SELECT fails(format($$SELECT mpc.propose_study('wide', %L)$$, jsonb_build_object('controllers', jsonb_build_object(
  'regress', jsonb_build_object('attributes', (SELECT jsonb_agg('a' || i) FROM generate_series(1, 100) AS i)),
  'zilveren_kruis', jsonb_build_object('attributes', (SELECT jsonb_agg('b' || i) FROM generate_series(1, 100) AS i), 'outcome', 'y')),
  'third_party', 'zorgttp', 'release', '{"precision": "exact"}'::jsonb, 'analysis', jsonb_build_object('lambda', (SELECT jsonb_agg(i * 0.01) FROM generate_series(1, 100) AS i), 'max_iterations', 10000))));

DELETE FROM mpc_internal.fits WHERE study = 'boundary';
DELETE FROM mpc_internal.coefficients WHERE study = 'boundary';
DROP TABLE clerk_patients, escapes;
SET client_min_messages = warning;
DROP SCHEMA trap CASCADE;
RESET client_min_messages;
DROP OWNED BY regress_trudy, regress_clerk, "Regress ""Alice""", regress_admin, regress_other, regress_reader, regress_second, regress_plain;
DROP ROLE regress_trudy, regress_clerk, "Regress ""Alice""", regress_admin, regress_other, regress_reader, regress_second, regress_plain;
RESET statement_timeout;
