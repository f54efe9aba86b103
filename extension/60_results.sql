-- What: released models: coefficients, measures of fit, prediction.
-- Terms: model = the coefficients of one lambda; a study with several lambdas releases several models at once.
-- Invariants: rows come from mpc_internal.store_result only, once per version; they outlive the studies they came from
--             in dumps, so nothing here refers to other tables.

-- tables

CREATE TABLE mpc_internal.fits (
  study text NOT NULL,
  version integer NOT NULL,
  lambda float8 NOT NULL,
  n bigint NOT NULL,
  parameters integer NOT NULL,
  nonzero integer NOT NULL,
  iterations integer NOT NULL,
  converged boolean NOT NULL,
  r_squared float8,
  adjusted_r_squared float8,
  rounds bigint,
  bytes_sent bigint,
  released_at timestamptz NOT NULL DEFAULT now(),
  r_squared_grid float8,
  CONSTRAINT fits_pkey PRIMARY KEY (study, version, lambda)
);
COMMENT ON TABLE mpc_internal.fits IS 'one row per released model';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.fits', '');

CREATE TABLE mpc_internal.coefficients (
  study text NOT NULL,
  version integer NOT NULL,
  lambda float8 NOT NULL,
  place integer NOT NULL,
  attribute text NOT NULL,
  party text,
  coefficient float8 NOT NULL,
  selected boolean NOT NULL,
  grid float8,
  CONSTRAINT coefficients_pkey PRIMARY KEY (study, version, lambda, place)
);
COMMENT ON TABLE mpc_internal.coefficients IS
'coefficients in original units; the intercept is attribute "(intercept)" without a party';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.coefficients', '');

CREATE TABLE mpc_internal.traffic (
  study text NOT NULL,
  version integer NOT NULL,
  place integer NOT NULL,
  phase text NOT NULL,
  rounds bigint NOT NULL,
  elements bigint NOT NULL,
  bytes_sent bigint NOT NULL,
  CONSTRAINT traffic_pkey PRIMARY KEY (study, version, place)
);
COMMENT ON TABLE mpc_internal.traffic IS 'what the engine of this node sent in steps 7 and 8, by phase';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.traffic', '');

-- private functions

