-- The life cycle of a study at one node: drafts, approvals that expire, a spec that nobody can change, a source that has
-- changed since it was approved, replacement of approvals, and the history.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
-- the error of a statement without times and the name of the superuser
CREATE FUNCTION said(statement text) RETURNS SETOF text LANGUAGE sql AS $$
SELECT regexp_replace(regexp_replace(t, 'written at .*', 'written at T'), '(by|to) role (?!regress_)\w+', '\1 role OWNER') FROM fails(statement) AS t
$$;

-- drafts
SELECT mpc.draft_study('cycle', test_spec('0.11')) AS draft \gset
SELECT study, version, state, digest = :'draft', proposer, spec -> 'analyses' -> 'lasso' ->> 'lambda' FROM mpc.studies WHERE study = 'cycle';
SELECT count(*) FROM mpc_internal.outbox WHERE message ->> 'study' = 'cycle';
SELECT count(*) > 20 FROM mpc.explain_study('cycle');
SELECT count(*) FROM mpc.check_source('cycle', 'patients', 'bsn');
SELECT fails(format($$SELECT mpc_internal.start_job('cycle')$$));
SELECT fails($$SELECT mpc.draft_study('cycle', jsonb_set(test_spec(), '{key_bits}', '1'))$$);
SELECT fails($$SELECT mpc.draft_study('Cycle', test_spec())$$);
SELECT mpc.draft_study('cycle', test_spec('0.12')) <> :'draft';
SELECT mpc.draft_study('other_cycle', test_spec()) IS NOT NULL, mpc.draft_study('other_cycle', NULL) IS NULL;
SELECT count(*) FROM mpc.studies WHERE study = 'other_cycle';
-- another role may neither change nor propose it, an administrator may
CREATE ROLE regress_one IN ROLE mpc_study;
CREATE ROLE regress_two IN ROLE mpc_study;
GRANT SELECT ON patients TO regress_one, regress_two;
SET ROLE regress_one;
SELECT said($$SELECT mpc.draft_study('cycle', test_spec('0.13'))$$);
SELECT said($$SELECT mpc.propose_study('cycle')$$);
SELECT mpc.draft_study('ones', test_spec('0.13')) IS NOT NULL;
SET ROLE regress_two;
SELECT said($$SELECT mpc.propose_study('ones')$$);
SELECT count(*) FROM mpc.studies WHERE study = 'ones';
SET ROLE regress_one;
SELECT mpc.draft_study('ones', NULL);
RESET ROLE;
-- proposing a draft removes it
SELECT mpc.propose_study('cycle') AS digest \gset
SELECT version, state, digest = :'digest', proposer FROM mpc.studies WHERE study = 'cycle';
SELECT fails($$SELECT mpc.propose_study('cycle', NULL)$$);
-- the next draft does not hide a proposed spec
SELECT mpc.draft_study('cycle', jsonb_set(test_spec('0.14'), '{expected_records}', '5000')) IS NOT NULL;
SELECT version, state FROM mpc.studies WHERE study = 'cycle' ORDER BY version;
SELECT count(records) FROM mpc.explain_study('cycle');
SELECT mpc.draft_study('cycle', NULL);

-- a proposed spec cannot be changed
SELECT fails($$UPDATE mpc_internal.studies SET spec = '{}' WHERE study = 'cycle'$$);
SELECT fails($$UPDATE mpc_internal.studies SET digest = 'a', proposer = 'b' WHERE study = 'cycle'$$);
SET session_replication_role = replica;
SELECT fails($$UPDATE mpc_internal.studies SET parties = '{}' WHERE study = 'cycle'$$);
RESET session_replication_role;

-- approvals expire, the proposal stays valid; the view shows when
SELECT set_config('test.digest', :'digest', false) = :'digest';
SELECT mpc.approve_study('cycle', :'digest', 'patients', 'bsn');
SELECT expires_at - decided_at FROM mpc.approvals WHERE study = 'cycle';
SELECT message ->> 'type', message -> 'expires_at' = to_jsonb(floor(extract(epoch FROM a.expires_at))) FROM mpc_internal.outbox, mpc.approvals AS a
 WHERE message ->> 'study' = 'cycle' AND message ->> 'type' = 'approve' AND a.study = 'cycle';
-- statements of a peer about its own approval
SELECT mpc_internal.control('zorgttp', jsonb_build_object('type', 'approve', 'study', 'cycle', 'version', 1, 'digest', :'digest', 'expires_at', 2000000000));
SELECT mpc_internal.control('zilveren_kruis', jsonb_build_object('type', 'approve', 'study', study, 'version', 1, 'digest', digest, 'expires_at', 'never',
         'data', data_of('zilveren_kruis', spec))) FROM mpc.studies WHERE study = 'cycle';
SELECT party, extract(epoch FROM expires_at)::bigint FROM mpc.approvals WHERE study = 'cycle' AND party <> 'regress' ORDER BY party;
SELECT state, s.expires_at <= a.expires_at FROM mpc.studies AS s JOIN mpc.approvals AS a USING (study, version) WHERE study = 'cycle' AND party = 'regress';
UPDATE mpc_internal.approvals SET expires_at = now() WHERE study = 'cycle' AND party = 'zorgttp';
SELECT state_of('cycle');
SELECT regexp_replace(fails($$SELECT mpc_internal.start_job('cycle')$$), 'at .*\.$', 'at T.');
SELECT peer_says('zilveren_kruis', 'ready', 'cycle');
SELECT peer_says('zorgttp', 'approve', 'cycle'), state_of('cycle');
UPDATE mpc_internal.approvals SET expires_at = now() WHERE study = 'cycle' AND party = 'regress';
SELECT state_of('cycle'), mpc.approve_study('cycle', :'digest', 'patients', 'bsn');
-- an expired proposal cannot be approved
BEGIN;
UPDATE mpc_internal.studies SET expires_at = now() WHERE study = 'cycle';
SELECT fails(format($$SELECT mpc.approve_study('cycle', %L, 'patients', 'bsn')$$, current_setting('test.digest')));
ROLLBACK;

