-- Keeps released results.
--
-- Terms
-- A relation is a released table with a name, such as the coefficients of a model. An analysis releases one or several.
--
-- Invariants
-- Rows come from mpc_internal.store_result only, once per version. They stay in dumps after their studies are gone, so
-- they refer to no other table. No table here depends on a kind of analysis: each kind reads its relations by functions
-- in a file of its own.

-- tables

CREATE TABLE mpc_internal.results (
  study text NOT NULL,
  version integer NOT NULL,
  matched bigint,
  rounds bigint,
  bytes_sent bigint,
  released_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT results_pkey PRIMARY KEY (study, version)
);
COMMENT ON TABLE mpc_internal.results IS
'one row per released version of a study; rounds and bytes_sent are what its run took at this node, NULL where another recipient gave the result';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.results', '');

CREATE TABLE mpc_internal.relations (
  study text NOT NULL,
  version integer NOT NULL,
  analysis text NOT NULL,
  relation text NOT NULL,
  place integer NOT NULL,
  rows jsonb NOT NULL,
  CONSTRAINT relations_pkey PRIMARY KEY (study, version, analysis, relation)
);
COMMENT ON TABLE mpc_internal.relations IS 'released relations; rows is an array of objects with the same keys';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.relations', '');

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
  INSERT INTO mpc_internal.results (study, version, matched, rounds, bytes_sent)
  SELECT $1, $2, r.matched, r.rounds, r.bytes_sent FROM jsonb_to_record($3) AS r (matched bigint, rounds bigint, bytes_sent bigint)
   WHERE $3 ? 'relations';
  INSERT INTO mpc_internal.relations (study, version, analysis, relation, place, rows)
  SELECT $1, $2, r.analysis, r.relation, r.ordinality, r.rows
    FROM ROWS FROM (jsonb_to_recordset(coalesce($3 -> 'relations', '[]')) AS (
           analysis text, relation text, rows jsonb)) WITH ORDINALITY AS r;
  INSERT INTO mpc_internal.traffic (study, version, place, phase, rounds, elements, bytes_sent)
  SELECT $1, $2, t.ordinality, t.phase, t.rounds, t.elements, t.bytes_sent
    FROM ROWS FROM (jsonb_to_recordset(coalesce($3 -> 'traffic', '[]')) AS (
           phase text, rounds bigint, elements bigint, bytes_sent bigint)) WITH ORDINALITY AS t
$$;
COMMENT ON FUNCTION mpc_internal.store_result(text, integer, jsonb) IS 'stores what the engine of this node got released';

CREATE FUNCTION mpc_internal.releases_of(spec text)
RETURNS TABLE (analysis text, kind text, outcome text, models integer, numbers bigint, opened text[])
LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_releases_of';
COMMENT ON FUNCTION mpc_internal.releases_of(text) IS
'what the analyses of a spec release: models against model_budget, numbers of each of them, the outcome as party.column (NULL: none), and what is opened';

CREATE FUNCTION mpc_internal.accepts_result(spec text, matched bigint, result text) RETURNS boolean
LANGUAGE c IMMUTABLE
AS 'MODULE_PATHNAME', 'pg_mpc_accepts_result';
COMMENT ON FUNCTION mpc_internal.accepts_result(text, bigint, text) IS
'whether the relations of a result are those of the analyses of this spec, for so many matched records';

CREATE VIEW mpc_internal.released_versions AS
SELECT r.study, r.version, r.released_at FROM mpc_internal.results AS r
UNION ALL
SELECT o.study, o.version, o.released_at FROM mpc_internal.old_results AS o;
COMMENT ON VIEW mpc_internal.released_versions IS 'versions of studies whose result is here';

CREATE VIEW mpc_internal.released_relations AS
SELECT r.study, r.version, r.analysis, r.relation, r.place, jsonb_array_length(r.rows) AS rows
  FROM mpc_internal.relations AS r
UNION ALL
SELECT o.study, o.version, o.analysis, 'coefficients', 1,
       (SELECT count(*) FROM mpc_internal.coefficients AS c WHERE c.study = o.study AND c.version = o.version)
  FROM mpc_internal.old_results AS o
UNION ALL
SELECT o.study, o.version, o.analysis, 'fit', 2, o.models FROM mpc_internal.old_results AS o;
COMMENT ON VIEW mpc_internal.released_relations IS 'released relations and how many rows each has';

