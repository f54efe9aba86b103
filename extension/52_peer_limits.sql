-- Limits what an approved peer can make this node keep, and cleans its texts.
--
-- Invariants
-- Every list that a peer can extend has a limit per peer and study, far above what an honest party needs. A party can
-- always withdraw its approval.

CREATE FUNCTION mpc_internal.peer_text(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  -- Control characters, direction marks, separators and zero-width joiners.
  SELECT nullif(left(btrim(replace(regexp_replace($1,
           '[\s\u0001-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+', ' ', 'g'),
           '"', '''')), 300), '')
$$;
COMMENT ON FUNCTION mpc_internal.peer_text(text) IS
'text of a peer in a form that can be quoted: one line, at most 300 printable characters';

CREATE FUNCTION mpc_internal.entries_of(party text, study text, events text[]) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT count(*) FROM mpc_internal.ledger AS l WHERE l.party = $1 AND l.study = $2 AND l.event = ANY ($3)
$$;
COMMENT ON FUNCTION mpc_internal.entries_of(text, text, text[]) IS
'entries of these events that the ledger has of a party and a study';

CREATE FUNCTION mpc_internal.heads_are_full(party text, study text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT mpc_internal.entries_of($1, $2, '{head}')
      >= 20 + 2 * mpc_internal.entries_of(mpc_internal.own_party(), $2, '{started}')
$$;
COMMENT ON FUNCTION mpc_internal.heads_are_full(text, text) IS
'a party sends a head at the start and at the end of an attempt: true when it sent more than the attempts of this node explain';

CREATE FUNCTION mpc_internal.require_room_for_version(party text, study text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF mpc_internal.entries_of(party, study, '{proposed}') >= 100 THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many versions of study "%s" proposed by "%s"', study, party),
      DETAIL = format('Node "%s" keeps at most 100 of one party.', mpc_internal.own_party()),
      HINT = 'Propose further specs under another name, or let another party propose.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_room_for_version(text, text) IS 'error 54000 at the 101st version that a peer proposes of a study';

CREATE FUNCTION mpc_internal.require_room_for_decision(party text, study text, version integer, decision text, known boolean)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  most integer := CASE WHEN known THEN 100 ELSE 3 END;
BEGIN
  IF (SELECT count(*) FROM mpc_internal.ledger AS l
       WHERE l.party = require_room_for_decision.party AND l.study = require_room_for_decision.study
         AND l.event IN ('approved', 'rejected', 'withdrawn', 'void')
         AND l.detail ->> 'version' = require_room_for_decision.version::text) < most
     -- An approval can always be withdrawn. Later decisions are refused.
     OR decision <> 'approved' AND EXISTS (
          SELECT FROM mpc_internal.approvals AS a
           WHERE a.study = require_room_for_decision.study AND a.version = require_room_for_decision.version
             AND a.party = require_room_for_decision.party AND a.decision = 'approved') THEN
    RETURN;
  END IF;
  RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many decisions of "%s" on study "%s"', party, study),
    DETAIL = format('Node "%s" keeps at most %s on one version.', mpc_internal.own_party(), most),
    HINT = 'Propose the study again: the count starts at zero for the new version.';
END
$$;
COMMENT ON FUNCTION mpc_internal.require_room_for_decision(text, text, integer, text, boolean) IS
'error 54000 when a peer has decided 100 times on a version (3 times on one that this node does not know), except for the withdrawal of an approval';

CREATE FUNCTION mpc_internal.record_refusal(party text, message jsonb, sqlstate text, said text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF mpc_internal.entries_of(party, message ->> 'study', '{message_refused}') < 100 THEN
    PERFORM mpc_internal.record_event(message ->> 'study', NULL, 'message_refused', party,
      jsonb_strip_nulls(jsonb_build_object('version', message -> 'version', 'type', message ->> 'type',
                                           'sqlstate', record_refusal.sqlstate, 'message', said)));
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.record_refusal(text, jsonb, text, text) IS
'a peer refused a message of this node: in the ledger, the first 100 of a peer and study';

CREATE FUNCTION mpc_internal.outbox_gap(id bigint, held integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  refused mpc_internal.outbox%ROWTYPE;
  name text;
  number integer;
BEGIN
  DELETE FROM mpc_internal.outbox AS o WHERE o.id = outbox_gap.id RETURNING * INTO refused;
  name := refused.message ->> 'study';
  number := (refused.message ->> 'version')::integer;
  -- They are sent once. A peer that lacks versions again has refused them.
  IF refused.message ->> 'type' = 'propose' AND held < number AND NOT refused.message ? 'skipped' THEN
    INSERT INTO mpc_internal.outbox (party, message)
    SELECT refused.party, jsonb_build_object('type', 'propose', 'study', name, 'version', s.version, 'spec', s.spec,
             'digest', s.digest, 'skipped', s.version - 1 - lag(s.version, 1, held) OVER (ORDER BY s.version))
      FROM mpc_internal.studies AS s
     WHERE s.study = name AND s.version > held AND s.version <= number AND refused.party = ANY (s.parties)
     ORDER BY s.version;
  ELSIF refused.id IS NOT NULL THEN
    PERFORM mpc_internal.record_refusal(refused.party, refused.message, '54000',
                                        format('party %s lacks versions before this one', refused.party));
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.outbox_gap(bigint, integer) IS
'the peer holds this version of a study (0: none) and lacks some before the one proposed: they are sent first, in order; of versions with other parties only the number is sent';
