-- Reads the relations of penalised models: coefficients, measures of fit, prediction.
--
-- Terms
-- A model is the coefficients of one lambda. An analysis with several lambdas releases several models at once.

-- private functions

CREATE VIEW mpc_internal.fit_rows AS
SELECT r.study, r.version, r.analysis, f.lambda, f.n, f.parameters, f.nonzero, f.iterations, f.converged, f.r_squared,
       f.adjusted_r_squared, f.r_squared_grid, s.rounds, s.bytes_sent, s.released_at
  FROM mpc_internal.relations AS r JOIN mpc_internal.results AS s USING (study, version),
       jsonb_to_recordset(r.rows) AS f (
         lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
         r_squared float8, adjusted_r_squared float8, r_squared_grid float8)
 WHERE r.relation = 'fit'
UNION ALL
SELECT f.study, f.version, o.analysis, f.lambda, f.n, f.parameters, f.nonzero, f.iterations,
       f.converged, f.r_squared, f.adjusted_r_squared, f.r_squared_grid, f.rounds, f.bytes_sent, f.released_at
  FROM mpc_internal.fits AS f JOIN mpc_internal.old_results AS o USING (study, version);
COMMENT ON VIEW mpc_internal.fit_rows IS 'a row per released model, as released';

CREATE VIEW mpc_internal.coefficient_rows AS
SELECT r.study, r.version, r.analysis, c.ordinality AS place, c.lambda, c.attribute, c.party, c.coefficient, c.selected, c.grid
  FROM mpc_internal.relations AS r,
       ROWS FROM (jsonb_to_recordset(r.rows) AS (
         lambda float8, attribute text, party text, coefficient float8, selected boolean, grid float8)) WITH ORDINALITY AS c
 WHERE r.relation = 'coefficients'
UNION ALL
SELECT c.study, c.version, o.analysis, c.place, c.lambda, c.attribute, c.party,
       c.coefficient, c.selected, c.grid
  FROM mpc_internal.coefficients AS c JOIN mpc_internal.old_results AS o USING (study, version);
COMMENT ON VIEW mpc_internal.coefficient_rows IS 'a row per lambda and coefficient, as released; the intercept has no party';

CREATE FUNCTION mpc_internal.one_lambda(study text, version integer, analysis text, lambda float8) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lambdas float8[] := ARRAY(SELECT f.lambda FROM mpc_internal.fit_rows AS f
                             WHERE f.study = one_lambda.study AND f.version = one_lambda.version AND f.analysis = one_lambda.analysis ORDER BY f.lambda);
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
COMMENT ON FUNCTION mpc_internal.one_lambda(text, integer, text, float8) IS
'the lambda asked for, or the only one; error 22023 lists the lambdas there are';

-- public functions

