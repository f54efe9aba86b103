-- What: mpc.check_source, the look at a source before it is approved.
-- Terms: complete row = no NULL in a column of the controller nor in the identifier; other rows are dropped by the run.
-- Invariants: runs as its caller, in a security-restricted operation, sends nothing, stores nothing; the search path is set
--             again after each reading of the source, whose code may have changed it.

CREATE FUNCTION mpc_internal.identifier_profile(spec text, source oid, identifier text[]) RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_identifier_profile';
COMMENT ON FUNCTION mpc_internal.identifier_profile(text, oid, text[]) IS
'JSON of what the identifiers of a source look like, read as the current user, as an engine would: records without one, refused by their form, surplus records of an identifier (incomplete records count), and per part lengths, leading zeros, blanks, characters beyond ASCII, shapes of at least 10 records';

CREATE FUNCTION mpc_internal.form_of(spec jsonb, part integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE jsonb_typeof(i -> 'parts') WHEN 'array' THEN i -> 'parts' -> $2 ->> 'form'
         ELSE coalesce((SELECT string_agg(r, ', ') FROM jsonb_array_elements_text(i -> 'normalise') AS r), 'as it is') END
    FROM (SELECT $1 -> 'identifier' AS i) AS s
$$;
COMMENT ON FUNCTION mpc_internal.form_of(jsonb, integer) IS 'how a part of the identifier (from 0) is normalised: its form, or the rules for all parts';

CREATE FUNCTION mpc_internal.part_problem(part jsonb, form text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- Without a form that says what to do with them, these are the usual reasons why persons are not found.
  SELECT nullif(concat_ws('; ',
    CASE WHEN (part ->> 'refused')::bigint > 0 THEN format('refused: %s (%s)', part ->> 'refused', part ->> 'reasons') END,
    CASE WHEN $2 NOT LIKE '%/%' AND (part ->> 'leading_zeros')::bigint > 0 THEN format('leading zeros: %s', part ->> 'leading_zeros') END,
    CASE WHEN $2 NOT LIKE '%/%' AND (part ->> 'non_ascii')::bigint > 0 THEN format('characters beyond ASCII: %s', part ->> 'non_ascii') END,
    CASE WHEN $2 IN ('as it is', 'upper') AND (part ->> 'blanks')::bigint > 0 THEN format('blanks: %s', part ->> 'blanks') END), '')
$$;
COMMENT ON FUNCTION mpc_internal.part_problem(jsonb, text) IS 'why persons may not be found by a part of the identifier; NULL when nothing stands in the way';

CREATE FUNCTION mpc_internal.notice_identifiers(study text, spec jsonb, identifier text[], profile jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  problem text;
BEGIN
  FOR place IN 0 .. cardinality(identifier) - 1 LOOP
    problem := mpc_internal.part_problem(profile -> 'parts' -> place, mpc_internal.form_of(spec, place));
    IF problem IS NOT NULL THEN
      RAISE NOTICE USING MESSAGE = format('identifier "%s": %s', identifier[place + 1], problem),
        DETAIL = 'Records that are refused are left out of the run, like those with a NULL; others are not found when the other controller writes them differently.',
        HINT = format('mpc.check_source(%L, ...) shows what it looks like. A form of identifier.parts that both controllers agree on, such as bsn or number, brings both to the same bytes.', study);
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.notice_identifiers(text, jsonb, text[], jsonb) IS 'a NOTICE for every part of the identifier by which persons may not be found, as mpc.check_source shows it';

CREATE FUNCTION mpc_internal.check_columns(source regclass, columns text[], complete text) RETURNS float8[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list text;
  result float8[];
BEGIN
  -- One pass over the source: per column NULLs, values that no encoding carries, then figures of the complete rows.
  SELECT string_agg(format(
           'ARRAY[count(*) FILTER (WHERE c%1$s IS NULL), count(*) FILTER (WHERE complete AND NOT %2$s), '
           'min(c%1$s) FILTER (WHERE complete AND %2$s), max(c%1$s) FILTER (WHERE complete AND %2$s), '
           'avg(c%1$s) FILTER (WHERE complete AND %2$s), stddev_pop(c%1$s) FILTER (WHERE complete AND %2$s)]::float8[]',
           i, format('c%s BETWEEN -1e100 AND 1e100', i)), ', ' ORDER BY i)
    INTO list FROM generate_subscripts(columns, 1) AS i;
  EXECUTE format('SELECT ARRAY[%s] FROM (SELECT %s, %s AS complete FROM %s) AS t', list,
                 (SELECT string_agg(format('%s AS c%s', mpc_internal.float_of(source, name), i), ', ' ORDER BY i)
                    FROM unnest(columns) WITH ORDINALITY AS n (name, i)),
                 complete, source) INTO result;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  RETURN result;
END
$$;
COMMENT ON FUNCTION mpc_internal.check_columns(regclass, text[], text) IS
'per column: NULLs, values that are NaN, infinite or huge, minimum, maximum, mean, population standard deviation of complete rows';

CREATE FUNCTION mpc_internal.two_valued(source regclass, columns text[], complete text, figures float8[]) RETURNS boolean[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list text;
  result boolean[];
BEGIN
  SELECT string_agg(format('coalesce(bool_and(%s IN (%L::float8, %L::float8)), true)', mpc_internal.float_of(source, name),
                           coalesce(figures[i][3], 0), coalesce(figures[i][4], 0)), ', ' ORDER BY i)
    INTO list FROM unnest(columns) WITH ORDINALITY AS n (name, i);
  EXECUTE format('SELECT ARRAY[%s] FROM %s WHERE %s', list, source, complete) INTO result;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  RETURN result;
END
$$;
COMMENT ON FUNCTION mpc_internal.two_valued(regclass, text[], text, float8[]) IS
'per column: whether the complete rows hold at most two distinct values, their minimum and maximum in the figures of check_columns';

CREATE FUNCTION mpc_internal.float_of(source regclass, name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(CASE mpc_internal.base_type($1, $2)
                WHEN 'numeric'::regtype
                  THEN 'CASE WHEN %1$I < -1e308 OR %1$I > 1e308 THEN ''infinity'' WHEN abs(%1$I) < 1e-300 THEN 0 ELSE %1$I::float8 END'
                WHEN 'bool'::regtype THEN '%1$I::integer::float8'
                ELSE '%1$I::float8' END, $2)
$$;
COMMENT ON FUNCTION mpc_internal.float_of(regclass, text) IS
'SQL expression of a column as float8, as the engine computes it: a numeric too large for float8 becomes infinite instead of failing, a boolean 0 or 1';

CREATE FUNCTION mpc_internal.range_problem(
  minimum float8, maximum float8, mean float8, sd float8, agreed integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  reach float8 := greatest(maximum - mean, mean - minimum);
  exponent integer := coalesce(agreed, ceil(ln(greatest(sd, reach / 64)) / ln(2::float8))::integer);
  scale float8;
BEGIN
  -- The bounds of linkage/encoding.h: a little before the engine refuses is better than after everybody approved.
  IF exponent NOT BETWEEN -256 AND 256 THEN
    RETURN 'magnitude that cannot be encoded: choose another unit';
  END IF;
  scale := power(2::float8, exponent);
  RETURN CASE WHEN abs(mean) > 1024 * scale THEN 'mean too large for the spread: subtract a typical value'
              WHEN agreed IS NOT NULL AND sd < scale / 4096 THEN format('varies too little for the agreed scale exponent %s', agreed)
              WHEN agreed IS NOT NULL AND reach > 64 * scale THEN format('values too large for the agreed scale exponent %s', agreed)
         END;
END
$$;
COMMENT ON FUNCTION mpc_internal.range_problem(float8, float8, float8, float8, integer) IS
'why the values of a column that varies, and has more than two of them, cannot be encoded, with the scale exponent that the spec agreed on or none; NULL when they can';

CREATE FUNCTION mpc_internal.two_values_problem(low float8, high float8, agreed integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  distance float8 := high - low;
  own integer := floor(ln(distance) / ln(2::float8));
  exponent integer := coalesce(agreed, own + CASE WHEN power(2::float8, own + 1) <= distance THEN 1
                                                  WHEN power(2::float8, own) > distance THEN -1 ELSE 0 END);
  step float8;
BEGIN
  -- encode_two_valued in linkage/encoding.cpp: the values enter as 0 and 1, with the lower one and their distance apart.
  IF exponent NOT BETWEEN -256 AND 256 THEN
    RETURN 'magnitude that cannot be encoded: choose another unit';
  END IF;
  step := distance / power(2::float8, exponent);
  RETURN CASE WHEN abs(low) > 1024 * power(2::float8, exponent) THEN 'mean too large for the spread: subtract a typical value'
              WHEN step < 1 THEN format('varies too little for the agreed scale exponent %s', agreed)
              WHEN step > 64 THEN format('values too large for the agreed scale exponent %s', agreed) END;
END
$$;
COMMENT ON FUNCTION mpc_internal.two_values_problem(float8, float8, integer) IS
'why the two values of a column that is not boolean cannot be encoded, with the scale exponent that the spec agreed on or none; NULL when they can';

CREATE FUNCTION mpc_internal.required_matches(spec jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT greatest((d ->> 'min_matched')::bigint,
                  ceil((1 + attributes) / (d ->> 'max_parameter_ratio')::numeric)::bigint,
                  CASE WHEN d ? 'max_columns' AND d ->> 'max_columns' IS NULL THEN 10 * attributes END)
    FROM (SELECT spec -> 'disclosure' AS d,
                 (SELECT sum(jsonb_array_length(c.value -> 'attributes'))
                    FROM jsonb_each(spec -> 'controllers') AS c) AS attributes) AS s
$$;
COMMENT ON FUNCTION mpc_internal.required_matches(jsonb) IS
'fewest matched records with which a study runs: min_matched, or parameters (attributes and intercept) / max_parameter_ratio';

CREATE FUNCTION mpc_internal.complete_rows(columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$ SELECT string_agg(format('%I IS NOT NULL', c), ' AND ') FROM unnest(columns) AS c $$;
COMMENT ON FUNCTION mpc_internal.complete_rows(text[]) IS 'SQL condition of the rows that a run keeps: none of these columns is NULL';

CREATE FUNCTION mpc_internal.check_source(caller oid, study text, source regclass, identifier text)
RETURNS TABLE (column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text, type text, refused bigint, seen text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  held record := mpc_internal.study_for_check(study);
  least_rows bigint := mpc_internal.required_matches(held.spec);
  keys text[];
  good text[];
  complete text;
  figures float8[];
  two_valued boolean[];
  agreed integer;
  profile jsonb;
  part jsonb;
  i integer := 0;
BEGIN
  PERFORM mpc_internal.require_source(source, caller);
  keys := mpc_internal.identifier_columns(held.spec, source, identifier);
  good := ARRAY(SELECT c FROM unnest(mpc_internal.columns_of(held.spec, held.party)) WITH ORDINALITY AS u (c, place)
                 WHERE mpc_internal.column_problem(source, c, caller) IS NULL ORDER BY place);
  PERFORM mpc_internal.require_binding(jsonb_build_object('controllers', '{}'::jsonb), held.party, source, keys,
                                       caller);
  complete := mpc_internal.complete_rows(keys || good);

  EXECUTE format('SELECT count(*), count(*) FILTER (WHERE NOT (%s)) FROM %s', complete, source) INTO rows, nulls;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  column_name := '(rows)';
  problem := CASE WHEN rows - nulls < least_rows
                  THEN format('fewer complete rows than the %s matches that the disclosure rules require', least_rows) END;
  RETURN NEXT;

  profile := mpc_internal.identifier_profile(held.spec::text, source, keys)::jsonb;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  FOR place IN 0 .. cardinality(keys) - 1 LOOP
    part := profile -> 'parts' -> place;
    column_name := keys[place + 1];
    type := (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a WHERE a.attrelid = source AND a.attname = column_name);
    -- The whole identifier is judged in the row of its first part.
    nulls := CASE WHEN place = 0 THEN (profile ->> 'nulls')::bigint END;
    duplicates := CASE WHEN place = 0 THEN (profile ->> 'duplicates')::bigint END;
    refused := (part ->> 'refused')::bigint;
    problem := nullif(concat_ws('; ', CASE WHEN duplicates > 0 THEN format('duplicate identifiers, surplus rows: %s', duplicates) END,
                                mpc_internal.part_problem(part, mpc_internal.form_of(held.spec, place))), '');
    seen := CASE WHEN (part ->> 'records')::bigint > 0
                 THEN format('form %s; %s to %s characters; leading zeros %s, blanks %s, non-ASCII %s; shapes: %s', mpc_internal.form_of(held.spec, place),
                             part ->> 'shortest', part ->> 'longest', part ->> 'leading_zeros', part ->> 'blanks', part ->> 'non_ascii', part ->> 'shapes') END;
    RETURN NEXT;
  END LOOP;

  IF cardinality(good) > 0 THEN
    figures := mpc_internal.check_columns(source, good, complete);
    two_valued := mpc_internal.two_valued(source, good, complete, figures);
  END IF;
  SELECT NULL, NULL, NULL, NULL INTO duplicates, type, refused, seen;
  FOREACH column_name IN ARRAY mpc_internal.columns_of(held.spec, held.party) LOOP
    IF column_name = ANY (good) THEN
      i := i + 1;
      agreed := (held.spec -> 'scale_exponents' -> held.party ->> column_name)::integer;
      nulls := figures[i][1];
      minimum := figures[i][3];
      maximum := figures[i][4];
      mean := figures[i][5];
      sd := figures[i][6];
      problem := CASE WHEN figures[i][2] > 0 THEN format('values that are NaN, infinite or beyond 1e100: %s', figures[i][2])
                      WHEN minimum = maximum THEN 'constant'
                      WHEN mpc_internal.base_type(source, column_name) = 'bool'::regtype THEN NULL
                      WHEN two_valued[i] THEN mpc_internal.two_values_problem(minimum, maximum, agreed)
                      ELSE mpc_internal.range_problem(minimum, maximum, mean, sd, agreed) END;
    ELSE
      SELECT NULL, NULL, NULL, NULL, NULL INTO nulls, minimum, maximum, mean, sd;
      problem := CASE mpc_internal.column_problem(source, column_name, caller)
                   WHEN '42703' THEN 'does not exist'
                   WHEN '42501' THEN 'permission denied'
                   ELSE 'neither numeric nor boolean' END;
    END IF;
    RETURN NEXT;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.check_source(oid, text, regclass, text) IS 'implements mpc.check_source, as the caller';

CREATE FUNCTION mpc.check_source(study text, source regclass, identifier text)
RETURNS TABLE (column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text, type text, refused bigint, seen text)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_source_entry';
COMMENT ON FUNCTION mpc.check_source(text, regclass, text) IS
'looks at a table or view as the caller before it is approved: row "(rows)" has all rows and those with a NULL (dropped by the run), then each part of the identifier with the duplicates of the whole (incomplete rows count), how many its form refuses, which a run drops, and what it looks like (seen: lengths, leading zeros, blanks, characters beyond ASCII, shapes of at least 10 rows with 9 for a digit and A for a letter), then each column with NULLs and the range, mean and population standard deviation of complete rows; problem is NULL where nothing stands in the way. Columns with two values have to fit as such, whatever their type, as in a run. Nothing leaves the node';
