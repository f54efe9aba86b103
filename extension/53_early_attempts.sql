-- Limits the attempts that end before the match, per day.
--
-- Such attempts reveal a little to a party, and no budget counts them.
--
-- Terms
-- An early attempt began at this node and ended before the number of matched records, or a refusal, was announced. Its
-- parties are the two peers in it, in byte order. It is charged to the peer that started it and to the peer that ended
-- it, if these peers themselves have said so to this node.
--
-- Invariants
-- Every early attempt counts for its three parties together. So their number is limited, whoever starts them and
-- whoever or whatever ends them, users and errors of this node included. A peer may be charged with twice as many over
-- all its studies. A hostile peer can have at most half of that charged to one of two other parties, so it cannot keep
-- those two from studies without it. Statements of one peer about another, and silence of a peer, charge nobody,
-- because this node cannot know the cause.

CREATE TABLE mpc_internal.early_attempts (
  attempt text PRIMARY KEY,
  ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  study text NOT NULL,
  parties text[] NOT NULL,
  charged text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE mpc_internal.early_attempts IS
'attempts of the last day that ended before the match was announced; parties = the peers in them, charged = those of them that started or ended them';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.early_attempts', '');

CREATE FUNCTION mpc_internal.most_early_attempts() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(current_setting('pg_mpc.early_attempts', true), '50')::bigint $$;
COMMENT ON FUNCTION mpc_internal.most_early_attempts() IS
'early attempts that this node takes part in per day with the same parties; 0 = any number';

CREATE FUNCTION mpc_internal.peers_of(parties text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT array_agg(p ORDER BY p COLLATE "C") FROM unnest(parties) AS p WHERE p <> mpc_internal.own_party() $$;
COMMENT ON FUNCTION mpc_internal.peers_of(text[]) IS 'the parties other than this node, in byte order';

CREATE FUNCTION mpc_internal.require_early_attempts(study text, parties text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most bigint := mpc_internal.most_early_attempts();
  peers text[] := mpc_internal.peers_of(parties);
  since timestamptz := clock_timestamp() - interval '1 day';
  peer text;
BEGIN
  IF most = 0 THEN
    RETURN;
  END IF;
  IF (SELECT count(*) FROM mpc_internal.early_attempts AS e WHERE e.parties = peers AND e.ended_at > since) >= most THEN
    RAISE EXCEPTION USING ERRCODE = '53400',
      MESSAGE = format('too many attempts with parties "%s" ended before the match', array_to_string(peers, '" and "')),
      DETAIL = format('There were %s in the last 24 hours at node "%s"; study "%s" would be one more.', most, mpc_internal.own_party(), study),
      HINT = 'mpc.study_history shows how they ended. Wait, or ask the administrator of this node about pg_mpc.early_attempts.';
  END IF;
  FOREACH peer IN ARRAY peers LOOP
    IF (SELECT count(*) FROM mpc_internal.early_attempts AS e WHERE peer = ANY (e.charged) AND e.ended_at > since) >= 2 * most THEN
      RAISE EXCEPTION USING ERRCODE = '53400',
        MESSAGE = format('party "%s" started or ended too many attempts before the match', peer),
        DETAIL = format('There were %s in the last 24 hours in all its studies at node "%s"; study "%s" would be one more.',
                        2 * most, mpc_internal.own_party(), study),
        HINT = 'mpc.study_history shows how they ended. Wait, or ask the administrator of this node about pg_mpc.early_attempts.';
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_early_attempts(text, text[]) IS
'error 53400 when too many attempts with the same parties, or attempts that one of them started or ended, ended before the match within a day';

CREATE FUNCTION mpc_internal.note_early_attempt(study text, version integer, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM mpc_internal.early_attempts AS e WHERE e.ended_at <= clock_timestamp() - interval '1 day';
  INSERT INTO mpc_internal.early_attempts (attempt, study, parties)
  SELECT note_early_attempt.attempt, s.study, mpc_internal.peers_of(s.parties)
    FROM mpc_internal.studies AS s
   WHERE s.study = note_early_attempt.study AND s.version = note_early_attempt.version AND s.n_matched IS NULL
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION mpc_internal.note_early_attempt(text, integer, text) IS
'called at the end of an attempt without a result: counts it unless the number of matched records was announced';

CREATE FUNCTION mpc_internal.charge_early_attempt(attempt text, started_by text, ended_by text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  UPDATE mpc_internal.early_attempts AS e
     SET charged = ARRAY(SELECT p FROM unnest(e.parties) AS p WHERE p IN ($2, $3))
   WHERE e.attempt = $1
$$;
COMMENT ON FUNCTION mpc_internal.charge_early_attempt(text, text, text) IS
'called by the coordinator after the end of an attempt, with the peer that started it and the peer that says that it ended it; NULL for this node, or if unknown';