CREATE FUNCTION mpc_internal.coefficients(caller oid, study text, analysis text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
  name text;
BEGIN
  number := mpc_internal.released_version(caller, study);
  name := mpc_internal.one_analysis(study, number, 'coefficients', $3);
  RETURN QUERY SELECT c.lambda, c.attribute, c.party, mpc_internal.released_digits(c.coefficient, c.grid), c.selected, c.version
                 FROM mpc_internal.coefficient_rows AS c
                WHERE c.study = coefficients.study AND c.version = number AND c.analysis = name ORDER BY c.lambda, c.place;
END
$$;
COMMENT ON FUNCTION mpc_internal.coefficients(oid, text, text) IS 'implements mpc.coefficients; NULL: the only analysis';

CREATE FUNCTION mpc_internal.coefficients(caller oid, study text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean, version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.coefficients($1, $2, NULL) $$;
COMMENT ON FUNCTION mpc_internal.coefficients(oid, text) IS 'implements mpc.coefficients';

CREATE FUNCTION mpc.coefficients(study text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.coefficients(text) IS
'coefficients of a released study in original units (outcome units per attribute unit), a row per lambda and attribute; the intercept has attribute "(intercept)" and no party. Numbers are shown with two decimal places more than the precision needs that they were released with, and with at most nine significant digits; mpc.predict uses them as they were released. version is that of the study. Of several released versions, here and in mpc.fit, mpc.transcript and mpc.predict, it is the latest that the caller may read; view mpc.models has them all. A study of several analyses needs the name of one: error 22023 lists them. Errors: 42704 unknown study, 42501 not a reader of a released version, 55000 not released';

CREATE FUNCTION mpc.coefficients(study text, analysis text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.coefficients(text, text) IS 'the same of one analysis of a study; mpc.results lists them';

CREATE FUNCTION mpc_internal.fit(caller oid, study text, analysis text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
  name text;
BEGIN
  number := mpc_internal.released_version(caller, study);
  name := mpc_internal.one_analysis(study, number, 'fit', $3);
  RETURN QUERY SELECT f.lambda, f.n, f.parameters, f.nonzero, f.iterations, f.converged,
                      mpc_internal.released_digits(f.r_squared, f.r_squared_grid),
                      mpc_internal.released_digits(f.adjusted_r_squared, f.r_squared_grid), f.rounds, f.bytes_sent, f.version
                 FROM mpc_internal.fit_rows AS f
                WHERE f.study = fit.study AND f.version = number AND f.analysis = name ORDER BY f.lambda;
END
$$;
COMMENT ON FUNCTION mpc_internal.fit(oid, text, text) IS 'implements mpc.fit; NULL: the only analysis';

CREATE FUNCTION mpc_internal.fit(caller oid, study text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.fit($1, $2, NULL) $$;
COMMENT ON FUNCTION mpc_internal.fit(oid, text) IS 'implements mpc.fit';

CREATE FUNCTION mpc.fit(study text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.fit(text) IS
'measures of fit of a released study, a row per lambda: n matched records, parameters with the intercept, R squared, and what the run took at this node; version is that of the study. Errors: as mpc.coefficients';

CREATE FUNCTION mpc.fit(study text, analysis text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.fit(text, text) IS 'the same of one analysis of a study; rounds and bytes_sent are those of all analyses together';

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

CREATE FUNCTION mpc_internal.level_value(study text, version integer, party text, key text, column_name text, value jsonb) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  attribute text := mpc_internal.source_column(column_name);
  levels text[] := ARRAY(SELECT l FROM mpc_internal.studies AS s,
                           LATERAL jsonb_array_elements(s.spec::jsonb -> 'controllers' -> level_value.party -> 'attributes') AS a,
                           LATERAL jsonb_array_elements_text(a -> 'levels') AS l
                          WHERE s.study = level_value.study AND s.version = level_value.version AND jsonb_typeof(a) = 'object'
                            AND a ->> 'name' = attribute);
BEGIN
  IF jsonb_typeof(value) <> 'string' OR value #>> '{}' <> ALL (levels) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('value of attribute "%s" is none of its levels', key),
      DETAIL = format('The value is %s. The levels are %s.', left(value::text, 100),
                      (SELECT string_agg(to_json(l)::text, ', ' ORDER BY place) FROM unnest(levels) WITH ORDINALITY AS u (l, place))),
      HINT = 'Write one of them, in quotes.';
  END IF;
  RETURN (attribute || ':' || (value #>> '{}') = column_name)::integer;
END
$$;
COMMENT ON FUNCTION mpc_internal.level_value(text, integer, text, text, text, jsonb) IS
'1 when the value of an attribute with levels is that of the column, otherwise 0; error 22023 for a value that is no level';

CREATE FUNCTION mpc_internal.predict(caller oid, study text, attributes jsonb, lambda float8, analysis text) RETURNS float8
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number integer;
  name text;
  chosen float8;
  term record;
  key text;
  used text[] := '{}';
  missing text[] := '{}';
  total float8 := 0;
BEGIN
  number := mpc_internal.released_version(caller, study);
  name := mpc_internal.one_analysis(study, number, 'coefficients', analysis);
  chosen := mpc_internal.one_lambda(study, number, name, lambda);
  IF attributes IS NULL THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(attributes) <> 'object' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'attributes are given as one JSON object',
      DETAIL = format('The JSON type given is %s.', jsonb_typeof(attributes)),
      HINT = 'For example ''{"age": 71, "sbp": 140}''.';
  END IF;
  FOR term IN SELECT c.attribute AS column_name, mpc_internal.source_column(c.attribute) AS attribute, c.party, c.coefficient,
                     min(c.party) OVER of_name <> max(c.party) OVER of_name AS shared
                FROM mpc_internal.coefficient_rows AS c
               WHERE c.study = predict.study AND c.version = number AND c.analysis = name AND c.lambda = chosen
              WINDOW of_name AS (PARTITION BY mpc_internal.source_column(c.attribute)) ORDER BY c.place LOOP
    IF term.party IS NULL THEN
      total := total + term.coefficient;
      CONTINUE;
    END IF;
    key := format('%s.%s', term.party, term.attribute);
    IF NOT term.shared AND NOT attributes ? key THEN
      key := term.attribute;
    END IF;
    IF key <> ALL (used) THEN
      used := used || key;
    END IF;
    IF coalesce(attributes -> key, 'null') = 'null' THEN
      IF key <> ALL (missing) THEN
        missing := missing || key;
      END IF;
    ELSIF term.column_name <> term.attribute THEN
      total := total + term.coefficient * mpc_internal.level_value(study, number, term.party, key, term.column_name, attributes -> key);
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
COMMENT ON FUNCTION mpc_internal.predict(oid, text, jsonb, float8, text) IS 'implements mpc.predict';

CREATE FUNCTION mpc_internal.predict(caller oid, study text, attributes jsonb, lambda float8) RETURNS float8
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT mpc_internal.predict($1, $2, $3, $4, NULL) $$;
COMMENT ON FUNCTION mpc_internal.predict(oid, text, jsonb, float8) IS 'implements mpc.predict';

CREATE FUNCTION mpc.predict(study text, attributes jsonb, lambda float8 DEFAULT NULL) RETURNS float8
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.predict(text, jsonb, float8) IS
'outcome that a released model predicts for one record, in units of the outcome. Keys: the attribute, or party.attribute where both controllers use the name; lambda is needed when the study has several. NULL when attributes are NULL. Error 22023 names attributes that are missing or unknown';

CREATE FUNCTION mpc.predict(study text, attributes jsonb, lambda float8, analysis text) RETURNS float8
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.predict(text, jsonb, float8, text) IS 'the same with a model of one analysis of a study; lambda NULL: its only model';
