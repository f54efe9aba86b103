-- What: the disclosure rules that a node enforces by itself: its floor of min_matched, relaxed rules told at approval,
--       the budget of models and refusals of a source, and the cohorts of its earlier studies.
-- Terms: use of a source = an attempt of this node as a controller that told something about the joined records: it
--        released models, was refused by a rule, or ended after the number of matched records was told;
--        cohort = the complete records of the source in a use in which that number was told;
--        same source = one relation in common: the source itself, by oid or by name, or one that it reads.
-- Invariants: nothing here is sent to a peer; a row of source_uses is written with the end of its attempt, in one
--             transaction, and never changed.

-- tables

CREATE TABLE mpc_internal.source_uses (
  study text NOT NULL,
  version integer NOT NULL,
  attempt text NOT NULL,
  used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  outcome text NOT NULL CHECK (outcome IN ('released', 'refused', 'ended')),
  models integer NOT NULL,
  match_told boolean NOT NULL,
  records bigint,
  relations oid[] NOT NULL,
  names text[] NOT NULL,
  CONSTRAINT source_uses_pkey PRIMARY KEY (study, version, attempt)
);
COMMENT ON TABLE mpc_internal.source_uses IS
'attempts of this node that released models, were refused by a disclosure rule or ended after the match: relations read (the source first), complete records; never leaves this node';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.source_uses', '');

-- private functions

