-- mpc.check_source: problems of a source before its approval.
\set SHOW_CONTEXT never
SELECT mpc.propose_study('checked', jsonb_set(test_spec(), '{identifier}', '{"normalise": ["trim", "upper"]}')) IS NOT NULL AS proposed;
\x on
SELECT column_name, rows, nulls, duplicates, minimum, maximum, mean, round(sd::numeric, 9) AS sd, problem
  FROM mpc.check_source('checked', 'patients', identifier => 'bsn');
\x off
-- many problems: repeated identifiers after normalisation, empty ones, NULLs, NaN, infinity, a constant
CREATE TABLE trouble (bsn text, age float8, smoker boolean);
INSERT INTO trouble VALUES ('a1', 1, true), (' A1 ', 2, true), ('a1', 3, true), ('b', 'NaN', true), ('c', 'infinity', true),
  ('d', NULL, true), (NULL, 5, true), ('  ', 6, true), ('e', 7, NULL);
SELECT column_name, rows, nulls, duplicates, minimum, maximum, mean, problem FROM mpc.check_source('checked', 'trouble', 'bsn');
INSERT INTO trouble VALUES ('e', NULL, NULL);
SELECT duplicates, problem FROM mpc.check_source('checked', 'trouble', 'bsn') WHERE column_name = 'bsn';
-- the appearance of identifiers, values that a form refuses, and numbers and dates as text; rare shapes are not shown
CREATE TABLE looks AS SELECT '0' || (100 + i)::text AS bsn, i AS age, i % 2 = 0 AS smoker, (100 + i)::numeric(12, 2) AS scaled, date '1950-01-01' + i AS born,
  CASE WHEN i > 195 THEN 'n.v.t.' WHEN i > 190 THEN '' ELSE ' ' || (100 + i)::text END AS written FROM generate_series(1, 200) AS i;
