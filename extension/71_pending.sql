-- Implements mpc.pending: what a study waits for.

CREATE FUNCTION mpc_internal.pending(caller oid, study text)
RETURNS TABLE (party text, missing text, since timestamptz, last_reached timestamptz, reason text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  held mpc_internal.current_studies%ROWTYPE := mpc_internal.find_study(study);
BEGIN
  IF held.state IN ('running', 'released') THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT m.party,
         CASE WHEN a.decision = 'approved' THEN 'its approval has expired'
              WHEN a.decision = 'void' THEN 'has to approve again'
              WHEN a.decision = 'rejected' THEN 'has rejected it'
              WHEN a.decision = 'withdrawn' THEN 'has withdrawn its approval'
              WHEN EXISTS (SELECT FROM mpc_internal.outbox AS o
                            WHERE o.party = m.party AND o.message ->> 'type' = 'propose' AND o.message ->> 'study' = held.study)
              THEN 'has not received the proposal'
              ELSE 'has not decided' END,
         CASE WHEN a.decision = 'approved' THEN a.expires_at ELSE coalesce(a.decided_at, held.proposed_at) END,
         p.last_seen, a.reason
    FROM unnest(held.parties) WITH ORDINALITY AS m (party, place)
    LEFT JOIN mpc_internal.approvals AS a
      ON a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.party = m.party
    LEFT JOIN mpc_internal.peers AS p ON p.party = m.party
   WHERE a.decision IS DISTINCT FROM 'approved' OR a.expires_at <= now()
   ORDER BY m.place;
END
$$;
COMMENT ON FUNCTION mpc_internal.pending(oid, text) IS 'implements mpc.pending';

CREATE FUNCTION mpc.pending(study text)
RETURNS TABLE (party text, missing text, since timestamptz, last_reached timestamptz, reason text)
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.pending(text) IS
'what the latest version of a study waits for, as far as this node knows: a row per party whose approval is missing, with what is missing, since when, when that party last answered or called (NULL for this node), and the reason that it gave. No row for a study that runs, was released, or has all approvals. Error 42704 unknown study';
