-- Refusals of a node: specs, approvals, unknown studies, missing settings.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

-- specs: each line is one change of a good spec
CREATE FUNCTION proposed(path text[], value jsonb) RETURNS SETOF text LANGUAGE sql AS $$
SELECT fails(format('SELECT mpc.propose_study(''trial'', %L)', jsonb_set(test_spec(), path, value)))
$$;
SELECT proposed('{analysis,lambda}', '-1');
SELECT proposed('{analysis,kind}', '"logistic"');
SELECT proposed('{analysis,alpha}', '0.5');
SELECT proposed('{analysis,colour}', '"blue"');
SELECT proposed('{keep_shares}', 'true');
SELECT proposed('{third_party}', '"nobody"');
SELECT proposed('{controllers,zilveren_kruis,outcome}', 'null');
SELECT proposed('{controllers,regress,attributes}', '["age", "age"]');
SELECT proposed('{key_bits}', '1024');
SELECT fails($$SELECT mpc.propose_study('Trial', test_spec())$$);
SELECT fails($$SELECT mpc.propose_study(NULL, test_spec())$$);
SELECT fails($$SELECT mpc.propose_study('trial', NULL)$$);
SELECT fails($$SELECT mpc.propose_study('trial', '[]')$$);
SELECT proposed('{deep}', (repeat('[', 20) || repeat(']', 20))::jsonb);
-- text of a peer with a duplicate key; in a proposal jsonb removes one of them
SELECT fails($$SELECT mpc_internal.parse_spec('{"third_party": "one", "third_party": "another"}')$$);
-- this node is not a party
SELECT fails($$SELECT mpc.propose_study('trial', replace(test_spec()::text, 'regress', 'erasmus_mc')::jsonb)$$);
SELECT count(*) FROM mpc.studies WHERE study = 'trial';

-- approvals
SELECT mpc.propose_study('trial', test_spec('0.4')) AS digest \gset
SELECT set_config('test.digest', :'digest', false) = :'digest';
CREATE FUNCTION approved(source text, identifier text) RETURNS SETOF text LANGUAGE sql AS $$
SELECT fails(format('SELECT mpc.approve_study(''trial'', %L, %L::regclass, %L)', current_setting('test.digest'), source, identifier))
$$;
CREATE TABLE wrong_types (bsn bigint, age text, smoker date);
CREATE TABLE lacking (bsn bigint, age integer);
CREATE TEMP TABLE passing AS TABLE patients;
CREATE SEQUENCE numbers;
CREATE DOMAIN years AS integer;
CREATE DOMAIN old_years AS years;
CREATE VIEW renamed AS SELECT bsn AS "Citizen", age::old_years, smoker FROM patients;
SELECT fails($$SELECT mpc.approve_study('trial', 'abc', 'patients', 'bsn')$$);
SELECT fails($$SELECT mpc.approve_study('trial', NULL, 'patients', 'bsn')$$);
SELECT regexp_replace(fails($$SELECT mpc.approve_study('trial', repeat('0', 64), 'patients', 'bsn')$$), '[0-9a-f]{64}', 'X');
SELECT fails($$SELECT mpc.approve_study('unheard_of', repeat('0', 64), 'patients', 'bsn')$$);
SELECT approved(NULL, NULL);
SELECT approved('patients', NULL);
SELECT approved('patients', '');
SELECT approved('patients', 'nr');
SELECT approved('patients', 'bsn, age');
SELECT approved('lacking', 'bsn');
SELECT approved('wrong_types', 'bsn');
SELECT approved('passing', 'bsn');
SELECT approved('numbers', 'bsn');
SELECT approved('renamed', 'citizen');
SELECT approved('renamed', 'Citizen');
SELECT approved('renamed', '"Citizen"');
SELECT source, decision FROM mpc.approvals WHERE study = 'trial';

-- identifiers of two parts
SELECT mpc.propose_study('trial', jsonb_set(test_spec('0.4'), '{identifier}', '{"parts": 2}')) AS digest \gset
SELECT set_config('test.digest', :'digest', false) = :'digest';
SELECT approved('patients', 'bsn');
SELECT approved('patients', 'bsn, AGE');
SELECT identifier FROM mpc_internal.approvals WHERE study = 'trial' AND version = 2;

-- unknown studies
SELECT fails($$SELECT mpc.reject_study('unheard_of')$$);
SELECT fails($$SELECT mpc.withdraw_approval('unheard_of')$$);
SELECT fails($$SELECT * FROM mpc.explain_study('unheard_of')$$);
SELECT fails($$SELECT * FROM mpc.coefficients('unheard_of')$$);
SELECT fails($$SELECT * FROM mpc.check_source('unheard_of', 'patients', 'bsn')$$);
SELECT fails($$SELECT mpc_internal.start_job('unheard_of')$$);

-- code that runs during maintenance of a table cannot approve
CREATE FUNCTION approve_secretly(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  PERFORM mpc.approve_study('trial', current_setting('test.digest'), 'public.patients', 'bsn, age');
  RETURN 1;
END
$$;
CREATE TABLE trap (i integer);
INSERT INTO trap VALUES (1);
SELECT fails('CREATE INDEX ON trap (approve_secretly(i))');

-- an uncommitted approval cannot be started
BEGIN;
SELECT length(mpc.propose_study('hasty', test_spec('0.4')));
SELECT fails($$SELECT * FROM mpc.run_study('hasty')$$);
SELECT fails($$SELECT * FROM mpc.prepare('hasty')$$);
ROLLBACK;

-- a database that is not the one of the node
SELECT current_database() AS here \gset
CREATE DATABASE regress_elsewhere;
\c regress_elsewhere
CREATE EXTENSION pg_mpc;
\set VERBOSITY default
SELECT mpc.propose_study('trial', '{}');
\c :here
DROP DATABASE regress_elsewhere;

-- a peer that is not a party of a study learns nothing of it; names belong to the parties of the latest version
BEGIN;
INSERT INTO mpc_internal.peers (party, url, certificate, fingerprint, not_after) VALUES ('amphia', '', '', 'f', 'infinity');
SELECT length(mpc.propose_study('ours', test_spec()));
SELECT fails(format('SELECT mpc_internal.control(''amphia'', %L)', jsonb_build_object('type', kind, 'study', 'ours', 'version', version, 'digest', repeat('a', 64))))
  FROM unnest('{approve,reject,withdraw}'::text[]) AS kind, (VALUES (1)) AS v (version);
SELECT mpc_internal.control('amphia', jsonb_build_object('type', 'ready', 'study', study, 'digest', repeat('a', 64))) FROM unnest('{ours,nowhere}'::text[]) AS study;
-- limits per peer: decisions before their proposal, open proposals
SELECT fails($$SELECT mpc_internal.control('amphia', jsonb_build_object('type', 'approve', 'study', 'ours', 'version', v, 'digest', repeat('a', 64))) FROM generate_series(2, 200) AS v$$);
INSERT INTO mpc_internal.studies (study, version, digest, spec, parties, proposer) SELECT 'open' || i, 1, '', '{}', '{}', 'zorgttp' FROM generate_series(1, 1000) AS i;
SELECT mpc_internal.parse_spec(test_spec()::text) AS spec \gset
SELECT fails(format('SELECT mpc_internal.control(''zorgttp'', %L)', jsonb_build_object('type', 'propose', 'study', 'more', 'version', 1,
  'spec', :'spec', 'digest', mpc_internal.study_digest('more', :'spec'))));
ROLLBACK;
