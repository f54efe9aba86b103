-- Implements the rehearsal of a study: steps 1 and 2 and the match of step 4, between the real nodes.
--
-- Terms
-- A rehearsal is an attempt that ends when the number of matched records is announced. All its parties know that it is
-- one.
--
-- Invariants
-- A rehearsal is charged like an attempt that ended after the match. It is refused where a study would be refused at
-- the match. No key pair, ciphertext or share is made. The study can be started afterwards.

CREATE FUNCTION mpc_internal.attempt_rehearsed(study text, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  number integer;
BEGIN
  UPDATE mpc_internal.studies AS s SET run_state = 'rehearsed', finished_at = clock_timestamp()
   WHERE s.study = attempt_rehearsed.study AND s.attempt = attempt_rehearsed.attempt AND s.run_state = 'running'
  RETURNING s.version INTO number;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM mpc_internal.settle_use(study, attempt, 'ended');
  PERFORM mpc_internal.record_event(study, attempt, 'rehearsed', mpc_internal.own_party(), jsonb_build_object('version', number));
  PERFORM mpc_internal.send_head(study, number, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_rehearsed(text, text) IS
'records the end of the rehearsal: it is charged to the budget like an attempt that ended after the match; the study may be started';

CREATE FUNCTION mpc_internal.request_rehearsal(study text, caller oid) RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_rehearse';
COMMENT ON FUNCTION mpc_internal.request_rehearsal(text, oid) IS
'rehearses a study on behalf of a role and waits for its end: returns the number of matched records, with a NOTICE per finished step of this node';

CREATE FUNCTION mpc_internal.rehearse(caller oid, study text, OUT n_matched bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  n_matched := mpc_internal.request_rehearsal(study, caller);
END
$$;
COMMENT ON FUNCTION mpc_internal.rehearse(oid, text) IS 'implements mpc.rehearse';

CREATE FUNCTION mpc.rehearse(study text, OUT n_matched bigint) RETURNS bigint
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.rehearse(text) IS
'rehearses an approved study on all three nodes: sources are read, and identifiers are hashed under a joint key and matched at the third party. Then it ends with state rehearsed and returns the number of matched records, which all three parties learn. No key pair, ciphertext or share is made, and the study can be started afterwards. Like an attempt that ended after the match, it counts as one model, with its numbers, in the budgets of both sources. A match that a study would refuse is refused (MP005), without its number. Acts at once, outside the transaction; cancelling the query ends it. Errors: as mpc.start_study, and 55000 while the study runs';

GRANT EXECUTE ON FUNCTION mpc.rehearse(text) TO mpc_study;
