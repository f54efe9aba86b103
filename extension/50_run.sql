-- Implements what the coordinator calls: control messages of peers, and the job of an engine.
--
-- Terms
-- An attempt is one run of a study; its id has 32 hexadecimal digits. A step row records one finished step at this
-- node.
--
-- Invariants
-- Each call is one short transaction. A call never waits long for a transaction of a user (lock_timeout). Events of an
-- attempt that is no longer in force have no effect.

-- tables

CREATE TABLE mpc_internal.steps (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  study text NOT NULL,
  version integer NOT NULL,
  attempt text NOT NULL,
  party text NOT NULL,
  step integer NOT NULL,
  name text NOT NULL,
  peer text,
  records bigint,
  bytes bigint,
  seconds float8,
  cpu_seconds float8,
  kernel_seconds float8,
  data_status text,
  destroyed text[] NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON SEQUENCE mpc_internal.steps_id_seq IS 'ids of steps';
COMMENT ON TABLE mpc_internal.steps IS 'finished steps of this node; counts are this node''s own';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.steps', '');
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.steps_id_seq', '');
CREATE INDEX steps_study ON mpc_internal.steps (study, attempt);

-- control messages

CREATE FUNCTION mpc_internal.control(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  kind text := message ->> 'type';
BEGIN
  PERFORM mpc_internal.peer(party);
  PERFORM mpc_internal.peer_seen(party);
  IF kind = 'hello' THEN
    RETURN jsonb_build_object('party', mpc_internal.own_party());
  END IF;
  IF NOT coalesce(mpc_internal.valid_name(message ->> 'study'), false)
     OR coalesce(message ->> 'digest', '') !~ '\A[0-9a-f]{64}\Z'
     OR coalesce(message ->> 'version', '1') !~ '\A[1-9][0-9]{0,8}\Z'
     OR coalesce(message ->> 'skipped', '0') !~ '\A[0-9]{1,9}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
      DETAIL = format('Party %s sent a message of type %L.', party, left(kind, 20)),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  RETURN CASE kind
    WHEN 'propose' THEN mpc_internal.control_propose(party, message)
    WHEN 'approve' THEN mpc_internal.control_decision(party, message, 'approved')
    WHEN 'reject' THEN mpc_internal.control_decision(party, message, 'rejected')
    WHEN 'withdraw' THEN mpc_internal.control_decision(party, message, 'withdrawn')
    WHEN 'void' THEN mpc_internal.control_decision(party, message, 'void')
    WHEN 'ready' THEN mpc_internal.control_ready(party, message)
    WHEN 'head' THEN mpc_internal.control_head(party, message)
    WHEN 'outcome' THEN mpc_internal.control_outcome(party, message)
    ELSE mpc_internal.control_unknown(party, kind) END;
END
$$;
COMMENT ON FUNCTION mpc_internal.control(text, jsonb) IS
'handles a control message of an authenticated peer and returns the answer; types propose, approve, reject, withdraw, void, ready, head, outcome, hello';

CREATE FUNCTION mpc_internal.control_unknown(party text, kind text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message has an unknown type',
    DETAIL = format('Party %s sent a message of type %L.', party, left(kind, 20)),
    HINT = 'The nodes may run different versions of pg_mpc.';
END
$$;
COMMENT ON FUNCTION mpc_internal.control_unknown(text, text) IS 'error MP004 for a type that this version does not know';

CREATE FUNCTION mpc_internal.require_member(party text, study text, parties text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF party <> ALL (parties) THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('"%s" is not a party of study "%s"', party, study),
      DETAIL = 'Only its parties may propose it again, decide on it, run it or read its spec.',
      HINT = 'If another study is meant, give it another name.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_member(text, text, text[]) IS
'error 42501, which reveals nothing about the study, unless the party is one of the parties; unknown parties (NULL) are not checked';

CREATE FUNCTION mpc_internal.control_propose(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text := message ->> 'study';
  number integer := coalesce((message ->> 'version')::integer, 1);
  accepted record := mpc_internal.accept_spec(message ->> 'study', message ->> 'spec');
  held record;
BEGIN
  IF accepted.digest <> message ->> 'digest' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('digest of study "%s" does not match its spec', name),
      DETAIL = format('Node "%s" computes %s%s.', mpc_internal.own_party(), accepted.digest,
                      '; the filled specs differ first at ' || nullif(mpc_internal.spec_difference(
                        accepted.canonical, message ->> 'spec'), '')),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  PERFORM mpc_internal.require_member(party, name, accepted.parties);
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = name;
  -- A name belongs to the parties of its latest version. Only they may propose another one.
  PERFORM mpc_internal.require_member(party, name, held.parties);
  IF held.version = number AND held.digest = accepted.digest THEN
    RETURN '{"accepted": true}';
  ELSIF EXISTS (SELECT FROM mpc_internal.studies AS s
                 WHERE s.study = name AND s.version = number AND s.digest = accepted.digest) THEN
    RETURN '{"accepted": true, "reason": "a newer version replaced it"}';
  ELSIF held.version >= number THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('node "%s" holds another spec of study "%s"', mpc_internal.own_party(), name),
      DETAIL = format('It holds version %s with digest %s; the specs differ first at %s.', held.version, held.digest,
                      mpc_internal.spec_difference(held.spec, accepted.canonical)),
      HINT = 'Propose the study once more: the new version replaces both.';
  ELSIF held.state = 'running' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is running', name),
      DETAIL = format('Node "%s" runs version %s of it.', mpc_internal.own_party(), held.version),
      HINT = 'The proposal is delivered when the study has ended.';
  END IF;
  -- Versions arrive in order. Those of which this node is not a party are skipped and counted.
  IF number > coalesce(held.version, 0) + 1 + least(coalesce((message ->> 'skipped')::integer, 0), 100) THEN
    RETURN jsonb_build_object('accepted', false, 'held', coalesce(held.version, 0),
                              'reason', 'versions before it are missing');
  END IF;
  PERFORM mpc_internal.require_room_for_version(party, name);
  IF (SELECT count(*) FROM mpc_internal.studies AS s
       WHERE s.proposer = party AND s.run_state IS NULL AND s.expires_at > now()) >= 1000 THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many open proposals of "%s"', party),
      DETAIL = format('Node "%s" keeps at most 1000 of one party.', mpc_internal.own_party()),
      HINT = 'Every proposal counts until it has run or has expired: wait for one of them.';
  END IF;
  INSERT INTO mpc_internal.studies (study, version, digest, spec, parties, proposer)
  VALUES (name, number, accepted.digest, accepted.canonical, accepted.parties, party);
  PERFORM mpc_internal.record_event(name, NULL, 'proposed', party,
                                    jsonb_build_object('version', number, 'digest', accepted.digest));
  PERFORM mpc_internal.drop_unused_records();
  PERFORM mpc_internal.announce(name);
  RETURN '{"accepted": true}';
END
$$;
COMMENT ON FUNCTION mpc_internal.control_propose(text, jsonb) IS
'stores the proposal of a peer; answers {"held": version} when versions before it are missing here; error 22023 names the first difference when this node holds another spec of that version';

CREATE FUNCTION mpc_internal.control_decision(party text, message jsonb, decision text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text := message ->> 'study';
  held record;
  number integer;
  decided text := decision;
  objection text := mpc_internal.peer_text(message ->> 'reason');
  until timestamptz := CASE WHEN decision = 'approved' AND coalesce(message ->> 'expires_at', '') ~ '\A[0-9]{1,11}\Z'
                       THEN to_timestamp((message ->> 'expires_at')::float8) END;
BEGIN
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = name;
  number := coalesce((message ->> 'version')::integer, held.version, 1);
  -- A version that has not arrived yet may have other parties.
  IF number <= held.version THEN
    PERFORM mpc_internal.require_member(party, name, held.parties);
  END IF;
  IF number < held.version THEN
    RETURN '{"accepted": false, "reason": "a newer version replaced the one decided on"}';
  ELSIF number = held.version AND held.digest <> message ->> 'digest' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('node "%s" holds another spec of study "%s"', mpc_internal.own_party(), name),
      DETAIL = format('It holds version %s with digest %s.', held.version, held.digest),
      HINT = 'Propose the study once more: the new version replaces both.';
  ELSIF number IS DISTINCT FROM held.version AND (SELECT count(*) FROM mpc_internal.approvals AS a
         WHERE a.party = control_decision.party
           AND NOT EXISTS (SELECT FROM mpc_internal.studies AS s WHERE s.study = a.study AND s.version = a.version)) >= 100 THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many decisions of "%s" on unknown studies', party),
      DETAIL = format('Node "%s" keeps at most 100 of one party.', mpc_internal.own_party()),
      HINT = 'Propose the studies first: decisions on them follow.';
  END IF;
  IF EXISTS (SELECT FROM mpc_internal.approvals AS a
              WHERE a.study = name AND a.version = number AND a.party = control_decision.party
                AND ROW(a.digest, a.decision, a.reason, a.expires_at)
                    IS NOT DISTINCT FROM ROW(message ->> 'digest', decided, objection, until)
                AND (decided <> 'approved' OR encode(a.commitment, 'hex') IS NOT DISTINCT FROM message -> 'data' ->> 'commitment')) THEN
    RETURN '{"accepted": true}';
  END IF;
  IF held.state = 'running' AND number = held.version AND decided = 'approved' AND EXISTS (
       SELECT FROM mpc_internal.approvals AS a
        WHERE a.study = name AND a.version = number AND a.party = control_decision.party AND a.decision = 'approved'
          AND encode(a.commitment, 'hex') IS DISTINCT FROM message -> 'data' ->> 'commitment') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is running', name),
      DETAIL = format('Node "%s" runs it on the data of the previous approval.', mpc_internal.own_party()),
      HINT = 'The approval is delivered when the study has ended.';
  END IF;
  PERFORM mpc_internal.require_room_for_decision(party, name, number, decided, number IS NOT DISTINCT FROM held.version);
  -- A decision may arrive before its proposal. It is kept, and counts when the proposal with this digest has arrived.
  PERFORM mpc_internal.decide(name, number, party, message ->> 'digest', decided, objection, until,
                              stated => mpc_internal.stated_of(party, message));
  IF decided = 'approved' THEN
    PERFORM mpc_internal.hear_data(party, name, number, message -> 'data');
  END IF;
  PERFORM mpc_internal.announce(name);
  RETURN '{"accepted": true}';
END
$$;
COMMENT ON FUNCTION mpc_internal.control_decision(text, jsonb, text) IS 'stores the decision of a peer, unless it has it already';

CREATE FUNCTION mpc_internal.startable(state text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT state IN ('proposed', 'approved', 'running', 'rehearsed', 'failed', 'cancelled') $$;
COMMENT ON FUNCTION mpc_internal.startable(text) IS
'whether an attempt can begin, or continue, in this state of a study; approvals are checked separately';

CREATE FUNCTION mpc_internal.require_startable(held mpc_internal.current_studies) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- Expired approvals can be renewed, an expired proposal cannot.
  renewable boolean := held.state = 'expired' AND held.expires_at > now();
BEGIN
  IF held.spec::jsonb -> 'format' IS NULL AND held.state <> 'released' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the spec of study "%s" has an older format', held.study),
      DETAIL = format('Version %s was proposed under a version of pg_mpc that had fewer rules; it can be read and explained, but not started.', held.version),
      HINT = 'Propose it again: a new version needs new approvals.';
  END IF;
  IF mpc_internal.startable(held.state) THEN
    RETURN;
  END IF;
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', held.study, held.state),
    DETAIL = CASE WHEN renewable THEN format('Approvals have expired: %s.', mpc_internal.expired_approvals(held.study, held.version))
             ELSE coalesce(held.objection, format('It is version %s, proposed by %s.', held.version, held.proposer)) END,
    HINT = CASE WHEN held.state = 'released' THEN 'mpc.results lists what it released; propose it again for another run.'
           WHEN renewable THEN 'Approve it again on those nodes with mpc.approve_study.'
           WHEN held.state = 'expired' THEN 'Propose it again: a new version needs new approvals.'
           ELSE 'A party that objected may still approve it, mpc.approvals says which; another spec is a new version.' END;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_startable(mpc_internal.current_studies) IS
'error 55000, with a hint what to do, for a study that is released, rejected, withdrawn or expired';

CREATE FUNCTION mpc_internal.control_ready(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held record;
  reason text;
BEGIN
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = message ->> 'study';
  -- A peer that is not a party of the study gets the same answer as for a study that does not exist.
  reason := CASE
    WHEN held.study IS NULL OR party <> ALL (held.parties) THEN 'has not received the proposal'
    WHEN held.digest <> message ->> 'digest' THEN format('holds version %s with digest %s', held.version, held.digest)
    WHEN NOT mpc_internal.startable(held.state)
      THEN format('says that the study is %s', held.state)
    ELSE (SELECT CASE a.decision WHEN 'approved' THEN CASE WHEN message ->> 'data' <> mpc_internal.committed_data(held.study, held.version) THEN 'holds another commitment to the data of a controller' END
                      WHEN 'void' THEN 'has to approve again: ' || a.reason ELSE 'has not approved the study' END
            FROM (SELECT 1) AS one LEFT JOIN mpc_internal.approvals AS a
              ON a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.party = mpc_internal.own_party()) END;
  RETURN jsonb_strip_nulls(jsonb_build_object('ready', reason IS NULL, 'reason', reason));
END
$$;
COMMENT ON FUNCTION mpc_internal.control_ready(text, jsonb) IS
'{"ready": true} when this node approved the digest and holds the same commitments (data, if given: committed_data), else the reason, which only a party of the study is given; reads tables only';

-- the job of an engine

CREATE FUNCTION mpc_internal.start_job(study text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held mpc_internal.current_studies%ROWTYPE := mpc_internal.find_study(study);
  approval mpc_internal.approvals%ROWTYPE;
  place integer;
BEGIN
  PERFORM mpc_internal.require_startable(held);
  SELECT * INTO approval FROM mpc_internal.approvals AS a
   WHERE a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.party = own
     AND a.decision = 'approved';
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node has not approved study "%s"', study),
      DETAIL = coalesce((SELECT format('Its approval is no longer valid: %s.', a.reason) FROM mpc_internal.approvals AS a
                          WHERE a.study = held.study AND a.version = held.version AND a.party = own AND a.decision = 'void'),
                        format('It is version %s with digest %s, proposed by %s.', held.version, held.digest, held.proposer)),
      HINT = 'Read it with mpc.explain_study, then use mpc.approve_study.';
  END IF;
  PERFORM mpc_internal.require_peers(held.parties);
  place := array_position(held.parties, own) - 1;
  IF place < 2 THEN
    PERFORM mpc_internal.require_approver(held.study, approval);
    PERFORM mpc_internal.require_same_key(approval);
    approval.source := mpc_internal.same_or_rebuilt(approval);
    PERFORM mpc_internal.require_same_source(approval);
    PERFORM mpc_internal.require_binding(held.spec::jsonb, own, approval.source, approval.identifier, approval.approver);
    PERFORM mpc_internal.require_budget(held.study, held.spec::jsonb, approval.source);
    PERFORM mpc_internal.require_data(held, approval);
  END IF;
  PERFORM mpc_internal.require_floor(held.study, held.spec::jsonb, '55000');
  PERFORM mpc_internal.require_early_attempts(held.study, held.parties);
  PERFORM mpc_internal.require_commitments(held);
  PERFORM mpc_internal.check_two_valued(held.spec, (
    SELECT coalesce(jsonb_object_agg(a.party, to_jsonb(a.two_valued)), '{}')::text FROM mpc_internal.approvals AS a
     WHERE a.study = held.study AND a.version = held.version AND a.decision = 'approved' AND a.party = ANY (held.parties[1:2])));
  RETURN jsonb_build_object(
    'study', held.study, 'version', held.version, 'digest', held.digest, 'spec', held.spec,
    'data', mpc_internal.committed_data(held.study, held.version),
    'party', own, 'party_index', place, 'role', CASE WHEN place < 2 THEN 'controller' ELSE 'third_party' END,
    'source', CASE WHEN place < 2 THEN jsonb_build_object(
      'relation', approval.source::bigint, 'identifier', to_jsonb(approval.identifier),
      'approver', approval.approver::bigint, 'digest', encode(approval.source_digest, 'hex'), 'records', approval.source_records,
      'numbers_before', mpc_internal.numbers_before(mpc_internal.counterpart_of(held.parties, own), held.study),
      'numbers', mpc_internal.charged_numbers(held.spec::jsonb, mpc_internal.counterpart_of(held.parties, own), held.study)) END,
    'peers', (SELECT jsonb_agg(jsonb_build_object('party', p.party, 'url', p.url, 'certificate', p.certificate,
                       'fingerprint', p.fingerprint, 'next_fingerprint', coalesce(p.next_fingerprint, ''),
                       'index', array_position(held.parties, p.party) - 1)
                       ORDER BY array_position(held.parties, p.party))
                FROM mpc_internal.peers AS p WHERE p.party = ANY (held.parties)));
END
$$;
COMMENT ON FUNCTION mpc_internal.start_job(text) IS
'everything an engine of this node needs; error 55000, 42501, 42703, 42704, 53400 or MP005 when the study cannot start here, 22023 when an analysis does not fit the columns';

CREATE FUNCTION mpc_internal.check_two_valued(spec text, approved text) RETURNS void
LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_check_two_valued';
COMMENT ON FUNCTION mpc_internal.check_two_valued(text, text) IS
'error 22023 when an analysis forms a table or groups of an attribute that has more than two values; approved: the two-valued columns of each controller, {"party": ["column"]}';

CREATE FUNCTION mpc_internal.require_approver(study text, approval mpc_internal.approvals) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Another role may have the oid of a dropped role, so the name is compared too.
  IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = approval.approver AND quote_ident(r.rolname) = approval.decided_by) THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('role %s, which approved study "%s", does not exist any more', approval.decided_by, study),
      DETAIL = format('Source %s was to be read as that role.', approval.source_name),
      HINT = 'Approve the study again.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_approver(text, mpc_internal.approvals) IS
'error 55000 unless the role under which the source is read is still the one that approved';