CREATE FUNCTION mpc_internal.released_version(caller oid, study text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number integer;
  held mpc_internal.study_versions%ROWTYPE;
BEGIN
  PERFORM mpc_internal.require_reader(caller, study);
  SELECT max(f.version) INTO number FROM mpc_internal.released_versions AS f
   WHERE f.study = released_version.study AND mpc_internal.reads(caller, f.study, f.version);
  IF number IS NOT NULL THEN
    RETURN number;
  END IF;
  IF EXISTS (SELECT FROM mpc_internal.released_versions AS f WHERE f.study = released_version.study) THEN
    RAISE EXCEPTION USING ERRCODE = '42501',
      MESSAGE = format('role %s may not read the released version of study "%s"', mpc_internal.role_text(caller), study),
      DETAIL = format('Of its versions it may read %s.', array_to_string(mpc_internal.versions_of(caller, study), ', ')),
      HINT = format('Whoever reads the released version, or a member of mpc_admin, may call mpc.add_reader(%L, ''role'').', study);
  END IF;
  PERFORM mpc_internal.find_study(study);
  SELECT * INTO held FROM mpc_internal.study_versions AS s
   WHERE s.study = released_version.study AND mpc_internal.reads(caller, s.study, s.version) ORDER BY s.version DESC LIMIT 1;
  IF held.state = 'released' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node is not a recipient of study "%s"', study),
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

CREATE FUNCTION mpc_internal.one_analysis(study text, version integer, relation text, analysis text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  names text[] := ARRAY(SELECT r.analysis FROM mpc_internal.released_relations AS r
                         WHERE r.study = one_analysis.study AND r.version = one_analysis.version
                           AND r.relation = one_analysis.relation ORDER BY r.analysis);
BEGIN
  IF analysis = ANY (names) OR (analysis IS NULL AND cardinality(names) = 1) THEN
    RETURN coalesce(analysis, names[1]);
  END IF;
  RAISE EXCEPTION USING ERRCODE = '22023',
    MESSAGE = CASE WHEN cardinality(names) = 0 THEN format('no analysis of study "%s" has %s', study, replace(relation, '_', ' '))
              WHEN analysis IS NULL THEN format('study "%s" has several analyses: the name of one is needed', study)
              ELSE format('study "%s" has no such analysis: "%s"', study, analysis) END,
    DETAIL = CASE WHEN cardinality(names) = 0
             THEN format('Its analyses are %s.', (SELECT string_agg(DISTINCT r.analysis, ', ') FROM mpc_internal.released_relations AS r
                                                   WHERE r.study = one_analysis.study AND r.version = one_analysis.version))
             ELSE format('Those with %s are %s.', replace(relation, '_', ' '), array_to_string(names, ', ')) END,
    HINT = 'mpc.results shows what each analysis has released. Name one as the last argument: mpc.fit(study, analysis), mpc.describe(study, analysis), mpc.predict(study, attributes, lambda, analysis).';
END
$$;
COMMENT ON FUNCTION mpc_internal.one_analysis(text, integer, text, text) IS
'the analysis asked for, or the only one that has this relation; error 22023 lists those that have it';

CREATE FUNCTION mpc_internal.result_of(study text, version integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object(
    'matched', (SELECT s.n_matched FROM mpc_internal.studies AS s WHERE s.study = $1 AND s.version = $2),
    'relations', (SELECT jsonb_agg(jsonb_build_object('analysis', r.analysis, 'relation', r.relation, 'rows', r.rows) ORDER BY r.place)
                    FROM (SELECT n.analysis, n.relation, n.place, n.rows FROM mpc_internal.relations AS n
                           WHERE n.study = $1 AND n.version = $2
                          UNION ALL SELECT o.analysis, o.relation, o.place, o.rows
                            FROM mpc_internal.old_relations($1, $2) AS o) AS r))
$$;
COMMENT ON FUNCTION mpc_internal.result_of(text, integer) IS
'a stored result as mpc_internal.store_result takes it, without what is this node''s own (traffic, rounds, bytes sent)';

-- public functions

CREATE FUNCTION mpc_internal.results(caller oid, study text)
RETURNS TABLE (analysis text, relation text, rows bigint, released_at timestamptz, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
BEGIN
  number := mpc_internal.released_version(caller, study);
  RETURN QUERY SELECT r.analysis, r.relation, r.rows::bigint, v.released_at, r.version
                 FROM mpc_internal.released_relations AS r JOIN mpc_internal.released_versions AS v USING (study, version)
                WHERE r.study = results.study AND r.version = number ORDER BY r.analysis, r.place;
END
$$;
COMMENT ON FUNCTION mpc_internal.results(oid, text) IS 'implements mpc.results';

CREATE FUNCTION mpc.results(study text)
RETURNS TABLE (analysis text, relation text, rows bigint, released_at timestamptz, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.results(text) IS
'what a study has released: a row per relation of each analysis. The function named like the relation shows it: mpc.coefficients, mpc.fit. Errors: as mpc.coefficients';

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
