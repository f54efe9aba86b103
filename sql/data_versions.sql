-- The data that this node brings to a counterpart: data versions, the rule over all columns ever used (union rule), persons of
-- earlier studies. The data of others: commitments, and approvals that they void.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
-- No data was used with the counterpart before.
UPDATE mpc_internal.source_uses SET data_version = NULL, counterpart = NULL;
DELETE FROM mpc_internal.heard_data;
CREATE FUNCTION own_spec(columns text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('controllers', jsonb_build_object('regress', jsonb_build_object('attributes', string_to_array(columns, ' ')),
         'zilveren_kruis', '{"attributes": ["claims"], "outcome": "hospital_days"}'::jsonb),
         'third_party', 'zorgttp', 'analysis', '{"lambda": 0.1}'::jsonb) || more
$$;
-- propose and approve here: the error, or the data number and the columns with two values
CREATE FUNCTION brings(name text, columns text, source text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM mpc.approve_study(name, mpc.propose_study(name, own_spec(columns, more)), source::regclass, 'id');
  RETURN (SELECT format('version %s, two values: %s', data_number, two_valued) FROM mpc.approvals
           WHERE study = name AND party = 'regress' ORDER BY version DESC LIMIT 1);
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
-- an attempt that reached the match
CREATE FUNCTION runs(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  attempt text := (SELECT left(encode(sha256(concat(study, version)::bytea), 'hex'), 32) FROM mpc.studies WHERE study = name);
BEGIN
  PERFORM mpc_internal.start_job(name);
  PERFORM mpc_internal.attempt_started(name, attempt, false);
  PERFORM mpc_internal.attempt_matched(name, attempt, 280);
  PERFORM mpc_internal.attempt_released(name, attempt, '{"matched": 280, "fits": [], "coefficients": []}');
  RETURN (SELECT format('numbers %s', numbers) FROM mpc.source_uses WHERE study = name ORDER BY used_at DESC LIMIT 1);
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT setseed(0.5);
CREATE TABLE clinic AS SELECT 'p' || i AS id, random() * 10 AS a, random() + random() AS b, random() AS c, CASE WHEN i % 3 = 0 THEN 2 ELSE 1 END AS sex, NULL::float8 AS d
  FROM generate_series(1, 300) AS i;
UPDATE clinic SET d = random() WHERE id <> ALL ('{p1,p2,p3,p4,p5,p6,p7,p8,p9,p10,p11,p12,p13,p14,p15,p16,p17,p18,p19,p20}');

-- the same data again, some of its columns, the same contents from a view or a copy: one version; columns with two values
-- are found whatever their type
SELECT brings('first', 'a b sex', 'clinic'), runs('first');
SELECT brings('again', 'a b sex', 'clinic'), brings('fewer', 'b a', 'clinic');
CREATE VIEW clinic_view AS SELECT * FROM clinic ORDER BY b;
CREATE TABLE clinic_copy AS SELECT id, a::numeric AS a, b FROM clinic;
SELECT brings('seen', 'a sex', 'clinic_view'), brings('copied', 'b', 'clinic_copy');
SELECT count(*) FROM mpc_internal.data_versions WHERE counterpart = 'zilveren_kruis' AND study IN ('first', 'again', 'fewer', 'seen', 'copied');
SELECT DISTINCT length(commitment), count(*) OVER () FROM (SELECT DISTINCT commitment FROM mpc.approvals WHERE party = 'regress' AND study IN ('first', 'fewer', 'seen')) AS c;
-- an unused approval leaves no version
SELECT brings('tried', 'a c', 'clinic'), brings('tried', 'c', 'clinic');
SELECT count(*), max(array_to_string(columns, ' ')) FROM mpc_internal.data_versions WHERE study = 'tried';
SELECT count(*) = 300 FROM mpc_internal.kept_records WHERE data_version IN (SELECT id FROM mpc_internal.data_versions WHERE study = 'tried');

-- one changed value, a small shift, a copy of a column that differs at one person: two studies would reveal that person
CREATE TABLE changed AS SELECT id, a + CASE WHEN id = 'p7' THEN 4 ELSE 0 END AS a, b FROM clinic;
SELECT brings('changed', 'a', 'changed');
CREATE TABLE shifted AS SELECT id, b + CASE WHEN right(id, 1) < '5' THEN 0.05 ELSE 0 END AS b2 FROM clinic;
SELECT brings('shifted', 'b2', 'shifted');
CREATE TABLE flags AS SELECT id, (substr(id, 2)::integer <= 20)::integer AS twenty, (substr(id, 2)::integer BETWEEN 2 AND 20)::integer AS nineteen FROM clinic;
SELECT brings('flag', 'twenty', 'flags'), runs('flag'), brings('other_flag', 'nineteen', 'flags');
-- one record dominates a column
CREATE TABLE single AS SELECT id, CASE WHEN id = 'p9' THEN 1000.0 ELSE c END AS c2 FROM clinic;
SELECT brings('single', 'c2', 'single');
SELECT brings('relaxed', 'c2', 'single', '{"disclosure": {"max_leverage": 1}}');
-- more columns than a tenth of the records
CREATE TABLE wide AS SELECT 'w' || i AS id, random() AS x1, random() AS x2, random() AS x3, random() AS x4, random() AS x5, random() AS x6, random() AS x7, random() AS x8, random() AS x9, random() AS x10, random() AS x11
  FROM generate_series(1, 105) AS i;
UPDATE mpc_internal.source_uses SET counterpart = 'put_away' WHERE counterpart = 'zilveren_kruis';
SELECT brings('wide', 'x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11', 'wide', '{"disclosure": {"max_parameter_ratio": 1}}');
-- one record dominates a column, and an incomplete one of the same person hides it: one person, one record
CREATE TABLE hidden AS SELECT id, NULL::float8 AS c3 FROM single WHERE id = 'p9' UNION ALL SELECT id, 2 * c2 FROM single;
SELECT brings('hidden', 'c3', 'hidden');
UPDATE mpc_internal.source_uses SET counterpart = 'zilveren_kruis' WHERE counterpart = 'put_away';

-- persons: a source with more records has the same columns; a few more are too few
CREATE TABLE grown AS SELECT id, a, b, sex FROM clinic UNION ALL SELECT 'q' || i, random() * 10, random() + random(), 1 FROM generate_series(1, 40) AS i;
SELECT brings('grown', 'a b sex', 'grown');
SELECT brings('few', 'a b sex', 'clinic_view', '{}') FROM (SELECT 1) AS x;
DELETE FROM grown WHERE id LIKE 'q%' AND id NOT IN ('q1', 'q2', 'q3', 'q4', 'q5');
SELECT brings('few', 'a b sex', 'grown');
-- replaced persons are detected although their number is the same
CREATE TABLE exchanged AS SELECT CASE id WHEN 'p5' THEN 'x1' WHEN 'p6' THEN 'x2' ELSE id END AS id, a, b, sex FROM clinic;
SELECT brings('exchanged', 'a b sex', 'exchanged');
-- a column with missing values has other persons: a difference of 20 of 300 is enough, 5 would not be
SELECT brings('missing', 'a d', 'clinic');
UPDATE clinic SET d = random() WHERE substr(id, 2)::integer <= 15;
SELECT brings('missing', 'a d', 'clinic');
UPDATE clinic SET d = random();

-- another identifier: cohorts and the union rule could not compare persons
SELECT brings('renamed', 'a b sex', 'clinic', '{"identifier": {"normalise": ["upper"]}, "disclosure": {"versions": 9}}');
SELECT brings('renamed', 'a b sex', 'clinic', '{"identifier": {"normalise": ["upper"]}, "disclosure": {"versions": 9, "min_cohort_change": 0, "max_leverage": 1}}');

-- the limit of versions
SELECT brings('third', 'c', 'clinic'), runs('third');
SELECT brings('fourth', 'd', 'clinic'), brings('fourth', 'd', 'clinic', '{"disclosure": {"versions": 4}}');
SELECT brings('still', 'a b sex', 'clinic');
-- a person whose columns are in two records is missing from the study, with the same commitments: known data are checked too
CREATE VIEW apart AS SELECT id, a, b, sex FROM clinic WHERE id <> 'p7' UNION ALL SELECT id, a, NULL, NULL FROM clinic WHERE id = 'p7'
  UNION ALL SELECT id, NULL, b, sex FROM clinic WHERE id = 'p7';
SELECT brings('apart', 'a b sex', 'apart');
DROP VIEW apart;

-- numbers: the first model of an outcome of each party is free, others count, exact ones four times
SELECT mpc_internal.charged_numbers(mpc_internal.parse_spec(s.spec::text)::jsonb, 'zilveren_kruis', 'x') FROM (VALUES
  (own_spec('a b')), (own_spec('a b') || '{"release": {"precision": "exact"}}'),
  (jsonb_set(own_spec('a b'), '{controllers,zilveren_kruis,outcome}', '"other_days"')),
  (own_spec('a b') || '{"controllers": {"regress": {"attributes": ["a"], "outcome": "b"}, "zilveren_kruis": {"attributes": ["claims"]}}}')) AS s (spec);
SELECT mpc_internal.numbers_before('zilveren_kruis', 'none');
SELECT brings('several', 'a b', 'clinic', '{"analysis": {"lambda": [0.1, 0.2, 0.3]}}'), runs('several');
SELECT mpc_internal.numbers_before('zilveren_kruis', 'none');
-- also those of an earlier version of the same study
SELECT mpc_internal.charged_numbers(mpc_internal.parse_spec(own_spec('a b')::text)::jsonb, 'zilveren_kruis', 'several');

-- other columns used since an approval are checked again
SELECT brings('sooner', 'b', 'clinic'), brings('later', 'd', 'clinic', '{"disclosure": {"versions": 9}}'), runs('later');
SELECT runs('sooner');
SELECT brings('sooner', 'b', 'clinic', '{"disclosure": {"versions": 9}}'), runs('sooner');

-- the kept records may be deleted; then no study can run before they are read again
SELECT mpc.forget_records('zilveren_kruis') > 1000;
SELECT (SELECT count(*) FROM mpc_internal.kept_records AS k JOIN mpc_internal.data_versions AS d ON d.id = k.data_version WHERE d.counterpart = 'zilveren_kruis');
SELECT brings('after', 'a', 'clinic', '{"disclosure": {"versions": 9}}');
SELECT fails($$SELECT mpc_internal.require_kept('zilveren_kruis', 0)$$);
SELECT event, detail ? 'records' FROM mpc.ledger WHERE event = 'records_forgotten';

-- data of others: shown, counted, and approved
SELECT mpc.propose_study('theirs', own_spec('a', '{"disclosure": {"versions": 2}}')) AS digest \gset
SELECT peer_says('zilveren_kruis', 'approve', 'theirs'), peer_says('zorgttp', 'approve', 'theirs');
SELECT party, decision, data_number, two_valued, commitment IS NOT NULL FROM mpc.approvals WHERE study = 'theirs' ORDER BY party;
UPDATE mpc_internal.data_versions SET counterpart = 'put_away' WHERE counterpart = 'zilveren_kruis';
UPDATE mpc_internal.source_uses SET counterpart = 'put_away' WHERE counterpart = 'zilveren_kruis';
SELECT mpc.approve_study('theirs', :'digest', 'clinic', 'id');
-- the same data again changes nothing, other contents void the approval of this node
SELECT peer_says('zilveren_kruis', 'approve', 'theirs'), state_of('theirs');
SELECT peer_says('zilveren_kruis', 'approve', 'theirs', 'b'), state_of('theirs');
SELECT party, decision, reason FROM mpc.approvals WHERE study = 'theirs' ORDER BY party;
SELECT party, message ->> 'type', message ->> 'reason' FROM mpc_internal.outbox WHERE message ->> 'study' = 'theirs' AND message ->> 'type' = 'void' ORDER BY party;
SELECT fails($$SELECT mpc_internal.start_job('theirs')$$);
SELECT mpc.approve_study('theirs', :'digest', 'clinic', 'id');
-- an approval that a peer has voided is void here too
SELECT peer_says('zorgttp', 'void', 'theirs'), state_of('theirs');
SELECT peer_says('zorgttp', 'approve', 'theirs'), state_of('theirs');
SELECT runs('theirs');
SELECT party, number, columns, passed FROM mpc_internal.heard_data;
-- known data, or some of their columns, are not a new version; other data are, and are shown before the approval
SELECT mpc.propose_study('theirs', own_spec('b', '{"disclosure": {"versions": 2}}')) AS digest \gset
SELECT mpc.approve_study('theirs', :'digest', 'clinic', 'id');
SELECT peer_says('zilveren_kruis', 'approve', 'theirs', 'b'), state_of('theirs');
SELECT data_number FROM mpc.approvals WHERE study = 'theirs' AND version = 2 AND party = 'zilveren_kruis';
SELECT mpc.propose_study('theirs', own_spec('c', '{"disclosure": {"versions": 2}}')) AS digest \gset
SELECT mpc.approve_study('theirs', :'digest', 'clinic', 'id');
SELECT peer_says('zilveren_kruis', 'approve', 'theirs', 'c'), state_of('theirs');
SELECT party, decision, reason, data_number FROM mpc.approvals WHERE study = 'theirs' AND version = 3 ORDER BY party;
SELECT mpc.approve_study('theirs', :'digest', 'clinic', 'id');
SELECT peer_says('zorgttp', 'approve', 'theirs'), runs('theirs');
SELECT mpc.propose_study('theirs', own_spec('a b', '{"disclosure": {"versions": 2}}')) IS NOT NULL;
SELECT fails($$SELECT peer_says('zilveren_kruis', 'approve', 'theirs', 'd')$$);
-- Columns that the rules have not passed together do not become known one by one: one part may follow a refusal.
CREATE FUNCTION heard(columns text) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(mpc_internal.heard_number('peer', 'other', string_to_array(c, ' '), ARRAY(SELECT sha256(n::bytea) FROM unnest(string_to_array(c, ' ')) AS n))::text, ' ' ORDER BY i)
  FROM unnest(string_to_array($1, ',')) WITH ORDINALITY AS e (c, i)
$$;
CREATE FUNCTION hears(number integer, columns text, passed boolean) RETURNS void LANGUAGE sql AS $$
INSERT INTO mpc_internal.heard_data (party, counterpart, number, columns, commitments, study, passed)
SELECT 'peer', 'other', $1, string_to_array($2, ' '), ARRAY(SELECT sha256(n::bytea) FROM unnest(string_to_array($2, ' ')) AS n), 'x', $3
$$;
SELECT heard('x y z'), hears(1, 'x y z', false), heard('x y z,x y,x,z,v');
SELECT hears(1, 'x y', false), heard('x y z,x y,x,z,v');
SELECT hears(1, 'x', true), heard('x y z,x y,x,z,v');
UPDATE mpc_internal.heard_data SET passed = true WHERE party = 'peer' AND array_length(columns, 1) = 3;
SELECT heard('x y z,x y,x,z,v');
DELETE FROM mpc_internal.heard_data WHERE party = 'peer';
-- malformed data
SELECT fails(format($$SELECT mpc_internal.control('zilveren_kruis', %L)$$, jsonb_build_object('type', 'approve', 'study', study, 'version', version, 'digest', digest, 'data', d.data)))
  FROM mpc.studies, unnest(ARRAY['[]', '5', '{"columns": "x"}', '{"columns": ["x"], "commitments": [], "two_valued": [], "commitment": "00"}',
    '{"columns": ["X y"], "commitments": ["00"], "two_valued": [], "commitment": "00"}', 'null']::jsonb[]) AS d (data) WHERE study = 'theirs';

-- the data of a peer are counted again at the start: studies that ran since, or are running, come first
DELETE FROM mpc_internal.heard_data;
SELECT brings('queue_' || c, 'a', 'clinic', '{"disclosure": {"versions": 9}}') FROM unnest('{a,b,c}'::text[]) AS c;
SELECT peer_says('zorgttp', 'approve', 'queue_' || c), peer_says('zilveren_kruis', 'approve', 'queue_' || c, c) FROM unnest('{a,b,c}'::text[]) AS c;
SELECT study, data_number FROM mpc.approvals WHERE study LIKE 'queue%' AND party = 'zilveren_kruis' ORDER BY study;
SELECT mpc_internal.start_job('queue_a') IS NOT NULL, mpc_internal.attempt_started('queue_a', md5('queue_a'), false);
SELECT fails($$SELECT mpc_internal.start_job('queue_b')$$);
-- a running study keeps the data of its start: new data are processed at its end
SELECT fails($$SELECT peer_says('zilveren_kruis', 'approve', 'queue_a', 'other')$$);
SELECT peer_says('zilveren_kruis', 'approve', 'queue_a', 'a');
SELECT fails($$SELECT mpc.approve_study('queue_a', digest, 'clinic', 'id') FROM mpc.studies WHERE study = 'queue_a'$$);
SELECT mpc_internal.require_unchanged(s) FROM mpc_internal.current_studies AS s WHERE s.study = 'queue_b';
SELECT fails($$SELECT mpc_internal.require_unchanged(s) FROM mpc_internal.current_studies AS s WHERE s.study = 'queue_a'$$);
SELECT mpc_internal.attempt_matched('queue_a', md5('queue_a'), 280), mpc_internal.attempt_released('queue_a', md5('queue_a'), '{"matched": 280, "fits": [], "coefficients": []}');
SELECT fails($$SELECT mpc_internal.start_job('queue_b')$$);
SELECT mpc.approve_study('queue_b', digest, 'clinic', 'id') FROM mpc.studies WHERE study = 'queue_b';
SELECT runs('queue_b');
SELECT fails($$SELECT mpc_internal.start_job('queue_c')$$);
-- an approval that arrived before the spec, or without a commitment
SELECT mpc.propose_study('early', own_spec('a', '{"disclosure": {"versions": 9}}')) AS digest \gset
SELECT mpc.approve_study('early', :'digest', 'clinic', 'id'), peer_says('zorgttp', 'approve', 'early'), peer_says('zilveren_kruis', 'approve', 'early', 'a');
SELECT mpc_internal.start_job('early') IS NOT NULL;
UPDATE mpc_internal.approvals SET columns = '{claims}' WHERE study = 'early' AND party = 'zilveren_kruis';
SELECT fails($$SELECT mpc_internal.start_job('early')$$);
UPDATE mpc_internal.approvals SET commitment = NULL WHERE study = 'early' AND party = 'zilveren_kruis';
SELECT fails($$SELECT mpc_internal.start_job('early')$$);
-- columns kept, left out, changed
SELECT mpc_internal.dropped_columns('zilveren_kruis', 'regress', now(), h.columns, h.commitments), mpc_internal.dropped_columns('zilveren_kruis', 'regress', now(), h.columns[2:2], h.commitments[2:2]),
       mpc_internal.dropped_columns('zilveren_kruis', 'regress', now() - interval '1 day', h.columns[2:2], h.commitments[2:2])
  FROM (SELECT array_agg(c.name) AS columns, array_agg(c.commitment) AS commitments FROM mpc_internal.heard_data AS d, unnest(d.columns, d.commitments) AS c (name, commitment)) AS h;

-- records of rejected, withdrawn, replaced and expired studies are deleted; used records are kept
CREATE VIEW kept AS SELECT d.study, d.columns, count(r.person) FROM mpc_internal.data_versions AS d LEFT JOIN mpc_internal.kept_records AS r ON r.data_version = d.id
  WHERE d.study LIKE 'kept%' GROUP BY d.id;
SELECT brings('kept_' || c, 'c d', 'clinic', '{"disclosure": {"versions": 9}}') FROM unnest('{1}'::text[]) AS c;
SELECT brings('kept_too', 'd c', 'clinic', '{"disclosure": {"versions": 9}}');
SELECT * FROM kept;
SELECT mpc.reject_study('kept_1', 'no');
-- another study that may run names the same data
SELECT * FROM kept;
SELECT mpc.withdraw_approval('kept_too');
SELECT * FROM kept;
SELECT brings('kept_2', 'c d', 'clinic', '{"disclosure": {"versions": 9}}');
SELECT mpc.propose_study('kept_2', own_spec('c d', '{"disclosure": {"versions": 8}}')) IS NOT NULL;
SELECT * FROM kept;
SELECT brings('kept_3', 'c d', 'clinic', '{"disclosure": {"versions": 9}}');
UPDATE mpc_internal.approvals SET expires_at = now() - interval '1 s' WHERE study = 'kept_3';
SELECT mpc_internal.drop_unused_records();
SELECT * FROM kept;
SELECT count(*) > 0 FROM mpc_internal.data_versions AS d JOIN mpc_internal.source_uses AS u ON u.data_version = d.id WHERE mpc_internal.is_kept(d.id);

-- persons hashed under another source key (a restore without its file) cannot be compared and count as forgotten until the
-- same columns are read again
UPDATE mpc_internal.data_versions SET key_id = sha256('other') WHERE counterpart = 'zilveren_kruis';
SELECT fails($$SELECT mpc_internal.require_kept('zilveren_kruis', 0)$$);
CREATE VIEW clinic_other AS SELECT id, a + 1 AS a FROM clinic;
CREATE TABLE before AS SELECT d.id, d.columns, d.commitments FROM mpc_internal.data_versions AS d JOIN mpc_internal.source_uses AS u ON u.data_version = d.id WHERE u.study = 'queue_a';
SELECT brings('restored', 'a', 'clinic', '{"disclosure": {"versions": 9}}');
SELECT fails($$SELECT mpc.keep_records('kept_3', 'clinic', 'id')$$);
SELECT mpc.keep_records('queue_a', 'clinic', 'id'), mpc.keep_records('theirs', 'clinic', 'id');
SELECT fails($$SELECT mpc.keep_records('queue_a', 'clinic', 'id')$$);
SELECT b.id = d.id, mpc_internal.is_kept(b.id), mpc_internal.key_mark() = d.key_id FROM before AS b, mpc_internal.data_versions AS d WHERE d.id = b.id;
SELECT brings('restored', 'a', 'clinic', '{"disclosure": {"versions": 9}}');
-- under the same key the contents are compared
SELECT mpc.forget_records('zilveren_kruis') > 100;
SELECT fails($$SELECT mpc.keep_records('queue_a', 'clinic_other', 'id')$$) FROM (SELECT 1) AS x;
SELECT mpc.keep_records('queue_a', 'clinic', 'id');
SELECT event, party, detail - 'version' - 'by' FROM mpc.ledger WHERE event = 'records_kept' ORDER BY id;
-- two versions of a study on the same columns: under another key each of them gets its own data again
BEGIN;
INSERT INTO mpc_internal.data_versions (counterpart, study, version, columns, commitments, key_id)
SELECT 'elsewhere', 'twice', v, '{a}', ARRAY[sha256(v::text::bytea)], sha256('other') FROM generate_series(1, 2) AS v;
INSERT INTO mpc_internal.source_uses (study, version, attempt, outcome, models, match_told, records, relations, names, counterpart, data_version)
SELECT study, version, version, 'released', 1, true, 1, '{}', '{}', counterpart, id FROM mpc_internal.data_versions WHERE study = 'twice';
SELECT (SELECT d.version FROM mpc_internal.data_versions AS d WHERE d.id = -f.id)
  FROM (SELECT mpc_internal.data_version_of('elsewhere', 'twice', 2, '{a}', ARRAY[sha256('new')]) AS id) AS f;
ROLLBACK;
DROP TABLE before;
DROP VIEW kept, clinic_other;

UPDATE mpc_internal.data_versions SET counterpart = 'zilveren_kruis' WHERE counterpart = 'put_away';
UPDATE mpc_internal.source_uses SET counterpart = NULL, data_version = NULL;
DELETE FROM mpc_internal.heard_data;
DROP TABLE clinic_copy, changed, shifted, flags, single, hidden, wide, grown, exchanged;
DROP VIEW clinic_view;
DROP TABLE clinic;