SELECT column_name, nulls, duplicates, problem, type, refused, seen FROM mpc.check_source('checked', 'looks', 'bsn') WHERE seen IS NOT NULL;
SELECT problem, type, refused, seen FROM mpc.check_source('checked', 'looks', 'scaled') WHERE seen IS NOT NULL;
SET DateStyle = 'German';
SELECT problem, type, seen FROM mpc.check_source('checked', 'looks', 'born') WHERE seen IS NOT NULL;
RESET DateStyle;
SELECT problem, refused, seen FROM mpc.check_source('checked', 'looks', 'written') WHERE seen IS NOT NULL;
SELECT mpc.propose_study('formed', jsonb_set(test_spec(), '{identifier}', '{"parts": [{"form": "number", "width": 6}, "date"], "examples": [["0101", "01-02-1950"]]}')) IS NOT NULL AS proposed;
SELECT spec -> 'identifier' FROM mpc.studies WHERE study = 'formed';
SELECT column_name, nulls, duplicates, problem, type, refused, seen FROM mpc.check_source('formed', 'looks', 'written, born') WHERE seen IS NOT NULL;
BEGIN;  -- whatever other tests used
UPDATE mpc_internal.source_uses SET counterpart = NULL, data_version = NULL;
SELECT mpc.approve_study('formed', digest, 'looks', 'written, born') FROM mpc.studies WHERE study = 'formed';
SELECT source_records FROM mpc_internal.approvals WHERE study = 'formed';
ROLLBACK;
-- columns that are absent or of another type are rows, not errors
CREATE VIEW other_columns AS SELECT bsn, 'x'::text AS age FROM patients;
SELECT column_name, rows, nulls, duplicates, problem FROM mpc.check_source('checked', 'other_columns', 'bsn');
CREATE TABLE no_rows (bsn text, age integer, smoker boolean);
SELECT column_name, rows, nulls, duplicates, minimum, problem FROM mpc.check_source('checked', 'no_rows', 'bsn');
-- values that the encoding of a run cannot represent
CREATE FUNCTION check_age(expression text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE VIEW scaled AS SELECT bsn, (%s)::float8 AS age, smoker FROM patients', expression);
  RETURN (SELECT problem FROM mpc.check_source('checked', 'scaled', 'bsn') WHERE column_name = 'age');
END
$$;
SELECT expression, check_age(expression) FROM unnest(ARRAY['age', 'age * 1e70', 'age * 1e90', 'age * 1e200', 'age * 1e-70', 'age * 1e-90',
                                                           'age + 50000', 'age + 100000']) AS expression;
-- two values other than 0 and 1: the lower one and their distance must be encodable
SELECT expression, check_age(expression) FROM unnest(ARRAY['(age % 2) * 1e15', '(age = 50)::integer * 1e15', '1 + age % 2', '-2 * (age % 2)',
  '900 + age % 2', '2000 + age % 2', '1e80 * (age % 2)', '1e-80 * (age % 2)', '1e-70 * (age % 2)']) AS expression;
SELECT mpc.propose_study('checked', jsonb_set(test_spec(), '{scale_exponents}', '{"regress": {"age": 2}}')) IS NOT NULL AS proposed;
SELECT expression, check_age(expression) FROM unnest(ARRAY['age', 'age * 3', 'age * 10', 'age / 1e6']) AS expression;
SELECT expression, check_age(expression) FROM unnest(ARRAY['1 + 4 * (age % 2)', '1 + age % 2', '256 * (age % 2)', '257 * (age % 2)', '(age = 50)::integer * 256',
  '5000 + 8 * (age % 2)']) AS expression;
-- the approval gives a notice for exactly these problems; an outcome of 0 and 1 of any type; a name with format characters
CREATE TABLE outcomes AS SELECT i::text AS bsn, nullif(i, 7) AS age, i <= 3 AS rare, 5.5 AS same, (i % 3 = 0)::integer AS ill FROM generate_series(1, 200) AS i;
SELECT mpc.propose_study('notices', '{"controllers": {"regress": {"attributes": ["age", "rare", "same"], "outcome": "ill"}, "zilveren_kruis": {"attributes": ["x"]}},
  "third_party": "zorgttp", "analysis": {"kind": "ridge", "lambda": 0.1}}') AS digest \gset
SELECT column_name, nulls, problem FROM mpc.check_source('notices', 'outcomes', 'bsn');
BEGIN;
UPDATE mpc_internal.source_uses SET counterpart = NULL, data_version = NULL;
SELECT mpc.approve_study('notices', :'digest', 'outcomes', 'bsn');
ALTER TABLE outcomes ALTER ill TYPE boolean USING ill = 1;
SELECT problem FROM mpc.check_source('notices', 'outcomes', 'bsn') WHERE column_name = 'ill';
ROLLBACK;
\pset format unaligned
\pset tuples_only on
SELECT fails($$SELECT * FROM mpc.check_source('checked', 'patients', 'number')$$);
SELECT fails($$SELECT * FROM mpc.check_source('checked', 'patients', NULL)$$);
SELECT fails($$SELECT * FROM mpc.check_source('checked', 'no_such_table', 'bsn')$$);
-- two different numbers of 16 digits are two persons, also as float8
CREATE TABLE floats AS SELECT 1234567890123456::float8 + i AS id FROM generate_series(0, 1) AS i;
SELECT profile -> 'identifier' ->> 'duplicates', profile -> 'identifier' -> 'parts' -> 0 ->> 'refused' FROM mpc.studies,
  LATERAL (SELECT mpc_internal.source_profile(jsonb_set(spec::jsonb, '{identifier}', '{"parts": ["number"]}')::text, mpc_internal.own_party(), 'floats'::regclass, '{id}', '{}')::jsonb) AS p (profile)
 WHERE study = 'formed';
-- members of mpc_study may call its internal function: columns beyond the forms of the spec read nothing else
SELECT fails(format('SELECT mpc_internal.source_profile(%L, %L, ''looks''::regclass, %L, ''{}'')', spec::text, mpc_internal.own_party(), names))
  FROM mpc.studies, unnest(ARRAY['{written}', '{written, born, written}', '{}']) AS names WHERE study = 'formed';
-- nothing was sent and nothing was stored
SELECT count(*) FROM mpc.approvals WHERE study = 'checked';