CREATE FUNCTION mpc_internal.store_result(study text, version integer, result jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO mpc_internal.fits (study, version, lambda, n, parameters, nonzero, iterations, converged, r_squared,
                                 adjusted_r_squared, rounds, bytes_sent, r_squared_grid)
  SELECT $1, $2, f.lambda, f.n, f.parameters, f.nonzero, f.iterations, f.converged, f.r_squared,
         f.adjusted_r_squared, f.rounds, f.bytes_sent, f.r_squared_grid
    FROM jsonb_to_recordset(coalesce($3 -> 'fits', '[]')) AS f (
           lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
           r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, r_squared_grid float8);
  INSERT INTO mpc_internal.coefficients (study, version, lambda, place, attribute, party, coefficient, selected, grid)
  SELECT $1, $2, c.lambda, row_number() OVER (PARTITION BY c.lambda ORDER BY c.ordinality), c.attribute,
         nullif(c.party, ''), c.coefficient, c.selected, c.grid
    FROM ROWS FROM (jsonb_to_recordset(coalesce($3 -> 'coefficients', '[]')) AS (
           lambda float8, attribute text, party text, coefficient float8, selected boolean, grid float8)) WITH ORDINALITY AS c;
  INSERT INTO mpc_internal.traffic (study, version, place, phase, rounds, elements, bytes_sent)
  SELECT $1, $2, t.ordinality, t.phase, t.rounds, t.elements, t.bytes_sent
    FROM ROWS FROM (jsonb_to_recordset(coalesce($3 -> 'traffic', '[]')) AS (
           phase text, rounds bigint, elements bigint, bytes_sent bigint)) WITH ORDINALITY AS t
$$;
COMMENT ON FUNCTION mpc_internal.store_result(text, integer, jsonb) IS 'stores what the engine of this node got released';

CREATE FUNCTION mpc_internal.released_version(caller oid, study text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number integer;
  held mpc_internal.study_versions%ROWTYPE;
BEGIN
  PERFORM mpc_internal.require_reader(caller, study);
  SELECT max(f.version) INTO number FROM (SELECT DISTINCT r.version FROM mpc_internal.fits AS r WHERE r.study = released_version.study) AS f
   WHERE mpc_internal.reads(caller, study, f.version);
  IF number IS NOT NULL THEN
    RETURN number;
  END IF;
  IF EXISTS (SELECT FROM mpc_internal.fits AS f WHERE f.study = released_version.study) THEN
    RAISE EXCEPTION USING ERRCODE = '42501',
      MESSAGE = format('role %s may not read the released version of study "%s"', mpc_internal.role_text(caller), study),
      DETAIL = format('Of its versions it may read %s.', array_to_string(mpc_internal.versions_of(caller, study), ', ')),
      HINT = format('Whoever reads the released version, or a member of mpc_admin, may call mpc.add_reader(%L, ''role'').', study);
  END IF;
  PERFORM mpc_internal.find_study(study);
  SELECT * INTO held FROM mpc_internal.study_versions AS s
   WHERE s.study = released_version.study AND mpc_internal.reads(caller, s.study, s.version) ORDER BY s.version DESC LIMIT 1;
  IF held.state = 'released' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node is no recipient of study "%s"', study),
      DETAIL = format('Its recipients are %s.', (SELECT string_agg(r, ', ') FROM
                      jsonb_array_elements_text(held.spec::jsonb -> 'recipients') AS r)),
      HINT = 'Read the result on the node of a recipient.';
  END IF;
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" has no result', study),
    DETAIL = format('Its state is %s.', held.state),
    HINT = CASE WHEN held.state IN ('proposed', 'approved', 'running', 'rehearsed') THEN 'Run it with mpc.run_study, or wait for it with mpc.wait_for_study.'
           WHEN held.state IN ('failed', 'cancelled') THEN 'View mpc.studies says why in last_error; mpc.run_study may run it again.'
           ELSE 'Propose it again: a new version needs new approvals.' END;
END
$$;
COMMENT ON FUNCTION mpc_internal.released_version(oid, text) IS
'latest released version of a study among those that the role may read, also while a later one is proposed; errors 42704 unknown study, 42501 no reader of the released version, 55000 not released or not released to this node';

CREATE FUNCTION mpc_internal.one_lambda(study text, version integer, lambda float8) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lambdas float8[] := ARRAY(SELECT f.lambda FROM mpc_internal.fits AS f
                             WHERE f.study = one_lambda.study AND f.version = one_lambda.version ORDER BY f.lambda);
BEGIN
  IF lambda = ANY (lambdas) OR (lambda IS NULL AND cardinality(lambdas) = 1) THEN
    RETURN coalesce(lambda, lambdas[1]);
  END IF;
  RAISE EXCEPTION USING ERRCODE = '22023',
    MESSAGE = CASE WHEN lambda IS NULL THEN format('study "%s" has several models: a lambda is needed', study)
              ELSE format('study "%s" has no model with lambda %s', study, lambda) END,
    DETAIL = format('Its lambdas are %s.', array_to_string(lambdas, ', ')),
    HINT = 'Pass one of them as lambda => number.';
END
$$;
COMMENT ON FUNCTION mpc_internal.one_lambda(text, integer, float8) IS
'the lambda asked for, or the only one; error 22023 lists the lambdas there are';

-- public functions

CREATE FUNCTION mpc_internal.coefficients(caller oid, study text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
BEGIN
  number := mpc_internal.released_version(caller, study);
  RETURN QUERY SELECT c.lambda, c.attribute, c.party, mpc_internal.released_digits(c.coefficient, c.grid), c.selected, c.version
                 FROM mpc_internal.coefficients AS c
                WHERE c.study = coefficients.study AND c.version = number ORDER BY c.lambda, c.place;
END
$$;
COMMENT ON FUNCTION mpc_internal.coefficients(oid, text) IS 'implements mpc.coefficients';

CREATE FUNCTION mpc.coefficients(study text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.coefficients(text) IS
'coefficients of a released study in original units (outcome units per attribute unit), a row per lambda and attribute; the intercept has attribute "(intercept)" and no party. Numbers are shown with two decimal places more than the precision needs that they were released with, and with at most nine significant digits; mpc.predict uses them as they were released. version is that of the study. Of several released versions, here and in mpc.fit, mpc.transcript and mpc.predict, it is the latest that the caller may read; view mpc.models has them all. Errors: 42704 unknown study, 42501 no reader of a released version, 55000 not released';

CREATE FUNCTION mpc_internal.fit(caller oid, study text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
BEGIN
  number := mpc_internal.released_version(caller, study);
  RETURN QUERY SELECT f.lambda, f.n, f.parameters, f.nonzero, f.iterations, f.converged,
                      mpc_internal.released_digits(f.r_squared, f.r_squared_grid),
                      mpc_internal.released_digits(f.adjusted_r_squared, f.r_squared_grid), f.rounds, f.bytes_sent, f.version
                 FROM mpc_internal.fits AS f
                WHERE f.study = fit.study AND f.version = number ORDER BY f.lambda;
END
$$;
COMMENT ON FUNCTION mpc_internal.fit(oid, text) IS 'implements mpc.fit';

CREATE FUNCTION mpc.fit(study text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.fit(text) IS
'measures of fit of a released study, a row per lambda: n matched records, parameters with the intercept, R squared, and what the run took at this node; version is that of the study. Errors: as mpc.coefficients';

CREATE FUNCTION mpc_internal.transcript(caller oid, study text)
RETURNS TABLE (phase text, rounds bigint, elements bigint, bytes_sent bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
BEGIN
  number := mpc_internal.released_version(caller, study);
  RETURN QUERY SELECT t.phase, t.rounds, t.elements, t.bytes_sent FROM mpc_internal.traffic AS t
                WHERE t.study = transcript.study AND t.version = number ORDER BY t.place;
END
$$;
COMMENT ON FUNCTION mpc_internal.transcript(oid, text) IS 'implements mpc.transcript';

CREATE FUNCTION mpc.transcript(study text)
RETURNS TABLE (phase text, rounds bigint, elements bigint, bytes_sent bigint)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.transcript(text) IS
'what this node sent in steps 7 and 8 of a released study, by phase of the computation: rounds it took part in (phases share rounds, so their sum exceeds the rounds in mpc.fit), field elements without those inside comparison keys, bytes before encryption. Errors: as mpc.coefficients';

CREATE FUNCTION mpc_internal.predictor_value(study text, key text, value jsonb) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  CASE jsonb_typeof(value)
    WHEN 'number' THEN RETURN value::float8;
    WHEN 'boolean' THEN RETURN value::boolean::integer;
    ELSE RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('value of attribute "%s" is neither a number nor a boolean', key),
      DETAIL = format('It is of JSON type %s.', jsonb_typeof(value)),
      HINT = 'Write numbers without quotes, 0/1 columns as true and false or 1 and 0.';
  END CASE;
END
$$;
COMMENT ON FUNCTION mpc_internal.predictor_value(text, text, jsonb) IS 'number of a JSON value; true is 1, false is 0';

CREATE FUNCTION mpc_internal.predict(caller oid, study text, attributes jsonb, lambda float8) RETURNS float8
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number integer;
  chosen float8;
  term record;
  key text;
  used text[] := '{}';
  missing text[] := '{}';
  total float8 := 0;
BEGIN
  number := mpc_internal.released_version(caller, study);
  chosen := mpc_internal.one_lambda(study, number, lambda);
  IF attributes IS NULL THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(attributes) <> 'object' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'attributes are given as one JSON object',
      DETAIL = format('The JSON type given is %s.', jsonb_typeof(attributes)),
      HINT = 'For example ''{"age": 71, "sbp": 140}''.';
  END IF;
  FOR term IN SELECT c.attribute, c.party, c.coefficient, count(*) OVER (PARTITION BY c.attribute) > 1 AS shared
                FROM mpc_internal.coefficients AS c
               WHERE c.study = predict.study AND c.version = number AND c.lambda = chosen ORDER BY c.place LOOP
    IF term.party IS NULL THEN
      total := total + term.coefficient;
      CONTINUE;
    END IF;
    key := format('%s.%s', term.party, term.attribute);
    IF NOT term.shared AND NOT attributes ? key THEN
      key := term.attribute;
    END IF;
    used := used || key;
    IF coalesce(attributes -> key, 'null') = 'null' THEN
      missing := missing || key;
    ELSE
      total := total + term.coefficient * mpc_internal.predictor_value(study, key, attributes -> key);
    END IF;
  END LOOP;
  IF cardinality(missing) > 0 THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('attributes without a value: %s', array_to_string(missing, ', ')),
      DETAIL = format('The model of study "%s" needs a value for each of its attributes.', study),
      HINT = 'Add them to the JSON object.';
  END IF;
  IF attributes - used <> '{}' THEN
    RAISE EXCEPTION USING ERRCODE = '22023',
      MESSAGE = format('attributes that the model does not have: %s', (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(attributes - used) AS k)),
      DETAIL = format('The attributes of study "%s" are %s.', study, array_to_string(used, ', ')),
      HINT = 'Leave them out of the JSON object: - removes a key.';
  END IF;
  RETURN total;
END
$$;
COMMENT ON FUNCTION mpc_internal.predict(oid, text, jsonb, float8) IS 'implements mpc.predict';

CREATE FUNCTION mpc.predict(study text, attributes jsonb, lambda float8 DEFAULT NULL) RETURNS float8
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.predict(text, jsonb, float8) IS
'outcome that a released model predicts for one record, in units of the outcome. Keys: the attribute, or party.attribute where both controllers use the name; lambda is needed when the study has several. NULL when attributes are NULL. Error 22023 names attributes that are missing or unknown';