-- the approved source: its schema
CREATE FUNCTION digest_now() RETURNS text LANGUAGE sql AS $$ SELECT mpc_internal.start_job('cycle') -> 'source' ->> 'digest' $$;
-- deletes the data used with the counterpart before
UPDATE mpc_internal.source_uses SET data_version = NULL;
CREATE TABLE pinned AS TABLE patients;
SELECT mpc.approve_study('cycle', :'digest', 'pinned', 'bsn');
SELECT source_schema, length(source_digest) FROM mpc_internal.approvals WHERE study = 'cycle' AND party = 'regress';
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
ALTER TABLE pinned ADD COLUMN unused text;
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
ALTER TABLE pinned ALTER COLUMN age TYPE bigint;
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
ALTER TABLE pinned ALTER COLUMN age TYPE integer;
ALTER TABLE pinned RENAME TO pinned_once;
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
ALTER TABLE pinned_once RENAME TO pinned;
-- dropped and rebuilt under its name: a new relation of the same owner, kind and columns takes its place
DROP TABLE pinned;
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
CREATE VIEW pinned AS TABLE patients;
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
DROP VIEW pinned;
CREATE TABLE pinned AS SELECT bsn, age::bigint AS age, smoker FROM patients;
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
ALTER TABLE pinned ALTER COLUMN age TYPE integer, OWNER TO regress_one;
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
ALTER TABLE pinned OWNER TO CURRENT_USER, ADD COLUMN unused text;
SELECT fails($$SELECT mpc_internal.start_job('cycle')$$);
SELECT source = 'pinned'::regclass AS bound FROM mpc_internal.approvals WHERE study = 'cycle' AND party = 'regress';
SELECT event, party, detail FROM mpc_internal.ledger WHERE study = 'cycle' AND event = 'source_rebuilt';
-- and its contents: the order and dropped rows do not matter, every used value does
SELECT digest_now() AS before \gset
CREATE FUNCTION digest_after(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  BEGIN
    EXECUTE change;
    PERFORM mpc.approve_study('cycle', current_setting('test.digest'), 'pinned', 'bsn');
    result := digest_now();
    RAISE EXCEPTION 'undo';
  EXCEPTION WHEN raise_exception THEN
    RETURN result;
  END;
END
$$;
SELECT digest_after(change) = :'before' AS same, change FROM unnest(ARRAY[
  'SELECT', 'UPDATE pinned SET age = age WHERE bsn < ''2''', 'UPDATE pinned SET unused = ''x''', 'INSERT INTO pinned VALUES (''nobody'', NULL, true)',
  'UPDATE pinned SET age = age + 1 WHERE bsn = ''7''', 'UPDATE pinned SET smoker = NOT smoker WHERE bsn = ''7''',
  'UPDATE pinned SET bsn = ''x'' WHERE bsn = ''7''', 'DELETE FROM pinned WHERE bsn = ''7''', 'INSERT INTO pinned VALUES (''new'', 1, true)',
  'UPDATE pinned AS p SET age = q.age FROM pinned AS q WHERE (p.bsn, q.bsn) IN ((''7'', ''8''), (''8'', ''7''))']) AS change;
-- the key of these digests is in a file of the server and in no table
SELECT substring(f FROM '^pgsql_tmp\.source_key') AS name, (pg_stat_file('pg_mpc/' || f)).size FROM pg_ls_dir('pg_mpc') AS f WHERE f LIKE '%key%';

-- row ownership: members of the role that approved, and of mpc_admin, may replace an approval; members of mpc_study may withdraw it
SET ROLE regress_one;
SELECT said(format($$SELECT mpc.approve_study('cycle', %L, 'patients', 'bsn')$$, current_setting('test.digest')));
SELECT mpc.withdraw_approval('cycle');
SELECT mpc.approve_study('cycle', current_setting('test.digest'), 'patients', 'bsn');
SET ROLE regress_two;
SELECT fails(format($$SELECT mpc.approve_study('cycle', %L, 'patients', 'bsn')$$, current_setting('test.digest')));
RESET ROLE;
GRANT mpc_admin TO regress_two;
SET ROLE regress_two;
SELECT mpc.approve_study('cycle', current_setting('test.digest'), 'patients', 'bsn');
RESET ROLE;
-- the oid of a dropped role belongs to no role
SELECT mpc_internal.owns(current_user::regrole, 1);

-- the history
SELECT event, party, role = current_user AS own, role ~ 'regress_(one|two)' AS other, version FROM mpc.study_history WHERE study = 'cycle' ORDER BY id;
SELECT event, count(*) FROM mpc.study_history WHERE study = 'lungs' GROUP BY event ORDER BY event;
SELECT study, event, at = s.expires_at FROM mpc.study_history AS h JOIN mpc.studies AS s USING (study, version) WHERE event = 'expired' ORDER BY study;
SELECT version, event, detail - 'digest' FROM mpc.study_history WHERE attempt = repeat('4', 32) ORDER BY id;

DROP OWNED BY regress_one, regress_two;
DROP ROLE regress_one, regress_two;
