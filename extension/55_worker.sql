-- Starts, watches and ends studies: the functions by which SQL uses the background workers of this node.
--
-- Invariants
-- The functions of mpc_internal only send requests to the coordinator. What needs tables is checked here, with the
-- privileges of the owner. Start, run and cancel act at once, outside the transaction of the caller.

CREATE TYPE mpc.step_row AS (
  party text,
  step integer,
  name text,
  peer text,
  records bigint,
  bytes bigint,
  seconds float8,
  data_status text,
  destroyed text[]
);
COMMENT ON TYPE mpc.step_row IS
'a finished step of this node: its own records and bytes, seconds, the data status, and what was destroyed';

-- private functions

CREATE FUNCTION mpc_internal.wake_coordinator(what text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_wake_coordinator';
COMMENT ON FUNCTION mpc_internal.wake_coordinator(text) IS
'tells the coordinator at COMMIT what changed: outbox (messages for peers) or reload (peers)';

CREATE FUNCTION mpc_internal.coordinator_status() RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_coordinator_status';
COMMENT ON FUNCTION mpc_internal.coordinator_status() IS
'party, database, extension, listener (connected), address_problems, engines, max_studies, peers, and problem when the certificate is not loaded; error 55000 when the coordinator does not answer';

CREATE FUNCTION mpc_internal.coordinator_progress() RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_coordinator_progress';
COMMENT ON FUNCTION mpc_internal.coordinator_progress() IS 'array of the running engines of this node';

CREATE FUNCTION mpc_internal.progress()
RETURNS TABLE (pid integer, study text, attempt text, phase text, done bigint, total bigint, step integer,
               bytes_sent bigint, started_at timestamptz, rounds bigint, rounds_estimated bigint, seconds float8,
               awaited text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.pid, p.study, p.attempt, p.phase, p.done, p.total, p.step, p.bytes_sent, to_timestamp(p.started_at),
         p.rounds, p.rounds_estimated, extract(epoch FROM clock_timestamp() - to_timestamp(p.phase_since))::float8, p.awaited
    FROM jsonb_to_recordset(mpc_internal.coordinator_progress()) AS p (
      pid integer, study text, attempt text, phase text, done bigint, total bigint, step integer,
      bytes_sent bigint, started_at float8, rounds bigint, rounds_estimated bigint, phase_since float8, awaited text)
$$;
COMMENT ON FUNCTION mpc_internal.progress() IS 'rows of view mpc.stat_study_progress';

CREATE FUNCTION mpc_internal.request_start(study text, caller oid) RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_start_study';
COMMENT ON FUNCTION mpc_internal.request_start(text, oid) IS
'asks the coordinator to start a study in the name of a role; returns the id of the attempt';

CREATE FUNCTION mpc_internal.request_cancel(study text, caller oid) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_cancel_study';
COMMENT ON FUNCTION mpc_internal.request_cancel(text, oid) IS 'asks the coordinator to cancel a study in the name of a role';

CREATE FUNCTION mpc_internal.request_run(study text, caller oid)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_run_study';
COMMENT ON FUNCTION mpc_internal.request_run(text, oid) IS
'starts a study in the name of a role and waits for its end: a NOTICE and a row per finished step of this node';

CREATE FUNCTION mpc_internal.await_study(study text, timeout interval) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_wait_for_study';
COMMENT ON FUNCTION mpc_internal.await_study(text, interval) IS 'state at the end of the study, NULL after the timeout';

CREATE FUNCTION mpc_internal.request_step(study text, step text, caller oid)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step';
COMMENT ON FUNCTION mpc_internal.request_step(text, text, oid) IS
'makes the engine of this node run one step in step-by-step mode and waits for it, at most pg_mpc.step_timeout';

CREATE FUNCTION mpc_internal.require_committed(study text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.own_party();
  IF mpc_internal.approved_in_this_transaction(study) THEN
    RAISE EXCEPTION USING ERRCODE = '25001',
      MESSAGE = format('study "%s" was proposed or decided on in this transaction', study),
      DETAIL = 'Peers and workers see it only after COMMIT.',
      HINT = 'Commit first, then start the study.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_committed(text) IS
'error 25001 while the proposal or approval is part of the open transaction';

-- running a study

CREATE FUNCTION mpc_internal.start_study(caller oid, study text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  RETURN mpc_internal.request_start(study, caller);
END
$$;
COMMENT ON FUNCTION mpc_internal.start_study(oid, text) IS 'implements mpc.start_study';

CREATE FUNCTION mpc.start_study(study text) RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.start_study(text) IS
'starts an approved study on all three nodes and returns the id of the attempt; joins the attempt that already runs. Acts at once, outside the transaction. Errors: 42704 unknown study or peer. 55000 the study is not approved here, released, withdrawn, rejected, expired or run step by step. 55000 the source, its data or the source key changed since the approval. 55000 a setting of this node is stricter than a rule of the spec. 55000 a peer, which is named, is not ready, cannot start the study, or has another version of the protocol. 42P01 the source was dropped. 42501, 42703, 42804 the role that approved can no longer read a column. MP005 the budget of the source is used up. 53400 too many attempts ended before the match. 54000 too many studies run, or no worker is free. 25001 approved in this transaction. MP003 a peer cannot be reached';

CREATE FUNCTION mpc_internal.wait_for_study(caller oid, study text, timeout interval) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  final text;
BEGIN
  IF study IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM mpc_internal.require_committed(study);
  final := mpc_internal.await_study(study, timeout);
  IF final IS NULL THEN
    SELECT s.state INTO final FROM mpc_internal.current_studies AS s WHERE s.study = wait_for_study.study;
  END IF;
  RETURN final;
END
$$;
COMMENT ON FUNCTION mpc_internal.wait_for_study(oid, text, interval) IS 'implements mpc.wait_for_study';

CREATE FUNCTION mpc.wait_for_study(study text, timeout interval DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.wait_for_study(text, interval) IS
'waits until the study has ended, whichever party started it, and returns its state: released, or its present state after the timeout. A study that failed or was cancelled raises its own error. Cancelling the query ends the wait only';

CREATE FUNCTION mpc_internal.cancel_study(caller oid, study text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT mpc_internal.request_cancel(study, caller) $$;
COMMENT ON FUNCTION mpc_internal.cancel_study(oid, text) IS 'implements mpc.cancel_study';

CREATE FUNCTION mpc.cancel_study(study text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.cancel_study(text) IS
'ends the running attempt on all three nodes at once, outside the transaction; the study may be started again. Errors: 42704 unknown study, 55000 not running on this node';

CREATE FUNCTION mpc_internal.run_study(caller oid, study text)
RETURNS SETOF mpc.step_row
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  RETURN QUERY SELECT * FROM mpc_internal.request_run(study, caller);
END
$$;
COMMENT ON FUNCTION mpc_internal.run_study(oid, text) IS 'implements mpc.run_study';

CREATE FUNCTION mpc.run_study(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.run_study(text) IS
'starts the study (or joins the attempt that runs), gives a NOTICE per finished step of this node and returns the step rows at the end. Cancelling the query cancels the study. Holds a snapshot: CALL mpc.run for long studies. Errors: as mpc.start_study, and the study''s own';

CREATE PROCEDURE mpc.run(study text)
LANGUAGE c
AS 'MODULE_PATHNAME', 'pg_mpc_run';
COMMENT ON PROCEDURE mpc.run(text) IS
'the same as mpc.run_study without holding a snapshot: commits the caller''s transaction first, so it cannot be called inside a transaction block (2D000)';

-- a study step by step

CREATE FUNCTION mpc_internal.run_step(caller oid, study text, step_name text)
RETURNS SETOF mpc.step_row
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF step_name = 'prepare' THEN
    PERFORM mpc_internal.require_committed(study);
  END IF;
  RETURN QUERY SELECT * FROM mpc_internal.request_step(study, step_name, caller);
END
$$;
COMMENT ON FUNCTION mpc_internal.run_step(oid, text, text) IS 'implements the functions of the steps, which are named like their step';

CREATE FUNCTION mpc.prepare(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.prepare(text) IS
'step 1 in step-by-step mode, on each node: starts the engine of this node; a controller reads its source, the third party is ready to receive. Errors of all steps: 55000 out of order or wrong role (the hint names the next step), MP001 after pg_mpc.step_timeout (may be repeated), and the study''s own';

CREATE FUNCTION mpc.agree_key(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.agree_key(text) IS 'step 2 in step-by-step mode, controllers: the halves of the joint key are exchanged, identifiers hashed, the key erased';

CREATE FUNCTION mpc.scramble(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.scramble(text) IS 'step 3 in step-by-step mode, controllers: values encrypted under the own public key';

CREATE FUNCTION mpc.push(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.push(text) IS 'steps 3 and 4 in step-by-step mode, controllers: hashes pushed, match announced, every ciphertext acknowledged';

CREATE FUNCTION mpc.match(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.match(text) IS 'step 4 in step-by-step mode, third party: hashes matched, count sent, ciphertexts of matched records kept';

CREATE FUNCTION mpc.mask(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.mask(text) IS 'step 5 in step-by-step mode, controllers: random shares sent, encrypted under the other controller''s key';

CREATE FUNCTION mpc.unmask(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.unmask(text) IS 'step 6 in step-by-step mode, on each node: third party sends the sums; a controller decrypts its own and erases its key';

CREATE FUNCTION mpc.share(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.share(text) IS 'step 7 in step-by-step mode, on each node: additive shares become Shamir shares';

CREATE FUNCTION mpc.lasso(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.lasso(text) IS 'step 8 in step-by-step mode, on each node: the regression on shares; returns when the result is stored';

CREATE FUNCTION mpc.analyse(study text)
RETURNS SETOF mpc.step_row
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step_entry';
COMMENT ON FUNCTION mpc.analyse(text) IS 'step 8 in step-by-step mode, on each node, in place of mpc.lasso where a study has an analysis that is not a penalised model: the analyses on shares; returns when the result is stored';

-- the node and its peers

CREATE FUNCTION mpc_internal.request_ping(
  peer text, OUT party text, OUT ok boolean, OUT round_trip_ms float8, OUT cause text, OUT clock_ahead_ms float8)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_ping_peer';
COMMENT ON FUNCTION mpc_internal.request_ping(text) IS 'asks the coordinator to ping a peer; clock_ahead_ms: by how much its clock is ahead of this one, NULL when unknown';

CREATE FUNCTION mpc_internal.ping_peer(caller oid, peer text, OUT party text, OUT ok boolean, OUT round_trip_ms float8, OUT cause text)
RETURNS record
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT p.party, p.ok, p.round_trip_ms, p.cause FROM mpc_internal.request_ping($2) AS p $$;
COMMENT ON FUNCTION mpc_internal.ping_peer(oid, text) IS 'implements mpc.ping_peer';

CREATE FUNCTION mpc.ping_peer(peer text, OUT party text, OUT ok boolean, OUT round_trip_ms float8, OUT cause text)
RETURNS record
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_entry';
COMMENT ON FUNCTION mpc.ping_peer(text) IS
'sends a request to the listener of a peer over mutual TLS: ok and the round-trip time on an open connection, or the cause as text. Error 42704 unknown peer';

-- privileges

GRANT EXECUTE ON FUNCTION mpc.start_study(text), mpc.wait_for_study(text, interval), mpc.cancel_study(text),
  mpc.run_study(text), mpc.prepare(text), mpc.agree_key(text), mpc.scramble(text), mpc.push(text), mpc.match(text),
  mpc.mask(text), mpc.unmask(text), mpc.share(text), mpc.lasso(text),
  mpc.analyse(text) TO mpc_study;
GRANT EXECUTE ON PROCEDURE mpc.run(text) TO mpc_study;
GRANT EXECUTE ON FUNCTION mpc.ping_peer(text) TO mpc_admin, mpc_study, mpc_reader;
GRANT EXECUTE ON FUNCTION mpc_internal.progress() TO mpc_reader, mpc_study, mpc_admin;
