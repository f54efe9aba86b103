-- Implements mpc.check_source, which reports on a source before it is approved.
--
-- Terms
-- A complete row has no NULL in a column of the controller or in the identifier. The run drops other rows.
--
-- Invariants
-- The function runs as its caller in a security-restricted operation. It sends and stores nothing. It reads rows,
-- identifiers and columns once, with the code that engines use.

CREATE FUNCTION mpc_internal.source_profile(spec text, party text, source oid, identifier text[], columns text[]) RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_source_profile';
COMMENT ON FUNCTION mpc_internal.source_profile(text, text, oid, text[], text[]) IS
'JSON profile of a source as a run would process it, read as the current user: rows that it keeps, with a NULL, and refused by the form of their identifier, matches that the disclosure rules require; per part of the identifier lengths, leading zeros, blanks, characters beyond ASCII, shapes of at least 10 records; per column NULLs, the figures of the rows kept, and problems';

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
  -- Without a form, these are the usual reasons why persons are not matched.
  SELECT nullif(concat_ws('; ',
    CASE WHEN (part ->> 'refused')::bigint > 0 THEN format('refused: %s (%s)', part ->> 'refused', part ->> 'reasons') END,
    CASE WHEN $2 NOT LIKE '%/%' AND (part ->> 'leading_zeros')::bigint > 0 THEN format('leading zeros: %s', part ->> 'leading_zeros') END,
    CASE WHEN $2 NOT LIKE '%/%' AND (part ->> 'non_ascii')::bigint > 0 THEN format('characters beyond ASCII: %s', part ->> 'non_ascii') END,
    CASE WHEN $2 IN ('as it is', 'upper') AND (part ->> 'blanks')::bigint > 0 THEN format('blanks: %s', part ->> 'blanks') END), '')
$$;
COMMENT ON FUNCTION mpc_internal.part_problem(jsonb, text) IS 'why persons may not be matched by a part of the identifier; NULL without a problem';

