-- Rules that one node checks alone: floors, relaxed rules, budget with refusals, cohorts, identity of sources.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION rules(disclosure jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_set(test_spec('0.3'), '{disclosure}', disclosure) $$;
CREATE SCHEMA regress_sources;
CREATE TABLE regress_sources.cohort (bsn text, age integer, smoker boolean);
CREATE TABLE regress_sources.lookup (code integer);
CREATE VIEW regress_sources.through_view AS SELECT * FROM regress_sources.cohort;
CREATE MATERIALIZED VIEW regress_sources.stored AS SELECT v.* FROM regress_sources.through_view AS v;
CREATE TABLE regress_sources.other (bsn text, age integer, smoker boolean);

-- the floor of the node
SHOW pg_mpc.min_matched;
SELECT mpc.propose_study('disclosed', rules('{"min_matched": 99}')) AS digest \gset
\pset format aligned
\pset tuples_only off
SELECT * FROM fails(format($$SELECT mpc.approve_study('disclosed', %L, 'regress_sources.cohort', 'bsn')$$, :'digest'));
\pset format unaligned
\pset tuples_only on
SELECT state FROM mpc.studies WHERE study = 'disclosed';

-- a notice for relaxed rules, none for stricter ones
SELECT mpc.propose_study('disclosed', rules('{"max_dominance": 0.8, "min_level_count": 0, "model_budget": 1000}')) AS digest \gset
SELECT mpc.approve_study('disclosed', :'digest', 'regress_sources.cohort', 'bsn');
SELECT name, learns FROM mpc.explain_study('disclosed') WHERE name LIKE 'rule: %';
SELECT mpc.propose_study('disclosed', rules('{"min_matched": 150, "max_parameter_ratio": 0.05, "min_level_count": 20, "max_dominance": 0.3, "model_budget": 5, "min_cohort_change": 20, "min_lambda": 0.2}')) AS digest \gset
SELECT mpc.approve_study('disclosed', :'digest', 'regress_sources.cohort', 'bsn');
-- the table is empty, but the attempts below need the record that a source with records would have
INSERT INTO mpc_internal.kept_records SELECT max(id), '\x00', '{1, 1}' FROM mpc_internal.data_versions;

-- a refusal counts, another failure does not
SELECT mpc_internal.attempt_started('disclosed', repeat('a', 32), false);
SELECT mpc_internal.attempt_failed('disclosed', repeat('a', 32), 'MP003', 'party zorgttp cannot be reached', '', '', false);
SELECT count(*) FROM mpc.source_uses WHERE study = 'disclosed';
SELECT mpc_internal.attempt_started('disclosed', repeat('b', 32), false);
SELECT mpc_internal.attempt_step('disclosed', repeat('b', 32), '{"party": "regress", "step": 1, "name": "prepare", "records": 400, "bytes": 0, "seconds": 0, "data_status": "personal"}');
SELECT mpc_internal.attempt_failed('disclosed', repeat('b', 32), 'MP005', 'a disclosure rule of the agreed spec refused the study', '', '', false);
SELECT mpc_internal.attempt_failed('disclosed', repeat('b', 32), 'MP005', 'told twice', '', '', false);
SELECT version, outcome, models, records, relations FROM mpc.source_uses WHERE study = 'disclosed';
-- what is left at the default limits; for numbers it is unknown before a number of matches was announced
CREATE FUNCTION leaves() RETURNS text LANGUAGE sql AS $$
SELECT DISTINCT format('used %s, left %s, models left %s', numbers_used, coalesce(numbers_left::text, 'unknown'), models_left) FROM mpc.source_uses WHERE study = 'disclosed'
$$;
SELECT leaves();
BEGIN;
UPDATE mpc_internal.source_uses SET match_told = false;
SELECT leaves();
ROLLBACK;
SELECT mpc_internal.start_job('disclosed') -> 'source' -> 'numbers_before', mpc_internal.start_job('disclosed') -> 'source' -> 'numbers';

-- an attempt that ended after the match counts and is a cohort, because the number of matches was announced
SELECT mpc_internal.attempt_started('disclosed', repeat('d', 32), false);
SELECT mpc_internal.attempt_step('disclosed', repeat('d', 32), '{"party": "regress", "step": 1, "name": "prepare", "records": 430, "bytes": 0, "seconds": 0, "data_status": "personal"}');
SELECT mpc_internal.attempt_matched('disclosed', repeat('d', 32), 410);
SELECT mpc_internal.attempt_failed('disclosed', repeat('d', 32), '57014', 'the study was cancelled', '', '', true);
SELECT outcome, models, match_told, records FROM mpc.source_uses WHERE study = 'disclosed' ORDER BY used_at;
SELECT leaves();
SELECT mpc_internal.start_job('disclosed') -> 'source' -> 'numbers_before', mpc_internal.start_job('disclosed') -> 'source' -> 'numbers';

-- a released study is a cohort
SELECT mpc_internal.attempt_started('disclosed', repeat('c', 32), false);
SELECT mpc_internal.attempt_step('disclosed', repeat('c', 32), '{"party": "regress", "step": 1, "name": "prepare", "records": 401, "bytes": 0, "seconds": 0, "data_status": "personal"}');
SELECT mpc_internal.attempt_released('disclosed', repeat('c', 32), '{"matched": 380, "fits": [], "coefficients": []}');
SELECT outcome, models, records FROM mpc.source_uses WHERE study = 'disclosed' ORDER BY used_at;
-- with fewer than 1000 matches less is left, never less than 0; running studies count
SELECT leaves();
BEGIN;
UPDATE mpc_internal.studies SET n_matched = 90 WHERE study = 'disclosed' AND n_matched IS NOT NULL;
UPDATE mpc_internal.source_uses SET models = 97 WHERE outcome = 'released' AND study = 'disclosed';
SELECT leaves();
UPDATE mpc_internal.studies SET n_matched = 10 WHERE study = 'disclosed' AND n_matched IS NOT NULL;
INSERT INTO mpc_internal.source_uses (study, version, attempt, outcome, models, match_told, relations, names, counterpart, numbers)
SELECT 'disclosed', version, 'runs', 'running', 5, false, relations, names, counterpart, 7 FROM mpc_internal.source_uses WHERE outcome = 'released' AND study = 'disclosed';
SELECT leaves();
UPDATE mpc_internal.studies SET n_matched = 100000 WHERE study = 'disclosed' AND n_matched IS NOT NULL;
SELECT leaves();
ROLLBACK;
SELECT mpc.propose_study('disclosed', rules('{"model_budget": 3}')) AS digest \gset
SELECT mpc.approve_study('disclosed', :'digest', 'regress_sources.cohort', 'bsn');
\pset format aligned
\pset tuples_only off
SELECT * FROM fails($$SELECT mpc_internal.start_job('disclosed')$$);
\pset format unaligned
\pset tuples_only on
SELECT mpc.propose_study('disclosed', rules('{"model_budget": 4}')) AS digest \gset
SELECT mpc.approve_study('disclosed', :'digest', 'regress_sources.cohort', 'bsn');
SELECT mpc_internal.start_job('disclosed') -> 'source' -> 'numbers_before', mpc_internal.start_job('disclosed') -> 'source' -> 'numbers';

-- the same source: through views, under another name, created again; other tables are other sources
CREATE FUNCTION uses(source text) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM mpc_internal.uses_of(source::regclass) $$;
SELECT uses('regress_sources.cohort'), uses('regress_sources.through_view'), uses('regress_sources.stored'), uses('regress_sources.other');
ALTER TABLE regress_sources.cohort RENAME TO renamed;
SELECT uses('regress_sources.renamed'), uses('regress_sources.through_view');
CREATE TABLE regress_sources.cohort (bsn text);
SELECT uses('regress_sources.cohort'), uses('regress_sources.renamed');
CREATE TABLE regress_sources.whole (bsn text, age integer) PARTITION BY LIST (age);
CREATE TABLE regress_sources.part PARTITION OF regress_sources.whole DEFAULT;
SELECT mpc_internal.names_of(mpc_internal.relations_of('regress_sources.part'::regclass)), mpc_internal.names_of(mpc_internal.relations_of('regress_sources.stored'::regclass));

-- readers of the uses
CREATE ROLE regress_reads IN ROLE mpc_reader;
CREATE ROLE regress_manages IN ROLE mpc_admin;
SET ROLE regress_reads;
SELECT count(*) FROM mpc.source_uses WHERE study = 'disclosed';
RESET ROLE;
SELECT mpc.add_reader('disclosed', 'regress_reads');
SET ROLE regress_reads;
SELECT count(*), count(numbers), count(numbers_used), count(numbers_left), count(models_left) FROM mpc.source_uses WHERE study = 'disclosed';
SET ROLE regress_manages;
SELECT count(*) FROM mpc.source_uses;
RESET ROLE;
DROP ROLE regress_reads, regress_manages;
SELECT mpc.withdraw_approval('disclosed');
DROP SCHEMA regress_sources CASCADE;
DROP FUNCTION uses, rules, leaves;
