-- The context of errors shows code of the caller and of a source, but not SQL of the extension.
SELECT mpc.propose_study('context', test_spec()) AS digest \gset
SELECT set_config('test.digest', :'digest', false) = :'digest' AS digest_set;
SELECT mpc.reject_study('no_such_study');
SELECT mpc.approve_study('context', :'digest', 'patients', 'no_such_column');
-- a function in a view that depends on the search path of its owner
CREATE TABLE factors AS SELECT 2 AS factor;
CREATE FUNCTION scaled(integer) RETURNS integer STABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 * (SELECT factor FROM factors); END';
CREATE VIEW scaled_patients AS SELECT bsn, scaled(age) AS age, smoker FROM patients;
SELECT mpc.approve_study('context', :'digest', 'scaled_patients', 'bsn');
SELECT * FROM mpc.check_source('context', 'scaled_patients', 'bsn');
CREATE OR REPLACE FUNCTION scaled(integer) RETURNS integer STABLE LANGUAGE plpgsql AS 'BEGIN RETURN no_such_function($1); END';
SELECT mpc.approve_study('context', :'digest', 'scaled_patients', 'bsn');
CREATE OR REPLACE FUNCTION scaled(integer) RETURNS integer STABLE LANGUAGE plpgsql SET search_path = public, pg_temp
  AS 'BEGIN RETURN $1 * (SELECT factor FROM factors); END';
SELECT count(*) > 0 AS checked FROM mpc.check_source('context', 'scaled_patients', 'bsn');
-- lines of the code of the caller are kept, also when the error is caught in between
CREATE FUNCTION approve_it() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN mpc.approve_study('context', current_setting('test.digest'), 'patients', 'no_such_column');
END
$$;
SELECT approve_it();
DO $$
DECLARE
  context text;
BEGIN
  PERFORM approve_it();
EXCEPTION WHEN undefined_column THEN
  GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
  RAISE NOTICE '%', context;
END
$$;
DROP FUNCTION approve_it;
DROP VIEW scaled_patients;
DROP FUNCTION scaled;
DROP TABLE factors;
