-- Keeps the versions of the data that this node brought to each counterpart, their records, and the rules over them.
--
-- The union rule covers all columns that this node ever used with a counterpart. Other rules cover the persons of its
-- earlier studies.
--
-- Terms
-- The counterpart is the other controller of a study. A data version is columns of this node with their contents,
-- identified by their commitments (src/worker/contents.h). A data version is used when an attempt with it announced the
-- number of matches, or is running. Kept records are the person (keyed) and the numbers of every record of a data
-- version.
--
-- Invariants
-- Kept records never leave the node and are in no dump. A later study on the same data, or on some of its columns, has
-- the same data version. All other data are a new version, which counts against disclosure.versions.

CREATE TABLE mpc_internal.data_versions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  counterpart text NOT NULL,
  study text NOT NULL,
  version integer NOT NULL,
  columns text[] NOT NULL,
  commitments bytea[] NOT NULL,
  key_id bytea NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT now(),
  forgotten boolean NOT NULL DEFAULT false
);
COMMENT ON SEQUENCE mpc_internal.data_versions_id_seq IS 'ids of data versions';
COMMENT ON TABLE mpc_internal.data_versions IS
'columns of this node as they were committed to a counterpart, with the first study that used them; key_id = mark of the source key under which commitments and persons were hashed';
-- Used data versions, without their records.
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.data_versions', 'WHERE id IN (SELECT u.data_version FROM mpc_internal.source_uses AS u)');
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.data_versions_id_seq', '');

CREATE TABLE mpc_internal.kept_records (
  data_version bigint NOT NULL,
  person bytea NOT NULL,
  numbers float8[] NOT NULL,
  CONSTRAINT kept_records_pkey PRIMARY KEY (data_version, person)
);
COMMENT ON TABLE mpc_internal.kept_records IS
'own records of each data version, NULL for a missing value; checked by the union rule and the rule about persons. Personal data of this node''s own source; deleted with mpc.forget_records';

