-- The relations of describe: Table 1, cross-tables, correlations, and tests that follow from them.
--
-- Terms
-- The levels of a two-valued attribute are '0', its lower value, and '1', its higher value. A categorical attribute has
-- the levels of the spec.
-- A group is a level of the attribute `by` of the spec. Group 0 is the first of two, group 1 the second.
-- A withheld table is not released because a disclosure rule forbids it. The other tables of the study are not affected.
--
-- Invariants
-- mpc.test computes with released numbers only.

-- private functions

CREATE VIEW mpc_internal.describe_rows AS
SELECT r.study, r.version, r.analysis, d.ordinality AS place, d.attribute, d.party, d.level, d.by_attribute, d.by_level, d.n,
       d.mean, d.sd, d.share, d.withheld, d.mean_grid, d.sd_grid
  FROM mpc_internal.relations AS r,
       ROWS FROM (jsonb_to_recordset(r.rows) AS (
         attribute text, party text, level text, by_attribute text, by_level text, n bigint, mean float8, sd float8,
         share float8, withheld boolean, mean_grid float8, sd_grid float8)) WITH ORDINALITY AS d
 WHERE r.relation = 'describe';
COMMENT ON VIEW mpc_internal.describe_rows IS 'a row per attribute, level and group, as released';

CREATE VIEW mpc_internal.crosstab_rows AS
SELECT r.study, r.version, r.analysis, c.ordinality AS place, c.tab, c.row_attribute, c.row_party, c.row_level,
       c.column_attribute, c.column_party, c.column_level, c.n, c.withheld
  FROM mpc_internal.relations AS r,
       ROWS FROM (jsonb_to_recordset(r.rows) AS (
         tab integer, row_attribute text, row_party text, row_level text, column_attribute text, column_party text,
         column_level text, n bigint, withheld boolean)) WITH ORDINALITY AS c
 WHERE r.relation = 'crosstab';
COMMENT ON VIEW mpc_internal.crosstab_rows IS 'a row per cell of a cross-table, as released';

CREATE FUNCTION mpc_internal.chi_square_test(cells bigint[], columns bigint, OUT statistic float8, OUT df float8, OUT p_value float8)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH c AS (
    SELECT u.n, sum(u.n) OVER (PARTITION BY (u.place - 1) / columns) * sum(u.n) OVER (PARTITION BY (u.place - 1) % columns)
                / nullif(sum(u.n) OVER (), 0) AS expected
      FROM (SELECT e.n::float8 AS n, e.place FROM unnest(cells) WITH ORDINALITY AS e (n, place)) AS u
  ), s AS (
    SELECT CASE WHEN bool_and(c.expected > 0) THEN sum((c.n - c.expected) ^ 2 / nullif(c.expected, 0)) END AS value,
           ((cardinality(cells) / columns - 1) * (columns - 1))::float8 AS freedom
      FROM c
  )
  SELECT s.value, CASE WHEN s.value IS NOT NULL THEN s.freedom END, mpc_internal.chi_square_tail(s.value, s.freedom) FROM s
$$;
COMMENT ON FUNCTION mpc_internal.chi_square_test(bigint[], bigint) IS
'Pearson''s test of a table with so many columns, row by row, without continuity correction; NULL where a margin is 0';

CREATE FUNCTION mpc_internal.welch_test(
  n bigint[], mean float8[], sd float8[], OUT statistic float8, OUT df float8, OUT p_value float8)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH v AS (
    SELECT sd[1] ^ 2 / nullif(n[1] - 1, 0) AS a, sd[2] ^ 2 / nullif(n[2] - 1, 0) AS b
  ), s AS (
    SELECT (mean[2] - mean[1]) / nullif(sqrt(v.a + v.b), 0) AS value,
           (v.a + v.b) ^ 2 / nullif(v.a ^ 2 / (n[1] - 1) + v.b ^ 2 / (n[2] - 1), 0) AS freedom FROM v
  )
  SELECT s.value, s.freedom, mpc_internal.student_two_sided(s.value, s.freedom) FROM s
$$;
COMMENT ON FUNCTION mpc_internal.welch_test(bigint[], float8[], float8[]) IS
'Welch''s t test of group 1 against group 0; sd divides by n, as released; NULL where both groups have no variance';

