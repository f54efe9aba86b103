-- Records the course of an attempt as its engine reports it; keeps the outbox; recovers after a restart.
--
-- Invariants
-- Only the coordinator calls these functions. Each of them is one transaction. Events of an attempt that is no longer
-- in force are ignored.

CREATE FUNCTION mpc_internal.record_request(study text, what text, role oid) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  SELECT mpc_internal.record_event(s.study, NULL, 'asked', mpc_internal.own_party(), jsonb_build_object(
           'version', s.version, 'what', $2, 'by', mpc_internal.role_text($3)))
    FROM mpc_internal.current_studies AS s WHERE s.study = $1;
  SELECT mpc_internal.note_reader(s.study, s.version, $3, 'ran') FROM mpc_internal.current_studies AS s
   WHERE s.study = $1 AND $2 IN ('start', 'prepare') AND s.state <> 'released'
$$;
COMMENT ON FUNCTION mpc_internal.record_request(text, text, oid) IS
'records that a role of this node asked for a start, a cancellation or the first step in step-by-step mode; the outcome has entries of its own';

CREATE FUNCTION mpc_internal.attempt_started(
  study text, attempt text, manual boolean, rehearsal boolean DEFAULT false, relied_on jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  held mpc_internal.current_studies%ROWTYPE := mpc_internal.find_study(study);
BEGIN
  -- The approval may have been withdrawn since the job was made.
  PERFORM mpc_internal.require_startable(held);
  -- Counts per attempt would count an id that a peer assigns twice only once.
  IF EXISTS (SELECT FROM mpc_internal.ledger AS l
              WHERE l.study = held.study AND l.attempt = attempt_started.attempt AND l.event = 'started')
     OR EXISTS (SELECT FROM mpc_internal.early_attempts AS e WHERE e.attempt = attempt_started.attempt) THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('attempt of study "%s" has an id that was used before', study),
      DETAIL = format('Its id is %s.', attempt), HINT = 'Start the study again.';
  END IF;
  PERFORM mpc_internal.reserve_use(held.study, held.version, attempt);
  UPDATE mpc_internal.studies AS s
     SET run_state = 'running', attempt = attempt_started.attempt, manual = attempt_started.manual,
         started_at = clock_timestamp(), finished_at = NULL, n_matched = NULL,
         sqlstate = NULL, last_error = NULL, error_detail = NULL, error_hint = NULL
   WHERE s.study = held.study AND s.version = held.version;
  PERFORM mpc_internal.record_event(study, attempt, 'relied_on', mpc_internal.own_party(), jsonb_build_object(
    'version', held.version, 'digest', held.digest, 'data', encode(mpc_internal.data_hash(held.study, held.version), 'hex'),
    'said', relied_on, 'approvals', (
      SELECT jsonb_object_agg(a.party, a.decided_at) FROM mpc_internal.approvals AS a
       WHERE a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.decision = 'approved')));
  PERFORM mpc_internal.record_event(study, attempt, 'started', mpc_internal.own_party(),
                                    jsonb_strip_nulls(jsonb_build_object(
                                      'version', held.version, 'digest', held.digest, 'manual', manual, 'rehearsal', nullif(rehearsal, false))));
  PERFORM mpc_internal.send_head(study, held.version, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_started(text, text, boolean, boolean, jsonb) IS 'the attempt, or the rehearsal, is in force; relied_on: the last answer of each peer, ready or start; the study is running, its models are reserved. Errors: 55000 approval withdrawn, or an id that was used before, MP005 budget';

CREATE FUNCTION mpc_internal.status_reasons(data_status text, step integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE data_status
    WHEN 'personal' THEN jsonb_build_object(
      'singling_out', 'possible: records with identifiers, at the controller they belong to',
      'linkability', 'possible: the identifiers are those of the source',
      'inference', 'possible: the values are readable')
    WHEN 'pseudonymised' THEN jsonb_build_object(
      'singling_out', 'possible for a controller: it holds its own source',
      'linkability', 'possible for a controller: it holds the joint key, or hashes made with it',
      'inference', 'no: values of the other controller have not left it')
    WHEN 'anonymous' THEN jsonb_build_object(
      'singling_out', CASE WHEN step < 7 THEN 'no: ciphertexts in a secret order, their private key at another party'
                      ELSE 'no: a share is a random number' END,
      'linkability', 'no: hashed identifiers and the joint key are destroyed',
      'inference', 'no: no party holds both ciphertext and key, nor two shares; the match count alone is known',
      'as_long_as', 'no two parties pool what they hold')
    WHEN 'aggregate' THEN jsonb_build_object(
      'singling_out', 'no: coefficients describe all matched records together',
      'linkability', 'no: shares and keys are destroyed',
      'inference', 'limited by the disclosure rules of the spec, not excluded') END
$$;
COMMENT ON FUNCTION mpc_internal.status_reasons(text, integer) IS
'why data after a step has its status, per criterion of the Article 29 Working Party (opinion 05/2014)';

CREATE FUNCTION mpc_internal.attempt_step(study text, attempt text, "row" jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
  INSERT INTO mpc_internal.steps (study, version, attempt, party, step, name, peer, records, bytes, seconds,
                                  cpu_seconds, kernel_seconds, data_status, destroyed)
  SELECT s.study, s.version, s.attempt, r.party, r.step, r.name, nullif(r.peer, ''), r.records, r.bytes, r.seconds,
         r.cpu_seconds, r.kernel_seconds, r.data_status, coalesce(r.destroyed, '{}')
    FROM mpc_internal.studies AS s,
         jsonb_to_record(attempt_step."row") AS r (party text, step integer, name text, peer text, records bigint,
                                                   bytes bigint, seconds float8, cpu_seconds float8,
                                                   kernel_seconds float8, data_status text, destroyed text[])
   WHERE s.study = attempt_step.study AND s.attempt = attempt_step.attempt AND s.run_state = 'running';
  IF FOUND THEN
    PERFORM mpc_internal.record_event(study, attempt, 'step', "row" ->> 'party', jsonb_strip_nulls(jsonb_build_object(
      'step', "row" -> 'step', 'name', "row" -> 'name', 'peer', nullif("row" ->> 'peer', ''), 'records', "row" -> 'records',
      'bytes_sent', "row" -> 'bytes', 'destroyed', coalesce("row" -> 'destroyed', '[]'),
      'data_status', "row" -> 'data_status',
      'reasons', mpc_internal.status_reasons("row" ->> 'data_status', ("row" ->> 'step')::integer))));
    PERFORM mpc_internal.seal_ledger();
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_step(text, text, jsonb) IS
'records a finished step of this node: what it sent to whom, what it destroyed, the data status';

CREATE FUNCTION mpc_internal.attempt_matched(study text, attempt text, n bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
  UPDATE mpc_internal.studies AS s SET n_matched = n
   WHERE s.study = attempt_matched.study AND s.attempt = attempt_matched.attempt AND s.run_state = 'running';
  IF FOUND THEN
    PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, jsonb_build_object('what', '["match count"]'::jsonb, 'records', n));
    PERFORM mpc_internal.keep_heard_data(s.study, s.version) FROM mpc_internal.studies AS s
      WHERE s.study = attempt_matched.study AND s.attempt = attempt_matched.attempt;
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_matched(text, text, bigint) IS
'the count that the third party announced; never called when it refused';

CREATE FUNCTION mpc_internal.attempt_released(study text, attempt text, result jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  number integer;
BEGIN
  UPDATE mpc_internal.studies AS s
     SET run_state = 'released', finished_at = clock_timestamp(),
         n_matched = coalesce((result ->> 'matched')::bigint, s.n_matched)
   WHERE s.study = attempt_released.study AND s.attempt = attempt_released.attempt AND s.run_state = 'running'
  RETURNING s.version INTO number;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM mpc_internal.settle_release(study, number, attempt, result, NULL);
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_released(text, text, jsonb) IS 'the result is stored and the study released';

CREATE FUNCTION mpc_internal.attempt_failed(
  study text, attempt text, sqlstate text, message text, detail text, hint text, cancelled boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  number integer;
  result record := mpc_internal.doubt(attempt, sqlstate);
BEGIN
  UPDATE mpc_internal.studies AS s
     SET run_state = CASE WHEN attempt_failed.cancelled THEN 'cancelled' ELSE 'failed' END,
         finished_at = clock_timestamp(), sqlstate = attempt_failed.sqlstate, last_error = attempt_failed.message,
         error_detail = nullif(attempt_failed.detail, ''),
         error_hint = CASE WHEN result.in_doubt THEN 'Another recipient may have the result. This node asks for it for 30 days: check the state later.'
                      ELSE nullif(attempt_failed.hint, '') END
   WHERE s.study = attempt_failed.study AND s.attempt = attempt_failed.attempt AND s.run_state = 'running'
  RETURNING s.version INTO number;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF sqlstate = 'MP005' THEN
    PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, '{"what": ["one bit: a rule of the spec refused"]}');
    PERFORM mpc_internal.settle_use(study, attempt, 'refused');
  ELSIF result.counts THEN
    PERFORM mpc_internal.settle_use(study, attempt, 'released');
  ELSE
    PERFORM mpc_internal.settle_use(study, attempt, 'ended');
    PERFORM mpc_internal.note_early_attempt(study, number, attempt);
  END IF;
  PERFORM mpc_internal.record_event(study, attempt, CASE WHEN cancelled THEN 'cancelled' ELSE 'failed' END,
                                    mpc_internal.own_party(), jsonb_build_object('version', number, 'sqlstate', sqlstate));
  PERFORM mpc_internal.send_head(study, number, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_failed(text, text, text, text, text, text, boolean) IS
'the attempt ended without a result; approvals stay valid and the study may be started again';

CREATE FUNCTION mpc_internal.recover() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
DECLARE
  left_over record;
BEGIN
  FOR left_over IN SELECT s.study, s.attempt FROM mpc_internal.studies AS s WHERE s.run_state = 'running' LOOP
    PERFORM mpc_internal.attempt_failed(left_over.study, left_over.attempt, '57P02', 'the server restarted',
                                        NULL, 'Start the study again.', false);
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.recover() IS 'called at the start of the coordinator: attempts without an engine have failed';

-- outbox

CREATE FUNCTION mpc_internal.stated_with(kind text, queued_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last mpc_internal.ledger_seals%ROWTYPE;
BEGIN
  IF kind NOT IN ('approve', 'reject', 'withdraw', 'void') THEN
    RETURN '{}';
  END IF;
  -- The entry of the decision was committed with the message.
  PERFORM mpc_internal.seal_ledger();
  IF NOT EXISTS (SELECT FROM mpc_internal.ledger AS l WHERE NOT EXISTS (SELECT FROM mpc_internal.ledger_seals AS s WHERE s.id = l.id)) THEN
    SELECT * INTO last FROM mpc_internal.ledger_seals AS s ORDER BY s.place DESC LIMIT 1;
  END IF;
  -- The time is sent as text: as a JSON number it would become a double, which may be printed with more digits.
  RETURN jsonb_strip_nulls(jsonb_build_object('decided_at', extract(epoch FROM queued_at)::text, 'place', last.place, 'head', encode(last.hash, 'hex')));
END
$$;
COMMENT ON FUNCTION mpc_internal.stated_with(text, timestamptz) IS
'what the message of a decision has besides it: when this node decided, and the head of its ledger afterwards (omitted while an entry cannot be sealed)';

CREATE FUNCTION mpc_internal.outbox_pending(OUT id bigint, OUT party text, OUT message jsonb) RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT o.id, p.party, o.message || mpc_internal.stated_with(o.message ->> 'type', o.queued_at)
    FROM mpc_internal.peers AS p,
         LATERAL (SELECT n.id, n.message, n.queued_at FROM mpc_internal.outbox AS n
                   WHERE n.party = p.party
                     AND NOT EXISTS (SELECT FROM mpc_internal.outbox AS h
                                      WHERE h.party = p.party AND h.id <= n.id AND h.held_until > clock_timestamp()
                                        AND h.message ->> 'study' IS NOT DISTINCT FROM n.message ->> 'study')
                   ORDER BY n.id LIMIT 1) AS o
   ORDER BY o.id
$$;
COMMENT ON FUNCTION mpc_internal.outbox_pending() IS
'the next message of each peer: a message that one peer refuses delays no other peer; a held message delays only those of its study';

CREATE FUNCTION mpc_internal.outbox_delivered(id bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  DELETE FROM mpc_internal.outbox AS o WHERE o.id = $1;
  -- The entries that the message is about are committed. Sealing them here lets no session wait.
  SELECT mpc_internal.seal_ledger()
$$;
COMMENT ON FUNCTION mpc_internal.outbox_delivered(bigint) IS 'the peer has acknowledged the message';

CREATE FUNCTION mpc_internal.outbox_refused(id bigint, error jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  refused mpc_internal.outbox%ROWTYPE;
  state text := error ->> 'sqlstate';
BEGIN
  -- Temporary refusals (locks, resources, a shutdown, a peer whose database does not exist yet) are retried until
  -- proposals and approvals expire. After a day the messages of other studies are sent first. This message, and the later
  -- ones of its study, are then retried every 15 minutes.
  IF coalesce((error ->> 'passing')::boolean, false) THEN
    UPDATE mpc_internal.outbox AS o
       SET error = outbox_refused.error, refused_at = coalesce(o.refused_at, clock_timestamp()),
           held_until = CASE WHEN o.refused_at < clock_timestamp() - interval '1 day'
                        THEN clock_timestamp() + interval '15 minutes' END
     WHERE o.id = outbox_refused.id AND (o.refused_at IS NULL OR o.refused_at > clock_timestamp() - mpc_internal.lifetime());
    IF FOUND THEN
      RETURN;
    END IF;
  END IF;
  DELETE FROM mpc_internal.outbox AS o WHERE o.id = outbox_refused.id RETURNING * INTO refused;
  IF refused.id IS NULL THEN
    RETURN;  -- its peer has been removed
  END IF;
  UPDATE mpc_internal.studies AS s
     SET sqlstate = state, error_detail = error ->> 'detail', error_hint = error ->> 'hint',
         last_error = format('refused by %s', error ->> 'message')
   WHERE s.study = refused.message ->> 'study' AND s.version = (refused.message ->> 'version')::integer
     AND s.run_state IS NULL;
  PERFORM mpc_internal.record_refusal(refused.party, refused.message, state, error ->> 'message');
END
$$;
COMMENT ON FUNCTION mpc_internal.outbox_refused(bigint, jsonb) IS
'the peer answered with an error: a temporary one is retried for at most pg_mpc.approval_lifetime, another one is shown in mpc.studies.last_error';
