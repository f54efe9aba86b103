-- What: attempts of this node that ended before the match was told: they tell a party little, but nothing that its budget
--       counts, so they are counted here, per peer and day.
-- Terms: early attempt = one that began at this node and ended before the number of matched records, or a refusal, was
--        told; with a peer = in a study of which that peer is a party, whoever started it.

CREATE TABLE mpc_internal.early_attempts (
  attempt text PRIMARY KEY,
  ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  study text NOT NULL,
  parties text[] NOT NULL
);
COMMENT ON TABLE mpc_internal.early_attempts IS 'attempts of the last day that ended before the match was told; parties = the peers in them';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.early_attempts', '');

CREATE FUNCTION mpc_internal.most_early_attempts() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(current_setting('pg_mpc.early_attempts', true), '50')::bigint $$;
COMMENT ON FUNCTION mpc_internal.most_early_attempts() IS 'early attempts that this node takes part in per peer and day; 0 = any number';

CREATE FUNCTION mpc_internal.require_early_attempts(study text, parties text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most bigint := mpc_internal.most_early_attempts();
  peer text;
BEGIN
  FOREACH peer IN ARRAY parties LOOP
    IF most > 0 AND peer <> mpc_internal.own_party()
       AND (SELECT count(*) FROM mpc_internal.early_attempts AS e
             WHERE peer = ANY (e.parties) AND e.ended_at > clock_timestamp() - interval '1 day') >= most THEN
      RAISE EXCEPTION USING ERRCODE = '53400',
        MESSAGE = format('too many attempts with party "%s" ended before the match', peer),
        DETAIL = format('There were %s in the last 24 hours at node "%s"; study "%s" would be one more.', most, mpc_internal.own_party(), study),
        HINT = 'mpc.study_history shows how they ended. Wait, or ask the administrator of this node about pg_mpc.early_attempts.';
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_early_attempts(text, text[]) IS
'error 53400 naming the peer when too many attempts with it ended before the match within a day';

CREATE FUNCTION mpc_internal.note_early_attempt(study text, version integer, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM mpc_internal.early_attempts AS e WHERE e.ended_at <= clock_timestamp() - interval '1 day';
  INSERT INTO mpc_internal.early_attempts (attempt, study, parties)
  SELECT note_early_attempt.attempt, s.study, array_remove(s.parties, mpc_internal.own_party())
    FROM mpc_internal.studies AS s
   WHERE s.study = note_early_attempt.study AND s.version = note_early_attempt.version AND s.n_matched IS NULL
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION mpc_internal.note_early_attempt(text, integer, text) IS
'called at the end of an attempt without a result: counts it unless the number of matched records was told';
