-- Records decisions of the parties, and rejects and withdraws studies.
--
-- Terms
-- Stated values are those of the party that decided: its time, and the head of its ledger afterwards. heard is the time
-- at which this node received the decision.
--
-- Invariants
-- There is one decision per party and version, the latest. This node computes with its own times only.

CREATE FUNCTION mpc_internal.reject_study(caller oid, study text, reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mpc_internal.record_objection(caller, study, 'rejected', left(reason, 1000));
END
$$;
COMMENT ON FUNCTION mpc_internal.reject_study(oid, text, text) IS 'implements mpc.reject_study';

CREATE FUNCTION mpc.reject_study(study text, reason text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.reject_study(text, text) IS
'this node refuses the study; the reason (at most 1000 characters) is sent to the other parties. Returns the state. Errors: 42704 unknown study, 55000 running or released';

CREATE FUNCTION mpc_internal.withdraw_approval(caller oid, study text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mpc_internal.record_objection(caller, study, 'withdrawn', NULL);
END
$$;
COMMENT ON FUNCTION mpc_internal.withdraw_approval(oid, text) IS 'implements mpc.withdraw_approval';

CREATE FUNCTION mpc.withdraw_approval(study text) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.withdraw_approval(text) IS
'takes back this node''s approval. Returns the state. Errors: 42704 unknown study, 55000 not approved here, running or released';

CREATE FUNCTION mpc_internal.record_objection(caller oid, study text, decision text, reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held record := mpc_internal.find_study(study);
BEGIN
  IF held.state IN ('running', 'released') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', study, held.state),
      DETAIL = format('It is version %s, proposed by %s.', held.version, held.proposer),
      HINT = CASE held.state WHEN 'running' THEN 'Cancel it with mpc.cancel_study first.'
             ELSE 'A released result cannot be recalled; only future studies can be refused.' END;
  END IF;
  IF decision = 'withdrawn' AND NOT EXISTS (
       SELECT FROM mpc_internal.approvals AS a
        WHERE a.study = held.study AND a.version = held.version AND a.party = own AND a.decision = 'approved') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node has not approved study "%s"', study),
      DETAIL = format('It is version %s, %s.', held.version, held.state),
      HINT = 'There is nothing to withdraw; mpc.reject_study tells the other parties that this node refuses.';
  END IF;
  PERFORM mpc_internal.decide(held.study, held.version, own, held.digest, decision, reason, NULL, caller);
  PERFORM mpc_internal.drop_unused_records();
  PERFORM mpc_internal.broadcast(held.parties, jsonb_strip_nulls(jsonb_build_object(
    'type', CASE decision WHEN 'rejected' THEN 'reject' ELSE 'withdraw' END,
    'study', held.study, 'version', held.version, 'digest', held.digest, 'reason', reason)));
  PERFORM mpc_internal.announce(study);
  RETURN (SELECT s.state FROM mpc_internal.current_studies AS s WHERE s.study = held.study);
END
$$;
COMMENT ON FUNCTION mpc_internal.record_objection(oid, text, text, text) IS 'records and sends the rejection or withdrawal of this node';

CREATE FUNCTION mpc_internal.decide(
  study text, version integer, party text, digest text, decision text, reason text, expires_at timestamptz,
  caller oid DEFAULT NULL, source_name text DEFAULT NULL, stated jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  by_role text := CASE WHEN caller IS NOT NULL THEN mpc_internal.role_text(caller) END;
BEGIN
  INSERT INTO mpc_internal.approvals AS a (study, version, party, digest, decision, reason, expires_at, source_name,
                                           decided_by, decided_in, stated_at)
  VALUES (decide.study, decide.version, decide.party, decide.digest, decide.decision, decide.reason, decide.expires_at,
          decide.source_name, by_role, pg_current_xact_id(), to_timestamp((stated ->> 'decided_at')::float8))
  ON CONFLICT ON CONSTRAINT approvals_pkey DO UPDATE
     SET digest = excluded.digest, decision = excluded.decision, reason = excluded.reason,
         decided_at = excluded.decided_at, expires_at = excluded.expires_at, decided_by = excluded.decided_by,
         decided_in = excluded.decided_in, stated_at = excluded.stated_at, source_name = excluded.source_name,
         source = NULL, source_schema = NULL, source_digest = NULL, source_records = NULL, identifier = NULL,
         approver = NULL, key_id = NULL, source_owner = NULL;
  PERFORM mpc_internal.record_event(study, NULL, decision, party, jsonb_strip_nulls(
    jsonb_build_object('version', version, 'digest', digest, 'reason', reason, 'expires_at', expires_at,
                       'by', by_role, 'source', source_name) || coalesce(stated, '{}')));
END
$$;
COMMENT ON FUNCTION mpc_internal.decide(text, integer, text, text, text, text, timestamptz, oid, text, jsonb) IS
'stores the decision of a party in place of its earlier one; caller = the role of this node that decided, NULL for a peer; stated = time and ledger head that a peer sent with it (stated_of)';

CREATE FUNCTION mpc_internal.stated_of(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- A node of an older version sends neither. The head is missing when the entry could not be sealed at once.
  IF coalesce(message ->> 'decided_at', '0') !~ '\A[0-9]{1,11}(\.[0-9]{1,6})?\Z' OR coalesce(message ->> 'place', '1') !~ '\A[1-9][0-9]{0,17}\Z'
     OR coalesce(message ->> 'head', repeat('0', 64)) !~ '\A[0-9a-f]{64}\Z' OR message ? 'place' <> message ? 'head' THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
      DETAIL = format('Party %s sent a decision without a proper time or head of its ledger.', party),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  RETURN nullif(jsonb_strip_nulls(jsonb_build_object('decided_at', (message ->> 'decided_at')::numeric, 'place', (message ->> 'place')::bigint,
                                                     'head', message ->> 'head')), '{}');
END
$$;
COMMENT ON FUNCTION mpc_internal.stated_of(text, jsonb) IS
'when a peer decided (decided_at, seconds since 1970) and the head of its ledger after that (place, head), from its message; NULL when it has neither; error MP004 for anything else';

CREATE FUNCTION mpc_internal.approved_in_this_transaction(study text) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM mpc_internal.approvals AS a
                  WHERE a.study = $1 AND a.decided_in = pg_current_xact_id_if_assigned())
      OR EXISTS (SELECT FROM mpc_internal.studies AS s
                  WHERE s.study = $1 AND s.proposed_in = pg_current_xact_id_if_assigned())
$$;
COMMENT ON FUNCTION mpc_internal.approved_in_this_transaction(text) IS
'true when this transaction proposed the study or decided on it, so that peers and workers cannot know yet';