CREATE TABLE mpc_internal.heard_data (
  party text NOT NULL,
  counterpart text NOT NULL,
  number integer NOT NULL,
  columns text[] NOT NULL,
  commitments bytea[] NOT NULL,
  study text NOT NULL,
  passed boolean NOT NULL DEFAULT false,
  heard_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mpc_internal.heard_data IS
'commitments of peers in attempts of this node that reached the match. They identify data that a peer brings again to the same counterpart; passed = a study with all of these columns was released, so the rules over the joint design have checked them together';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.heard_data', '');

-- private functions

CREATE FUNCTION mpc_internal.design_figures(
  query text, OUT records bigint, OUT columns integer, OUT max_leverage float8, OUT sum_squares float8,
  OUT max_vif float8) RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_design_figures';
COMMENT ON FUNCTION mpc_internal.design_figures(text) IS
'leverage and variance inflation of the design whose records a query gives, one float8[] per row (src/disclosure/own_design.h)';

CREATE FUNCTION mpc_internal.commitment(committed text) RETURNS bytea
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_commitment';
COMMENT ON FUNCTION mpc_internal.commitment(text) IS 'HMAC-SHA-256 of a text under the source key of this node';

CREATE FUNCTION mpc_internal.covers(columns text[], commitments bytea[], wanted text[], wanted_commitments bytea[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT c, k FROM unnest($3, $4) AS n (c, k) EXCEPT SELECT c, k FROM unnest($1, $2) AS e (c, k))
$$;
COMMENT ON FUNCTION mpc_internal.covers(text[], bytea[], text[], bytea[]) IS
'whether every wanted column is among the columns, with the same commitment';

CREATE FUNCTION mpc_internal.used_data_versions(counterpart text) RETURNS TABLE (id bigint, number bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT u.data_version, row_number() OVER (ORDER BY min(u.used_at), u.data_version)
    FROM mpc_internal.source_uses AS u WHERE u.counterpart = $1 AND u.data_version IS NOT NULL GROUP BY u.data_version
$$;
COMMENT ON FUNCTION mpc_internal.used_data_versions(text) IS 'data versions that this node used with a counterpart, numbered in the order of their first use';

CREATE FUNCTION mpc_internal.data_number(counterpart text, data_version bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce((SELECT u.number FROM mpc_internal.used_data_versions($1) AS u WHERE u.id = $2),
                  (SELECT count(*) + 1 FROM mpc_internal.used_data_versions($1)))
$$;
COMMENT ON FUNCTION mpc_internal.data_number(text, bigint) IS 'which version of this node''s data it is, or would be, for the counterpart';

CREATE FUNCTION mpc_internal.same_values(one bigint, one_place integer, other bigint, other_place integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(bool_and(a.numbers[$2] = b.numbers[$4]), false)
    FROM mpc_internal.kept_records AS a JOIN mpc_internal.kept_records AS b USING (person)
   WHERE a.data_version = $1 AND b.data_version = $3 AND a.numbers[$2] IS NOT NULL AND b.numbers[$4] IS NOT NULL
$$;
COMMENT ON FUNCTION mpc_internal.same_values(bigint, integer, bigint, integer) IS
'whether a column of two data versions is the same for every person that both have: the versions then differ in their records only';

CREATE FUNCTION mpc_internal.implied_columns(ids bigint[]) RETURNS TABLE (id bigint, name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH levels AS (
    SELECT d.id, c.name, mpc_internal.source_column(c.name) AS attribute,
           (SELECT sum(k.numbers[c.place]) FROM mpc_internal.kept_records AS k WHERE k.data_version = d.id) AS records
      FROM mpc_internal.data_versions AS d, unnest(d.columns) WITH ORDINALITY AS c (name, place)
     WHERE d.id = ANY ($1) AND mpc_internal.source_column(c.name) <> c.name
  ), known AS (
    SELECT l.id, l.name, l.attribute, count(*) OVER of_name AS versions, sum(l.records) OVER of_name AS records
      FROM levels AS l WINDOW of_name AS (PARTITION BY l.name)
  )
  SELECT DISTINCT ON (k.id, k.attribute) k.id, k.name FROM known AS k
   ORDER BY k.id, k.attribute, k.versions DESC, k.records DESC NULLS LAST, k.name COLLATE "C"
$$;
COMMENT ON FUNCTION mpc_internal.implied_columns(bigint[]) IS
'per data version and attribute with levels the column that follows from those of the other levels: the same one in all data versions if possible, and a common level, because the others of a rare one nearly add up to 1';

CREATE FUNCTION mpc_internal.union_query(counterpart text, candidate bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  ids bigint[] := ARRAY(SELECT u.id FROM mpc_internal.used_data_versions(union_query.counterpart) AS u WHERE u.id <> candidate ORDER BY u.number)
                  || candidate;
  term record;
  expressions text[] := '{}';
  names text[] := '{}';
  known bytea[] := '{}';
  versions bigint[] := '{}';
  places integer[] := '{}';
  same integer;
BEGIN
  FOR term IN SELECT d.id, c.name, c.commitment, c.place::integer AS place FROM unnest(ids) WITH ORDINALITY AS i (id, number)
                JOIN mpc_internal.data_versions AS d ON d.id = i.id,
                LATERAL unnest(d.columns, d.commitments) WITH ORDINALITY AS c (name, commitment, place)
               WHERE (d.id, c.name) NOT IN (SELECT m.id, m.name FROM mpc_internal.implied_columns(ids) AS m)
               ORDER BY i.number, c.place LOOP
    CONTINUE WHEN term.commitment = ANY (known);
    known := known || term.commitment;
    SELECT max(g.i) INTO same FROM generate_subscripts(names, 1) AS g (i)
     WHERE names[g.i] = term.name AND versions[g.i] <> term.id
       AND mpc_internal.same_values(versions[g.i], places[g.i], term.id, term.place);
    IF same IS NOT NULL THEN
      expressions[same] := format('coalesce(%s, v%s.numbers[%s])', expressions[same], term.id, term.place);
      CONTINUE;
    END IF;
    expressions := expressions || format('v%s.numbers[%s]', term.id, term.place);
    names := names || term.name;
    versions := versions || term.id;
    places := places || term.place;
  END LOOP;
  RETURN format('SELECT ARRAY[%s]::float8[] FROM %s', array_to_string(expressions, ', '), (
    SELECT string_agg(format('%s(SELECT person, numbers FROM mpc_internal.kept_records WHERE data_version = %s) AS v%s%s',
                             CASE WHEN i.number > 1 THEN ' FULL JOIN ' ELSE '' END, i.id, i.id,
                             CASE WHEN i.number > 1 THEN ' USING (person)' ELSE '' END), '' ORDER BY i.number)
      FROM unnest(ids) WITH ORDINALITY AS i (id, number)));
END
$$;
COMMENT ON FUNCTION mpc_internal.union_query(text, bigint) IS
'query of the design of all columns that this node used with a counterpart and those of a candidate, a float8[] per person; a column whose values are the same for all common persons counts once';

CREATE FUNCTION mpc_internal.require_union(study text, spec jsonb, counterpart text, candidate bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rules jsonb := spec -> 'disclosure';
  most_leverage float8 := coalesce((rules ->> 'max_leverage')::float8, 0.4);
  most_vif float8 := CASE WHEN rules ? 'max_vif' THEN coalesce((rules ->> 'max_vif')::float8, 'infinity') ELSE 200 END;
  figures record;
  most_columns float8;
  most_squares float8;
BEGIN
  PERFORM mpc_internal.require_kept(require_union.counterpart, candidate);
  figures := mpc_internal.design_figures(mpc_internal.union_query(require_union.counterpart, candidate));
  most_columns := coalesce((rules ->> 'max_columns')::float8, floor(figures.records / 10.0));
  most_squares := figures.columns * greatest(0.05, 2.0 * figures.columns / greatest(figures.records, 1)) + 0.3;
  IF most_leverage < 1 AND (figures.max_leverage > most_leverage OR figures.sum_squares > most_squares)
     OR figures.max_vif > most_vif OR figures.columns > most_columns THEN
    RAISE EXCEPTION USING ERRCODE = 'MP005',
      MESSAGE = format('the columns of this node in studies with %s could single out a record', counterpart),
      DETAIL = format('All columns used with it and those of this study: %s that vary over %s records, at most %s allowed; largest leverage of a record %s, allowed %s; sum of squared leverages %s, allowed %s; largest variance inflation %s, allowed %s. No other party learns this.',
                      figures.columns, figures.records, most_columns, round(figures.max_leverage::numeric, 3), most_leverage,
                      round(figures.sum_squares::numeric, 2), round(most_squares::numeric, 2), round(figures.max_vif::numeric), most_vif),
      HINT = 'Use columns that were used before, unchanged; take the logarithm of skewed ones; leave out columns that hold almost the same or differ in few records only. The limits are disclosure.max_leverage, max_vif and max_columns of the spec.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_union(text, jsonb, text, bigint) IS
'union rule: error MP005 with this node''s own figures when all columns used with a counterpart, and those of this study, could single out a record; 55000 when records of earlier ones were deleted';

CREATE FUNCTION mpc_internal.cohort(data_version bigint, columns text[]) RETURNS SETOF bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT r.person
    FROM mpc_internal.kept_records AS r,
         (SELECT array_agg(array_position(d.columns, c)) AS places FROM mpc_internal.data_versions AS d, unnest($2) AS c
           WHERE d.id = $1) AS p
   WHERE r.data_version = $1 AND NOT EXISTS (SELECT FROM unnest(p.places) AS place WHERE r.numbers[place] IS NULL)
$$;
COMMENT ON FUNCTION mpc_internal.cohort(bigint, text[]) IS 'persons of a data version whose records are complete in these columns';

CREATE FUNCTION mpc_internal.require_cohort(study text, spec jsonb, counterpart text, data_version bigint, columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  least bigint := (spec -> 'disclosure' ->> 'min_cohort_change')::bigint;
  records bigint := (SELECT count(*) FROM mpc_internal.cohort(require_cohort.data_version, require_cohort.columns));
  earlier record;
  changed bigint;
BEGIN
  IF least <= 1 THEN
    RETURN;
  END IF;
  FOR earlier IN SELECT u.data_version, u.columns, min(u.study) AS study, min(u.version) AS version FROM mpc_internal.source_uses AS u
                   JOIN mpc_internal.data_versions AS d ON d.id = u.data_version
                  WHERE u.counterpart = require_cohort.counterpart AND (u.match_told OR u.outcome = 'refused' OR u.outcome = 'running' AND u.study <> require_cohort.study)
                    AND (u.data_version, u.columns) IS DISTINCT FROM (require_cohort.data_version, require_cohort.columns)
                  GROUP BY u.data_version, u.columns LOOP
    SELECT count(*) INTO changed FROM mpc_internal.cohort(earlier.data_version, earlier.columns) AS a (person)
      FULL JOIN mpc_internal.cohort(require_cohort.data_version, require_cohort.columns) AS b (person) USING (person)
     WHERE a.person IS NULL OR b.person IS NULL;
    IF changed > 0 AND changed < greatest(least, ceil(records / 100.0)) THEN
      RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'the source has changed by too few persons since an earlier study',
        DETAIL = format('Its %s complete records and those of study "%s", version %s, differ in %s persons; at least %s have to differ (disclosure.min_cohort_change %s, or one in a hundred). No other party learns this.',
                        records, earlier.study, earlier.version, changed, greatest(least, ceil(records / 100.0)), least),
        HINT = 'Two results would reveal data of the few persons by which they differ. Bind the unchanged records, or wait until more have changed.';
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_cohort(text, jsonb, text, bigint, text[]) IS
'error 55000 when the persons of this study differ from those of an earlier one with the counterpart in a few only';

CREATE FUNCTION mpc_internal.require_same_identifier(study text, spec jsonb, counterpart text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rules jsonb := spec -> 'disclosure';
  earlier record;
BEGIN
  IF (rules ->> 'min_cohort_change')::bigint <= 1 AND (rules ->> 'max_leverage')::float8 >= 1 THEN
    RETURN;  -- both rules about persons are off
  END IF;
  SELECT s.study, s.version INTO earlier
    FROM mpc_internal.source_uses AS u JOIN mpc_internal.data_versions AS d ON d.id = u.data_version
    JOIN mpc_internal.studies AS s ON s.study = d.study AND s.version = d.version
   -- A refused match, perhaps refused because of its identifiers, announced nothing.
   WHERE u.counterpart = require_same_identifier.counterpart AND (u.match_told OR u.outcome = 'running')
     AND (s.spec::jsonb -> 'identifier') - 'examples' <> (require_same_identifier.spec -> 'identifier') - 'examples' ORDER BY u.used_at LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" identifies persons differently from earlier studies with %s', study, counterpart),
      DETAIL = format('Study "%s", version %s, normalised identifiers differently, so the rules about persons cannot compare the two.',
                      earlier.study, earlier.version),
      HINT = 'Propose it with the identifier of the earlier studies, or with disclosure.min_cohort_change 0 and max_leverage 1, which all parties are shown.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_same_identifier(text, jsonb, text) IS
'error 55000 when the identifier of a spec has other parts or rules than that of data used with the counterpart before, because persons could not be compared';

CREATE FUNCTION mpc_internal.require_versions(study text, spec jsonb, counterpart text, data_version bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number bigint := mpc_internal.data_number(counterpart, data_version);
  most bigint := coalesce((spec -> 'disclosure' ->> 'versions')::bigint, 3);
BEGIN
  IF number > most THEN
    RAISE EXCEPTION USING ERRCODE = 'MP005', MESSAGE = format('this node would bring version %s of its data to %s', number, counterpart),
      DETAIL = format('The data differ from all data used in earlier studies with it: in a column, a value or a person; disclosure.versions is %s.', most),
      HINT = 'Bind data that were used before, or columns of them: a snapshot (materialized view) that all studies share.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_versions(text, jsonb, text, bigint) IS
'error MP005 when the data would be one version more than disclosure.versions for the counterpart';

CREATE FUNCTION mpc_internal.counterpart_of(parties text[], party text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE $2 WHEN $1[1] THEN $1[2] WHEN $1[2] THEN $1[1] END $$;
COMMENT ON FUNCTION mpc_internal.counterpart_of(text[], text) IS 'the other controller; NULL for the third party';

CREATE FUNCTION mpc_internal.require_data(held mpc_internal.current_studies, approval mpc_internal.approvals) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  other text := mpc_internal.counterpart_of(held.parties, approval.party);
  newer text;
BEGIN
  IF approval.data_version IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" was approved under an older version of pg_mpc', held.study),
      DETAIL = 'The approval does not say what data it commits to.', HINT = 'Approve it again.';
  END IF;
  PERFORM mpc_internal.require_kept(other, 0);
  IF NOT mpc_internal.is_kept(approval.data_version) THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the records of study "%s" are not kept any more', held.study),
      DETAIL = 'mpc.forget_records or a restore removed them since the approval.', HINT = 'Approve it again.';
  END IF;
  PERFORM mpc_internal.require_versions(held.study, held.spec::jsonb, other, approval.data_version);
  PERFORM mpc_internal.require_same_identifier(held.study, held.spec::jsonb, other);
  PERFORM mpc_internal.require_cohort(held.study, held.spec::jsonb, other, approval.data_version, approval.columns);
  -- The union was checked at the approval. Only data used since then can change the result.
  SELECT string_agg(DISTINCT u.study, ', ') INTO newer FROM mpc_internal.source_uses AS u
   WHERE u.counterpart = other AND u.data_version <> approval.data_version
     AND NOT EXISTS (SELECT FROM mpc_internal.source_uses AS e WHERE e.data_version = u.data_version AND e.used_at <= approval.decided_at)
     AND u.study <> held.study;
  IF newer IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('other columns were used with %s since study "%s" was approved', other, held.study),
      DETAIL = format('They belong to study %s. The union rule has not checked them together with the columns of this study.', newer),
      HINT = 'Approve the study again.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_data(mpc_internal.current_studies, mpc_internal.approvals) IS
'at the start: error 55000 or MP005 when data used with the counterpart since the approval forbid the study';