CREATE FUNCTION mpc_internal.relations_of(source oid) RETURNS oid[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  -- A view reads what its rewrite rules depend on; a partition is a part of its parents.
  WITH RECURSIVE reads (relation) AS (
    SELECT $1
    UNION
    SELECT found.relation
      FROM reads AS r,
           LATERAL (SELECT d.refobjid
                      FROM pg_rewrite AS w JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                     WHERE w.ev_class = r.relation AND d.refclassid = 'pg_class'::regclass
                    UNION ALL
                    SELECT i.inhparent FROM pg_inherits AS i WHERE i.inhrelid = r.relation) AS found (relation)
           JOIN pg_class AS c ON c.oid = found.relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
     WHERE c.oid >= 16384)
  SELECT array_agg(relation ORDER BY relation <> $1, relation) FROM reads
$$;
COMMENT ON FUNCTION mpc_internal.relations_of(oid) IS
'the source and the relations that it reads: through views, materialized views and partitions, not through functions';

CREATE FUNCTION mpc_internal.names_of(relations oid[]) RETURNS text[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(array_agg(format('%I.%I', n.nspname, c.relname) ORDER BY r.place), '{}')
    FROM unnest($1) WITH ORDINALITY AS r (relation, place)
    JOIN pg_class AS c ON c.oid = r.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
$$;
COMMENT ON FUNCTION mpc_internal.names_of(oid[]) IS
'names of relations with their schemas: they find a source again after a restore, or a table that was made anew';

CREATE FUNCTION mpc_internal.uses_of(source oid) RETURNS SETOF mpc_internal.source_uses
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT u.* FROM mpc_internal.source_uses AS u,
         (SELECT r.relations, mpc_internal.names_of(r.relations) AS names
            FROM (SELECT mpc_internal.relations_of($1) AS relations) AS r) AS own
   WHERE u.relations && own.relations OR u.names && own.names
$$;
COMMENT ON FUNCTION mpc_internal.uses_of(oid) IS 'earlier uses of the same source';

CREATE FUNCTION mpc_internal.record_use(study text, attempt text, outcome text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO mpc_internal.source_uses AS u (study, version, attempt, outcome, models, match_told, records, relations, names)
  SELECT s.study, s.version, s.attempt, record_use.outcome,
         CASE record_use.outcome WHEN 'released' THEN mpc_internal.models_in(s.spec::jsonb) ELSE 1 END,
         s.n_matched IS NOT NULL,
         (SELECT p.records FROM mpc_internal.steps AS p
           WHERE p.study = s.study AND p.version = s.version AND p.attempt = s.attempt AND p.name = 'prepare'
             AND p.party = mpc_internal.own_party()),
         r.relations, coalesce(nullif(mpc_internal.names_of(r.relations), '{}'), ARRAY[a.source_name])
    FROM mpc_internal.studies AS s
    JOIN mpc_internal.approvals AS a
      ON a.study = s.study AND a.version = s.version AND a.party = mpc_internal.own_party() AND a.source IS NOT NULL,
         LATERAL (SELECT coalesce(mpc_internal.relations_of(a.source), ARRAY[a.source]) AS relations) AS r
   WHERE s.study = record_use.study AND s.attempt = record_use.attempt
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION mpc_internal.record_use(text, text, text) IS
'called at the end of an attempt of this node: counts released models, or one for an attempt without any';

CREATE FUNCTION mpc_internal.models_in(spec jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE jsonb_typeof(spec -> 'analysis' -> 'lambda')
           WHEN 'array' THEN jsonb_array_length(spec -> 'analysis' -> 'lambda') ELSE 1 END
$$;
COMMENT ON FUNCTION mpc_internal.models_in(jsonb) IS 'models that a study releases: one per lambda';

CREATE FUNCTION mpc_internal.require_budget(spec jsonb, source oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  budget bigint := (spec -> 'disclosure' ->> 'model_budget')::bigint;
  released bigint;
  others bigint;
BEGIN
  SELECT coalesce(sum(u.models) FILTER (WHERE u.outcome = 'released'), 0),
         coalesce(sum(u.models) FILTER (WHERE u.outcome <> 'released'), 0)
    INTO released, others FROM mpc_internal.uses_of(source) AS u;
  IF released + others + mpc_internal.models_in(spec) > budget THEN
    RAISE EXCEPTION USING ERRCODE = 'MP005', MESSAGE = 'model budget of the source is used up',
      DETAIL = format('Source %s has %s released models and %s attempts that were refused or ended after the match, and the study would add %s; disclosure.model_budget is %s.',
                      source::regclass, released, others, mpc_internal.models_in(spec), budget),
      HINT = 'Every model, every refusal and every match tells a little more about the same records; agree on a larger budget if that is acceptable.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_budget(jsonb, oid) IS
'error MP005 when the models released from a source and its attempts without a release would exceed disclosure.model_budget';

CREATE FUNCTION mpc_internal.earlier_cohorts(source oid) RETURNS jsonb
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('study', u.study, 'version', u.version, 'records', u.records)
                            ORDER BY u.used_at), '[]')
    FROM mpc_internal.uses_of($1) AS u WHERE u.match_told AND u.records IS NOT NULL
$$;
COMMENT ON FUNCTION mpc_internal.earlier_cohorts(oid) IS
'array of {"study","version","records"}: the complete records of this source in attempts that told the number of matches, for this node''s engine only';

CREATE FUNCTION mpc_internal.floor_min_matched() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(current_setting('pg_mpc.min_matched', true), '100')::bigint $$;
COMMENT ON FUNCTION mpc_internal.floor_min_matched() IS 'the smallest disclosure.min_matched that this node takes part in';

CREATE FUNCTION mpc_internal.require_floor(study text, spec jsonb, sqlstate text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  agreed bigint := (spec -> 'disclosure' ->> 'min_matched')::bigint;
BEGIN
  IF agreed < mpc_internal.floor_min_matched() THEN
    RAISE EXCEPTION USING ERRCODE = require_floor.sqlstate,
      MESSAGE = format('disclosure.min_matched of study "%s" is below the floor of this node', study),
      DETAIL = format('The spec has %s, pg_mpc.min_matched of node "%s" is %s.', agreed, mpc_internal.own_party(),
                      mpc_internal.floor_min_matched()),
      HINT = 'Propose a new version with a larger disclosure.min_matched, or ask the administrator of this node about its floor.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_floor(text, jsonb, text) IS
'error (22023 at approval, 55000 at start) when the spec accepts fewer matched records than this node''s pg_mpc.min_matched';

CREATE FUNCTION mpc_internal.notice_relaxed(study text, spec text, party text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rule record;
BEGIN
  FOR rule IN SELECT substr(e.name, 7) AS key, substr(e.learns, 10) AS statement FROM mpc_internal.explain_spec(spec, party) AS e
               WHERE e.name LIKE 'rule: %' AND e.learns LIKE 'relaxed: %' LOOP
    RAISE NOTICE USING MESSAGE = format('study "%s" relaxes disclosure.%s', study, rule.key), DETAIL = rule.statement || '.',
      HINT = 'mpc.reject_study refuses the study; a stricter rule is a new version.';
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.notice_relaxed(text, text, text) IS
'a NOTICE for every disclosure rule of the spec that is looser than its default';

-- the view

CREATE VIEW mpc.source_uses AS
SELECT u.study, u.version, u.attempt, u.used_at, u.outcome, u.models, u.match_told, u.records, u.names AS relations
  FROM mpc_internal.source_uses AS u;
COMMENT ON VIEW mpc.source_uses IS
'what has been used of the budget of this node''s sources: a row per attempt that released models, was refused by a disclosure rule or ended after the match (the latter two count as one), with the relations that it read. Sources that have a relation in common share their budget. records = complete records of this node''s own source';
