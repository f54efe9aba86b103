-- Keeps results of version 0.2.0 and before, which had one table per relation of the only kind of analysis.
--
-- Invariants
-- Nothing is written to these tables any more. Dumps of those versions restore into them. Everything that shows results
-- shows these too.

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
COMMENT ON TABLE mpc_internal.fits IS 'measures of fit of models that version 0.2.0 or an older one released';
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
'coefficients of models that version 0.2.0 or an older one released; the intercept is attribute "(intercept)" without a party';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.coefficients', '');

CREATE VIEW mpc_internal.old_results AS
SELECT f.study, f.version, f.released_at, f.models,
       coalesce(s.spec::jsonb -> 'analysis' ->> 'kind', (SELECT min(k) FROM jsonb_object_keys(s.spec::jsonb -> 'analyses') AS k), 'lasso') AS analysis
  FROM (SELECT o.study, o.version, min(o.released_at) AS released_at, count(*) AS models FROM mpc_internal.fits AS o
         GROUP BY o.study, o.version) AS f
  LEFT JOIN mpc_internal.studies AS s USING (study, version);
COMMENT ON VIEW mpc_internal.old_results IS 'a row per version of a study with an old result, with the name of its only analysis';

CREATE FUNCTION mpc_internal.old_relations(study text, version integer)
RETURNS TABLE (analysis text, relation text, place integer, rows jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT o.analysis, 'coefficients', 1, (SELECT jsonb_agg(to_jsonb(c) - '{study,version,place}'::text[] ORDER BY c.lambda, c.place)
                                           FROM mpc_internal.coefficients AS c WHERE c.study = $1 AND c.version = $2)
    FROM mpc_internal.old_results AS o WHERE o.study = $1 AND o.version = $2
  UNION ALL
  SELECT o.analysis, 'fit', 2, (SELECT jsonb_agg(to_jsonb(f) - '{study,version,released_at,rounds,bytes_sent}'::text[] ORDER BY f.lambda)
                                  FROM mpc_internal.fits AS f WHERE f.study = $1 AND f.version = $2)
    FROM mpc_internal.old_results AS o WHERE o.study = $1 AND o.version = $2
$$;
COMMENT ON FUNCTION mpc_internal.old_relations(text, integer) IS 'an old result as relations';