CREATE FUNCTION mpc_internal.test_rows(study text, version integer, analysis text)
RETURNS TABLE (test text, attribute text, party text, by_attribute text, statistic float8, df float8, p_value float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH numeric_rows AS (
    SELECT min(d.place) AS place, d.attribute, d.party, d.by_attribute, array_agg(d.n ORDER BY d.place) AS n,
           array_agg(d.mean ORDER BY d.place) AS mean, array_agg(d.sd ORDER BY d.place) AS sd
      FROM mpc_internal.describe_rows AS d
     WHERE d.study = $1 AND d.version = $2 AND d.analysis = $3 AND d.by_level IS NOT NULL AND d.level IS NULL
     GROUP BY d.attribute, d.party, d.by_attribute HAVING NOT bool_or(d.withheld OR d.mean IS NULL) AND count(*) = 2
  ), cell_rows AS (
    SELECT min(d.place) AS place, d.attribute, d.party, d.by_attribute, array_agg(d.n ORDER BY d.place) AS n,
           count(DISTINCT d.by_level) AS groups, CASE count(*) WHEN 4 THEN (array_agg(d.share ORDER BY d.place))[3:4] END AS share
      FROM mpc_internal.describe_rows AS d
     WHERE d.study = $1 AND d.version = $2 AND d.analysis = $3 AND d.by_level IS NOT NULL AND d.level IS NOT NULL
     GROUP BY d.attribute, d.party, d.by_attribute HAVING NOT bool_or(d.withheld OR d.share IS NULL)
  ), tables AS (
    SELECT min(c.place) AS place, c.row_attribute, c.row_party, c.column_attribute,
           array_agg(c.n ORDER BY c.place) AS n, count(DISTINCT c.column_level) AS columns
      FROM mpc_internal.crosstab_rows AS c
     WHERE c.study = $1 AND c.version = $2 AND c.analysis = $3
     GROUP BY c.tab, c.row_attribute, c.row_party, c.column_attribute HAVING NOT bool_or(c.withheld)
  ), tests AS (
    SELECT 1 AS part, w.place, 1 AS kind, 'welch t' AS test, w.attribute, w.party, w.by_attribute, t.statistic, t.df, t.p_value
      FROM numeric_rows AS w, mpc_internal.welch_test(w.n, w.mean, w.sd) AS t
    UNION ALL
    SELECT 1, w.place, 2, 'standardised difference', w.attribute, w.party, w.by_attribute,
           (w.mean[2] - w.mean[1]) / nullif(sqrt((w.sd[1] ^ 2 + w.sd[2] ^ 2) / 2), 0), NULL, NULL FROM numeric_rows AS w
    UNION ALL
    SELECT 1, c.place, 1, 'chi-square', c.attribute, c.party, c.by_attribute, t.statistic, t.df, t.p_value
      FROM cell_rows AS c, mpc_internal.chi_square_test(c.n, c.groups) AS t
    UNION ALL
    SELECT 1, c.place, 2, 'standardised difference', c.attribute, c.party, c.by_attribute,
           (c.share[2] - c.share[1])
           / nullif(sqrt(greatest(c.share[1] * (1 - c.share[1]) + c.share[2] * (1 - c.share[2]), 0) / 2), 0), NULL, NULL
      FROM cell_rows AS c WHERE c.share IS NOT NULL
    UNION ALL
    SELECT 2, t.place, 1, 'chi-square', t.row_attribute, t.row_party, t.column_attribute, s.statistic, s.df, s.p_value
      FROM tables AS t, mpc_internal.chi_square_test(t.n, t.columns) AS s
  )
  SELECT t.test, t.attribute, t.party, t.by_attribute, t.statistic, t.df, t.p_value FROM tests AS t ORDER BY t.part, t.place, t.kind
$$;
COMMENT ON FUNCTION mpc_internal.test_rows(text, integer, text) IS 'implements mpc.test for one analysis';

-- public functions

CREATE FUNCTION mpc_internal.describe(caller oid, study text, analysis text)
RETURNS TABLE (attribute text, party text, level text, by_level text, n bigint, mean float8, sd float8, share float8,
               withheld boolean, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
  name text;
BEGIN
  number := mpc_internal.released_version(caller, study);
  name := mpc_internal.one_analysis(study, number, 'describe', $3);
  RETURN QUERY SELECT d.attribute, d.party, d.level, d.by_level, d.n, mpc_internal.released_digits(d.mean, d.mean_grid),
                      mpc_internal.released_digits(d.sd, d.sd_grid), d.share, d.withheld, d.version
                 FROM mpc_internal.describe_rows AS d
                WHERE d.study = describe.study AND d.version = number AND d.analysis = name ORDER BY d.place;
END
$$;
COMMENT ON FUNCTION mpc_internal.describe(oid, text, text) IS 'implements mpc.describe; NULL: the only analysis';

CREATE FUNCTION mpc.describe(study text, analysis text DEFAULT NULL)
RETURNS TABLE (attribute text, party text, level text, by_level text, n bigint, mean float8, sd float8, share float8,
               withheld boolean, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.describe(text, text) IS
'Table 1 of a released study: numeric attributes have a row with mean and sd (which divides by n), two-valued ones a row per level (0: the lower value, 1: the higher one) with n and share, categorical ones a row per level of the spec. Rows with by_level are about the records of that level of the attribute by. withheld: a disclosure rule forbids the table; its numbers are NULL. Unless release.precision is exact, n of levels is rounded to a multiple of 5 (coarse: 20). analysis: the name of one, needed where a study has several of them (error 22023 lists them; mpc.results lists all). Errors: as mpc.coefficients';

CREATE FUNCTION mpc_internal.crosstab(caller oid, study text, analysis text)
RETURNS TABLE (tab integer, row_attribute text, row_level text, column_attribute text, column_level text, n bigint,
               withheld boolean, row_party text, column_party text, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
  name text;
BEGIN
  number := mpc_internal.released_version(caller, study);
  name := mpc_internal.one_analysis(study, number, 'crosstab', $3);
  RETURN QUERY SELECT c.tab, c.row_attribute, c.row_level, c.column_attribute, c.column_level, c.n, c.withheld, c.row_party,
                      c.column_party, c.version
                 FROM mpc_internal.crosstab_rows AS c
                WHERE c.study = crosstab.study AND c.version = number AND c.analysis = name ORDER BY c.place;
END
$$;
COMMENT ON FUNCTION mpc_internal.crosstab(oid, text, text) IS 'implements mpc.crosstab; NULL: the only analysis';

CREATE FUNCTION mpc.crosstab(study text, analysis text DEFAULT NULL)
RETURNS TABLE (tab integer, row_attribute text, row_level text, column_attribute text, column_level text, n bigint,
               withheld boolean, row_party text, column_party text, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.crosstab(text, text) IS
'cross-tables of a released study, a row per cell; tab is the number of the table in the spec, from 1. n is the number of records, rounded as in mpc.describe, or NULL where the table is withheld. Errors: as mpc.describe';

CREATE FUNCTION mpc_internal.correlation(caller oid, study text, analysis text)
RETURNS TABLE (attribute_a text, party_a text, attribute_b text, party_b text, r float8, withheld boolean, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
  name text;
BEGIN
  number := mpc_internal.released_version(caller, study);
  name := mpc_internal.one_analysis(study, number, 'correlation', $3);
  RETURN QUERY SELECT c.attribute_a, c.party_a, c.attribute_b, c.party_b, mpc_internal.released_digits(c.r, c.grid), c.withheld,
                      number
                 FROM mpc_internal.relations AS l,
                      ROWS FROM (jsonb_to_recordset(l.rows) AS (
                        attribute_a text, party_a text, attribute_b text, party_b text, r float8, grid float8, withheld boolean))
                      WITH ORDINALITY AS c
                WHERE l.study = correlation.study AND l.version = number AND l.analysis = name AND l.relation = 'correlation'
                ORDER BY c.ordinality;
END
$$;
COMMENT ON FUNCTION mpc_internal.correlation(oid, text, text) IS 'implements mpc.correlation; NULL: the only analysis';

CREATE FUNCTION mpc.correlation(study text, analysis text DEFAULT NULL)
RETURNS TABLE (attribute_a text, party_a text, attribute_b text, party_b text, r float8, withheld boolean, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.correlation(text, text) IS
'Pearson correlations of a released study, a row per pair of attributes without levels: those of different controllers, and with disclosure.own_moments also those of one. Of two two-valued attributes it follows from the rounded cells of their table. r is NULL where it is withheld. Errors: as mpc.describe';

CREATE FUNCTION mpc_internal.test(caller oid, study text, analysis text)
RETURNS TABLE (test text, attribute text, by_attribute text, statistic float8, df float8, p_value float8, party text, version integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer;
  name text;
BEGIN
  number := mpc_internal.released_version(caller, study);
  name := mpc_internal.one_analysis(study, number, 'describe', $3);
  RETURN QUERY SELECT t.test, t.attribute, t.by_attribute, t.statistic, t.df, t.p_value, t.party, number
                 FROM mpc_internal.test_rows(study, number, name) AS t;
END
$$;
COMMENT ON FUNCTION mpc_internal.test(oid, text, text) IS 'implements mpc.test; NULL: the only analysis';

CREATE FUNCTION mpc.test(study text, analysis text DEFAULT NULL)
RETURNS TABLE (test text, attribute text, by_attribute text, statistic float8, df float8, p_value float8, party text, version integer)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.test(text, text) IS
'tests that follow from the released tables of a study and reveal nothing more: of numeric attributes in two groups welch t, of the others and of cross-tables chi-square (Pearson, without continuity correction), and in two groups, of attributes with at most two levels, the standardised difference of group 1 and group 0 (no p value). Rounded inputs make the statistics approximate. Withheld tables have no row. Errors: as mpc.describe';

-- privileges

GRANT EXECUTE ON FUNCTION mpc.describe(text, text), mpc.crosstab(text, text), mpc.correlation(text, text), mpc.test(text, text)
  TO mpc_reader, mpc_study, mpc_admin;
