-- Enforces the disclosure rules that one node checks alone: its floors, the model budget, and the cohorts of a source.
--
-- Terms
-- A use of a source is an attempt of this node as a controller that revealed something about the joined records: it
-- released models, was refused by a rule, or ended after the number of matched records was announced. While the attempt
-- runs, its use is a reservation (outcome running) of all that it may take from the budget.
-- A cohort is the complete records of the source in a use in which that number was announced, or may still be. Two
-- sources are the same if they have a relation in common: the source itself, by oid or by name, or one that it reads.
--
-- Invariants
-- Nothing here is sent to a peer. A reservation is made in the transaction that starts its attempt, after the budget
-- was checked under a lock. It is settled in the transaction that ends the attempt, or by recover after a crash. So
-- studies that run at the same time never exceed the budget together. A settled use never changes.

-- tables

CREATE TABLE mpc_internal.source_uses (
  study text NOT NULL,
  version integer NOT NULL,
  attempt text NOT NULL,
  used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  outcome text NOT NULL CHECK (outcome IN ('running', 'released', 'refused', 'ended')),
  models integer NOT NULL,
  match_told boolean NOT NULL,
  records bigint,
  relations oid[] NOT NULL,
  names text[] NOT NULL,
  counterpart text,
  data_version bigint,
  columns text[],
  modelled text,
  numbers bigint,
  CONSTRAINT source_uses_pkey PRIMARY KEY (study, version, attempt)
);
COMMENT ON TABLE mpc_internal.source_uses IS
'attempts of this node that run, released models, were refused by a disclosure rule or ended after the match: relations read (the source first), complete records; data brought to the counterpart, outcome modelled, numbers released; never leaves this node';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.source_uses', '');

-- private functions