CREATE FUNCTION mpc_internal.rows_problem(profile jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT nullif(concat_ws('; ',
    CASE WHEN (profile ->> 'kept')::bigint < (profile ->> 'required')::bigint
         THEN format('fewer complete rows than the %s matches that the disclosure rules require', profile ->> 'required') END,
    CASE WHEN (profile ->> 'nulls')::bigint > 0 THEN format('dropped because of a NULL: %s', profile ->> 'nulls') END,
    CASE WHEN (profile ->> 'refused')::bigint > 0 THEN format('dropped because of their identifier: %s', profile ->> 'refused') END), '')
$$;
COMMENT ON FUNCTION mpc_internal.rows_problem(jsonb) IS 'which rows of a source a run drops, from its source_profile; NULL without any';

CREATE FUNCTION mpc_internal.identifier_row(part jsonb, form text, OUT refused bigint, OUT problem text, OUT seen text) RETURNS record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (part ->> 'refused')::bigint, mpc_internal.part_problem(part, form),
         CASE WHEN (part ->> 'records')::bigint > 0
              THEN format('form %s; %s to %s characters; leading zeros %s, blanks %s, non-ASCII %s; shapes: %s', form,
                          part ->> 'shortest', part ->> 'longest', part ->> 'leading_zeros', part ->> 'blanks',
                          part ->> 'non_ascii', part ->> 'shapes') END
$$;
COMMENT ON FUNCTION mpc_internal.identifier_row(jsonb, text) IS 'the row of mpc.check_source for a part of the identifier';

CREATE FUNCTION mpc_internal.source_rows(spec jsonb, party text, source oid, keys text[], caller oid, profile jsonb)
RETURNS TABLE (about text, column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text, type text, refused bigint, seen text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  figures jsonb;
BEGIN
  about := 'rows';
  column_name := '(rows)';
  rows := profile ->> 'rows';
  nulls := profile ->> 'nulls';
  refused := profile ->> 'refused';
  problem := mpc_internal.rows_problem(profile);
  RETURN NEXT;

  about := 'identifier';
  FOR place IN 0 .. cardinality(keys) - 1 LOOP
    column_name := keys[place + 1];
    type := (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a WHERE a.attrelid = source AND a.attname = column_name);
    -- The row of the first part reports on the whole identifier.
    nulls := CASE WHEN place = 0 THEN (profile -> 'identifier' ->> 'nulls')::bigint END;
    duplicates := CASE WHEN place = 0 THEN (profile -> 'identifier' ->> 'duplicates')::bigint END;
    SELECT p.refused, p.problem, p.seen INTO refused, problem, seen
      FROM mpc_internal.identifier_row(profile -> 'identifier' -> 'parts' -> place, mpc_internal.form_of(spec, place)) AS p;
    problem := nullif(concat_ws('; ', CASE WHEN duplicates > 0 THEN format('duplicate identifiers, surplus rows: %s', duplicates) END, problem), '');
    RETURN NEXT;
  END LOOP;

  about := 'column';
  SELECT NULL, NULL, NULL, NULL INTO duplicates, type, refused, seen;
  FOREACH column_name IN ARRAY mpc_internal.columns_of(spec, party) LOOP
    figures := profile -> 'columns' -> column_name;
    nulls := figures ->> 'nulls';
    minimum := figures ->> 'minimum';
    maximum := figures ->> 'maximum';
    mean := figures ->> 'mean';
    sd := figures ->> 'sd';
    problem := CASE WHEN figures IS NOT NULL THEN figures ->> 'problem'
                    ELSE CASE mpc_internal.attribute_problem(source, column_name, caller)
                         WHEN '42703' THEN 'does not exist'
                         WHEN '42501' THEN 'permission denied'
                         ELSE mpc_internal.wrong_type(column_name) END END;
    RETURN NEXT;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.source_rows(jsonb, text, oid, text[], oid, jsonb) IS
'the rows of mpc.check_source from the source_profile of the source; about: rows, identifier or column. Columns that the profile lacks cannot be read';

CREATE FUNCTION mpc_internal.notice_source(study text, spec jsonb, party text, source oid, keys text[], caller oid, profile jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  seen record;
BEGIN
  FOR seen IN SELECT r.about, r.column_name, r.problem
                FROM mpc_internal.source_rows(spec, party, source, keys, caller, profile) AS r WHERE r.problem IS NOT NULL LOOP
    RAISE NOTICE USING
      MESSAGE = CASE seen.about WHEN 'rows' THEN format('source %s: %s', source::regclass, seen.problem)
                ELSE format('%s "%s": %s', seen.about, seen.column_name, seen.problem) END,
      DETAIL = CASE seen.about
        WHEN 'rows' THEN 'A run uses the rows without a NULL in the columns that it reads, whose identifier its form accepts.'
        WHEN 'identifier' THEN 'A run drops refused records, like those with a NULL. Other records are not matched when the other controller writes them differently.'
        ELSE 'The column was read as in a run. The approval is valid.' END,
      HINT = format('mpc.check_source(%L, ...) shows what it looks like.%s', study, CASE seen.about
        WHEN 'identifier' THEN ' A form of identifier.parts that both controllers agree on, such as bsn or number, brings both to the same bytes.'
        ELSE ' To change it, bind a view, or propose the study with other columns or rules.' END);
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.notice_source(text, jsonb, text, oid, text[], oid, jsonb) IS
'a NOTICE for every problem that mpc.check_source shows of a source, from the source_profile that its approval made';

CREATE FUNCTION mpc_internal.check_source(caller oid, study text, source regclass, identifier text)
RETURNS TABLE (column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text, type text, refused bigint, seen text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  held record := mpc_internal.study_for_check(study);
  keys text[];
  readable text[];
  profile jsonb;
BEGIN
  PERFORM mpc_internal.require_source(source, caller);
  keys := mpc_internal.identifier_columns(held.spec, source, identifier);
  PERFORM mpc_internal.require_binding(jsonb_build_object('controllers', '{}'::jsonb), held.party, source, keys,
                                       caller);
  readable := ARRAY(SELECT c FROM unnest(mpc_internal.columns_of(held.spec, held.party)) WITH ORDINALITY AS u (c, place)
                     WHERE mpc_internal.attribute_problem(source, c, caller) IS NULL ORDER BY place);
  profile := mpc_internal.source_profile(held.spec::text, held.party, source, keys, readable);
  RETURN QUERY SELECT r.column_name, r.rows, r.nulls, r.duplicates, r.minimum, r.maximum, r.mean, r.sd, r.problem, r.type, r.refused, r.seen
                 FROM mpc_internal.source_rows(held.spec, held.party, source, keys, caller, profile) AS r;
END
$$;
COMMENT ON FUNCTION mpc_internal.check_source(oid, text, regclass, text) IS 'implements mpc.check_source, as the caller';

CREATE FUNCTION mpc.check_source(study text, source regclass, identifier text)
RETURNS TABLE (column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text, type text, refused bigint, seen text)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_source_entry';
COMMENT ON FUNCTION mpc.check_source(text, regclass, text) IS
'checks a table or view before it is approved, reading it as the caller in the way of a run: row "(rows)" has all rows, those with a NULL and those whose identifier its form refuses (a run drops both), then each part of the identifier with the duplicates of the whole (incomplete rows count), how many its form refuses, and its appearance (seen: lengths, leading zeros, blanks, characters beyond ASCII, shapes of at least 10 rows with 9 for a digit and A for a letter), then each column with its NULLs and the range, mean and population standard deviation of the rows that a run keeps; problem names dropped rows, errors of a run and unexpected values, NULL without any. An attribute with levels has a row per level, as a 0/1 column; error 22023 names one that has a value which is no level. Columns with two values are checked as such, whatever their type, as in a run. Nothing leaves the node';