CREATE FUNCTION mpc_internal.relations_of(source oid) RETURNS oid[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  -- A view reads the relations on which its rewrite rules depend. A partition belongs to its parents.
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
'names of relations with their schemas: they identify a source after a restore, or a table that was created again';

CREATE FUNCTION mpc_internal.uses_of(source oid) RETURNS SETOF mpc_internal.source_uses
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT u.* FROM mpc_internal.source_uses AS u,
         (SELECT r.relations, mpc_internal.names_of(r.relations) AS names
            FROM (SELECT mpc_internal.relations_of($1) AS relations) AS r) AS own
   WHERE u.relations && own.relations OR u.names && own.names
$$;
COMMENT ON FUNCTION mpc_internal.uses_of(oid) IS 'earlier uses of the same source';

CREATE FUNCTION mpc_internal.reserve_use(study text, version integer, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  agreed jsonb;
  agreed_parties text[];
  bound mpc_internal.approvals%ROWTYPE;
BEGIN
  -- An earlier attempt whose end could not be recorded counts with the last progress that is known.
  PERFORM mpc_internal.settle_use(u.study, u.attempt, 'ended') FROM mpc_internal.source_uses AS u
    WHERE u.study = reserve_use.study AND u.outcome = 'running' AND u.attempt <> reserve_use.attempt;
  SELECT s.spec, s.parties INTO agreed, agreed_parties FROM mpc_internal.studies AS s
   WHERE s.study = reserve_use.study AND s.version = reserve_use.version;
  SELECT a.* INTO bound FROM mpc_internal.approvals AS a
   WHERE a.study = reserve_use.study AND a.version = reserve_use.version AND a.party = mpc_internal.own_party()
     AND a.source IS NOT NULL;
  IF NOT FOUND THEN
    RETURN;  -- the third party has no source
  END IF;
  LOCK TABLE mpc_internal.source_uses IN SHARE ROW EXCLUSIVE MODE;
  PERFORM mpc_internal.require_budget(study, agreed, bound.source);
  INSERT INTO mpc_internal.source_uses (study, version, attempt, outcome, models, match_told, records, counterpart, data_version,
                                        columns, modelled, numbers, relations, names)
  SELECT reserve_use.study, reserve_use.version, reserve_use.attempt, 'running', mpc_internal.models_in(agreed), false,
         bound.source_records, mpc_internal.counterpart_of(agreed_parties, bound.party), bound.data_version, bound.columns,
         mpc_internal.outcome_of(agreed),
         mpc_internal.charged_numbers(agreed, mpc_internal.counterpart_of(agreed_parties, bound.party), reserve_use.study),
         r.relations, coalesce(nullif(mpc_internal.names_of(r.relations), '{}'), ARRAY[bound.source_name])
    FROM (SELECT coalesce(mpc_internal.relations_of(bound.source), ARRAY[bound.source]) AS relations) AS r
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION mpc_internal.reserve_use(text, integer, text) IS
'called at the start of an attempt of this node: reserves its models; error MP005 when they and those of running studies exceed the budget';

CREATE FUNCTION mpc_internal.settle_use(study text, attempt text, outcome text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  told boolean := (SELECT s.n_matched IS NOT NULL FROM mpc_internal.studies AS s
                    WHERE s.study = settle_use.study AND s.attempt = settle_use.attempt);
BEGIN
  IF outcome = 'ended' AND NOT coalesce(told, false) THEN
    DELETE FROM mpc_internal.source_uses AS u
     WHERE u.study = settle_use.study AND u.attempt = settle_use.attempt AND u.outcome = 'running';
    RETURN;
  END IF;
  UPDATE mpc_internal.source_uses AS u
     SET outcome = settle_use.outcome, match_told = told,
         models = CASE settle_use.outcome WHEN 'released' THEN u.models ELSE 1 END,
         numbers = CASE settle_use.outcome WHEN 'released' THEN u.numbers ELSE mpc_internal.numbers_of_model(
                     (SELECT s.spec::jsonb FROM mpc_internal.studies AS s WHERE s.study = u.study AND s.version = u.version)) END,
         records = coalesce((SELECT p.records FROM mpc_internal.steps AS p
                              WHERE p.study = u.study AND p.version = u.version AND p.attempt = u.attempt
                                AND p.name = 'prepare' AND p.party = mpc_internal.own_party()), u.records)
   WHERE u.study = settle_use.study AND u.attempt = settle_use.attempt AND u.outcome = 'running';
END
$$;
COMMENT ON FUNCTION mpc_internal.settle_use(text, text, text) IS
'called at the end of an attempt of this node: its reservation becomes the models that it released, or one for an attempt without any, or nothing when the number of matched records was not announced';

CREATE FUNCTION mpc_internal.models_in(spec jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$ SELECT sum(r.models)::integer FROM mpc_internal.releases_of($1::text) AS r $$;
COMMENT ON FUNCTION mpc_internal.models_in(jsonb) IS 'models that a study releases';

CREATE FUNCTION mpc_internal.numbers_of_model(spec jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 2 + sum((SELECT sum(CASE jsonb_typeof(a) WHEN 'object' THEN jsonb_array_length(a -> 'levels') - 1 ELSE 1 END)
                    FROM jsonb_array_elements(c.value -> 'attributes') AS a))::bigint
    FROM jsonb_each(spec -> 'controllers') AS c
$$;
COMMENT ON FUNCTION mpc_internal.numbers_of_model(jsonb) IS 'numbers of one model of all attributes: coefficients, intercept, R squared; a refused attempt is charged as many';

CREATE FUNCTION mpc_internal.outcome_of(spec jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$ SELECT string_agg(DISTINCT coalesce(r.outcome, '(' || r.kind || ')'), ',') FROM mpc_internal.releases_of($1::text) AS r $$;
COMMENT ON FUNCTION mpc_internal.outcome_of(jsonb) IS 'the outcomes of the analyses as party.column, or (kind) of those without one, separated by commas';

CREATE FUNCTION mpc_internal.charged_numbers(spec text, before text[]) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_charged_numbers';
COMMENT ON FUNCTION mpc_internal.charged_numbers(text, text[]) IS
'released numbers that a study counts, when analyses of these have been released before: controllers with an outcome, (kind) where there is none';

CREATE FUNCTION mpc_internal.charged_numbers(spec jsonb, counterpart text, study text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT mpc_internal.charged_numbers($1::text, ARRAY(
    SELECT DISTINCT split_part(o.outcome, '.', 1)
      FROM mpc_internal.source_uses AS u, unnest(string_to_array(u.modelled, ',')) AS o (outcome)
     WHERE u.counterpart = $2 AND (u.outcome = 'released' OR u.outcome = 'running' AND u.study <> $3)))
$$;
COMMENT ON FUNCTION mpc_internal.charged_numbers(jsonb, text, text) IS
'released numbers that a study counts against disclosure.released_numbers: all of its models except, per controller, the largest first one of an outcome of that controller. Models with each column of a controller in turn as the outcome would reveal all second moments of its matched records. Of a kind without outcomes the first analysis has free numbers, too (describe: two per attribute, or one per level). Numbers with exact precision count four times';

CREATE FUNCTION mpc_internal.numbers_before(counterpart text, study text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(sum(coalesce(u.numbers, u.models * mpc_internal.numbers_of_model(s.spec::jsonb))), 0)::bigint
    FROM mpc_internal.source_uses AS u JOIN mpc_internal.studies AS s USING (study, version)
   WHERE coalesce(u.counterpart, mpc_internal.counterpart_of(s.parties, mpc_internal.own_party())) = $1
     AND (u.outcome <> 'running' OR u.study <> $2)
$$;
COMMENT ON FUNCTION mpc_internal.numbers_before(text, text) IS
'released numbers that count against disclosure.released_numbers with a counterpart, other running studies included. For uses that an older version recorded: models times the numbers of a model';

CREATE FUNCTION mpc_internal.require_budget(study text, spec jsonb, source oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  budget bigint := (spec -> 'disclosure' ->> 'model_budget')::bigint;
  released bigint;
  reserved bigint;
  others bigint;
BEGIN
  SELECT coalesce(sum(u.models) FILTER (WHERE u.outcome = 'released'), 0),
         coalesce(sum(u.models) FILTER (WHERE u.outcome = 'running' AND u.study <> require_budget.study), 0),
         coalesce(sum(u.models) FILTER (WHERE u.outcome IN ('refused', 'ended')), 0)
    INTO released, reserved, others FROM mpc_internal.uses_of(source) AS u;
  IF released + reserved + others + mpc_internal.models_in(spec) > budget THEN
    RAISE EXCEPTION USING ERRCODE = 'MP005', MESSAGE = 'model budget of the source is used up',
      DETAIL = format('Source %s has %s released models and %s attempts that were refused or ended after the match, %sand the study would add %s; disclosure.model_budget is %s.',
                      source::regclass, released, others,
                      CASE WHEN reserved > 0 THEN format('running studies may add %s, ', reserved) ELSE '' END,
                      mpc_internal.models_in(spec), budget),
      HINT = CASE WHEN released + others + mpc_internal.models_in(spec) <= budget
                  THEN 'Wait until the running studies have ended: what they do not use becomes free.'
             ELSE 'Every model, every refusal and every match reveals a little more about the same records; agree on a larger budget if that is acceptable.' END;
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_budget(text, jsonb, oid) IS
'error MP005 when the models released from a source, those that other running studies may release, and its attempts without a release would exceed disclosure.model_budget';

CREATE FUNCTION mpc_internal.beyond_floors(spec jsonb) RETURNS TABLE (rule text, agreed text, floor text, at_least boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  -- A setting below 0 is off. at_least: the value of the spec must be at least the setting, otherwise at most. The
  -- defaults of a spec are its number of columns and 100 released numbers (default_released_numbers in
  -- study/disclosure.h).
  SELECT r.rule, coalesce(d.agreed, 'none'), s.floor, r.at_least
    FROM (VALUES ('min_matched', true), ('max_parameter_ratio', false), ('min_level_count', true), ('max_dominance', false),
                 ('model_budget', false), ('min_cohort_change', true), ('min_lambda', true), ('max_leverage', false), ('max_vif', false),
                 ('max_columns', false), ('versions', false), ('released_numbers', false)) AS r (rule, at_least),
         LATERAL (SELECT coalesce(current_setting('pg_mpc.' || r.rule, true), CASE r.rule WHEN 'min_matched' THEN '100' ELSE '-1' END)) AS s (floor),
         LATERAL (SELECT coalesce($1 -> 'disclosure' ->> r.rule, CASE r.rule
                           WHEN 'max_columns' THEN (mpc_internal.numbers_of_model($1) - 2)::text
                           WHEN 'released_numbers' THEN '100' END)) AS d (agreed)
   WHERE s.floor::numeric >= 0
     AND CASE WHEN d.agreed IS NULL THEN r.rule IN ('min_lambda', 'max_vif')
              WHEN r.at_least THEN d.agreed::numeric < s.floor::numeric ELSE d.agreed::numeric > s.floor::numeric END
  UNION ALL
  SELECT 'own_moments', 'true', 'off', false
   WHERE NOT coalesce(current_setting('pg_mpc.own_moments', true), 'on')::boolean AND ($1 -> 'disclosure' -> 'own_moments')::boolean
  UNION ALL
  SELECT 'precision', p.agreed, p.floor, false
    FROM (SELECT $1 -> 'release' ->> 'precision', coalesce(current_setting('pg_mpc.precision', true), '')) AS p (agreed, floor)
   WHERE p.floor <> '' AND array_position('{exact,statistical,coarse}', p.agreed) < array_position('{exact,statistical,coarse}', p.floor)
$$;
COMMENT ON FUNCTION mpc_internal.beyond_floors(jsonb) IS 'rules of a spec that are looser than the settings of this node allow';

CREATE FUNCTION mpc_internal.require_floor(study text, spec jsonb, sqlstate text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  beyond record;
BEGIN
  SELECT b.*, CASE b.rule WHEN 'precision' THEN 'release.' ELSE 'disclosure.' END || b.rule AS key INTO beyond
    FROM mpc_internal.beyond_floors(spec) AS b LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = require_floor.sqlstate,
      MESSAGE = format('%s of study "%s" is %s of this node', beyond.key, study,
                       CASE WHEN beyond.at_least THEN 'below the floor' ELSE 'beyond the limit' END),
      DETAIL = format('The spec has %s, pg_mpc.%s of node "%s" is %s.', beyond.agreed, beyond.rule, mpc_internal.own_party(), beyond.floor),
      HINT = format('Propose a new version with a stricter %s, or ask the administrator of this node about its setting.', beyond.key);
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_floor(text, jsonb, text) IS
'error (22023 at approval, 55000 at start) when a rule of the spec is looser than this node''s setting of that rule';

CREATE FUNCTION mpc_internal.notice_relaxed(study text, spec text, party text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rule record;
BEGIN
  FOR rule IN SELECT substr(e.name, 7) AS key, substr(e.learns, 10) AS statement FROM mpc_internal.explain_spec(spec, party) AS e
               WHERE e.name LIKE 'rule: %' AND e.learns LIKE 'relaxed: %' LOOP
    RAISE NOTICE USING MESSAGE = format('study "%s" relaxes %s%s', study, CASE WHEN rule.key NOT LIKE 'release.%' THEN 'disclosure.' END, rule.key),
      DETAIL = rule.statement || '.',
      HINT = 'mpc.reject_study refuses the study; a stricter rule is a new version.';
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.notice_relaxed(text, text, text) IS
'a NOTICE for every disclosure rule of the spec that is looser than its default';

-- the view

CREATE FUNCTION mpc_internal.budget_of(
  relations oid[], names text[], counterpart text, OUT numbers_used bigint, OUT numbers_left bigint, OUT models_left bigint) RETURNS record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  -- The defaults of model_budget and released_numbers (study/disclosure.h). m: the last announced match count.
  SELECT used, CASE WHEN m IS NOT NULL THEN greatest(0, least(100, m / 10) - used) END, greatest(0, 100 - models)
    FROM (SELECT CASE WHEN $3 IS NOT NULL THEN mpc_internal.numbers_before($3, '') END AS used,
                 (SELECT sum(u.models) FROM mpc_internal.source_uses AS u WHERE u.relations && $1 OR u.names && $2) AS models,
                 (SELECT s.n_matched FROM mpc_internal.source_uses AS u JOIN mpc_internal.studies AS s USING (study, version)
                   WHERE u.counterpart = $3 AND u.match_told AND s.n_matched IS NOT NULL ORDER BY u.used_at DESC LIMIT 1) AS m) AS b
$$;
COMMENT ON FUNCTION mpc_internal.budget_of(oid[], text[], text) IS
'used and left now, running studies included: released numbers of all sources with a counterpart, models of the sources that share a relation';

CREATE VIEW mpc.source_uses WITH (security_barrier) AS
SELECT u.study, u.version, u.outcome, u.models, u.numbers, u.records, u.counterpart, u.match_told, b.numbers_used, b.numbers_left,
       b.models_left, u.used_at, u.names AS relations, u.columns, u.attempt
  FROM mpc_internal.source_uses AS u
  LEFT JOIN LATERAL mpc_internal.budget_of(u.relations, u.names, u.counterpart) AS b ON mpc_internal.sees_every_study()
 WHERE (mpc_internal.sees_every_study() OR (u.study, u.version) IN (SELECT r.study, r.version FROM mpc_internal.readable_versions AS r));
COMMENT ON VIEW mpc.source_uses IS
'the budget of the sources of this node, used and left. There is a row per attempt that runs (it reserves its models), released models, was refused by a disclosure rule or ended after the match (the latter two count as one model), with the relations that it read. Sources that have a relation in common share their models; all sources share the numbers of a counterpart. records = complete records of this node''s own source; numbers = released numbers that count against disclosure.released_numbers with the counterpart. Three columns give the present state, running studies included: numbers_used of that counterpart; numbers_left at the default limit, a tenth of the last announced number of matches and at most 100, NULL before the first one; models_left of the default model_budget for the sources of the row. They differ for a study whose spec has other limits, and are NULL for readers who do not see every study';
