-- The states of a study at one node: proposals, versions, decisions, attempts, restart; the ledger over all of it.
-- Messages of peers are given to mpc_internal.control, as the coordinator does.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

-- The default spec with one attribute changed by its argument.
CREATE FUNCTION test_spec(lambda text DEFAULT '0.1') RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('controllers', '{
  "regress": {"attributes": ["age", "smoker"]},
  "zilveren_kruis": {"attributes": ["claims", "age"], "outcome": "hospital_days"}}'::jsonb,
  'third_party', 'zorgttp', 'analysis', jsonb_build_object('kind', 'lasso', 'lambda', lambda::jsonb))
$$;
-- The data message of a controller's approval; contents stands for the values.
CREATE FUNCTION data_of(sender text, spec jsonb, contents text DEFAULT 'a') RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('columns', to_jsonb(c), 'two_valued', '[]'::jsonb, 'commitment', encode(sha256(format('%s %s', c, contents)::bytea), 'hex'),
         'commitments', (SELECT jsonb_agg(encode(sha256(format('%s %s', name, contents)::bytea), 'hex')) FROM unnest(c) AS name))
  FROM mpc_internal.columns_of(spec, sender) AS c WHERE c IS NOT NULL
$$;
-- A decision of a peer about the current version.
CREATE FUNCTION peer_says(sender text, type text, name text, contents text DEFAULT 'a') RETURNS jsonb LANGUAGE sql AS $$
SELECT mpc_internal.control(sender, jsonb_strip_nulls(jsonb_build_object('type', type, 'study', study, 'version', version, 'digest', digest,
         'data', CASE type WHEN 'approve' THEN data_of(sender, spec, contents) END)))
  FROM mpc.studies WHERE study = name
$$;
CREATE FUNCTION state_of(name text) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', version, state, sqlstate, last_error) FROM mpc.studies WHERE study = name $$;
CREATE TABLE patients (bsn text, age integer, smoker boolean);
INSERT INTO patients SELECT i::text, 20 + i, i % 2 = 0 FROM generate_series(1, 200) AS i;

-- proposal
SELECT mpc.propose_study('heart', test_spec()) AS digest \gset
SELECT :'digest', :'digest' = digest, state, proposer, expires_at - proposed_at, spec -> 'disclosure' -> 'min_matched' FROM mpc.studies WHERE study = 'heart';
SELECT party, message ->> 'type', message ->> 'version', message ->> 'digest' = :'digest' FROM mpc_internal.outbox ORDER BY id;
SELECT party, role FROM mpc.parties ORDER BY party;
SELECT peer_says('zorgttp', 'ready', 'heart');

-- approvals
SELECT mpc.approve_study('heart', digest => :'digest', source => 'patients'::regclass, identifier => 'bsn');
SELECT peer_says('zorgttp', 'ready', 'heart');
SELECT peer_says('zorgttp', 'approve', 'heart'), state_of('heart');
SELECT peer_says('zilveren_kruis', 'approve', 'heart'), state_of('heart');
SELECT version, party, decision, source, decided_by = current_user FROM mpc.approvals WHERE study = 'heart' ORDER BY party;
SELECT fails($$SELECT mpc.remove_peer('zorgttp')$$);
BEGIN;
SELECT mpc_internal.approved_in_this_transaction('heart');
SAVEPOINT s;
SELECT mpc.approve_study('heart', :'digest', 'patients', 'bsn');
SELECT mpc_internal.approved_in_this_transaction('heart');
ROLLBACK;

-- the same spec again keeps the approvals, another one voids them
SELECT mpc.propose_study('heart', test_spec()) = :'digest', state_of('heart');
SELECT mpc.propose_study('heart', test_spec('0.2')) <> :'digest', state_of('heart');
SELECT count(*) FROM mpc.approvals WHERE study = 'heart' AND version = 2;
SELECT mpc.propose_study('heart', test_spec()) = :'digest', state_of('heart');

-- withdrawal, rejection, approval after it
SELECT fails($$SELECT mpc.withdraw_approval('heart')$$);
SELECT mpc.approve_study('heart', :'digest', 'patients', 'bsn');
SELECT mpc.withdraw_approval('heart');
SELECT fails($$SELECT mpc_internal.start_job('heart')$$);
SELECT mpc.reject_study('heart', 'age is not needed');
SELECT state_of('heart'), peer_says('zorgttp', 'ready', 'heart');
SELECT mpc.approve_study('heart', :'digest', 'patients', 'bsn');
SELECT mpc_internal.control('zorgttp', jsonb_build_object('type', 'reject', 'study', 'heart', 'version', 3, 'digest', :'digest', 'reason', 'not now'));
SELECT state_of('heart');
SELECT peer_says('zorgttp', 'approve', 'heart'), peer_says('zilveren_kruis', 'approve', 'heart'), state_of('heart');

-- the job of an engine
SELECT jsonb_pretty(mpc_internal.start_job('heart') #- '{spec}' #- '{data}' #- '{peers,0,certificate}' #- '{peers,1,certificate}'
         #- '{peers,0,fingerprint}' #- '{peers,1,fingerprint}' #- '{source,relation}' #- '{source,digest}' #- '{source,approver}');
SELECT (j -> 'source' ->> 'relation')::oid = 'patients'::regclass, (j -> 'source' ->> 'approver')::oid = current_user::regrole,
       mpc_internal.study_digest('heart', j ->> 'spec') = j ->> 'digest' FROM mpc_internal.start_job('heart') AS j;

-- an attempt that fails, one that is cancelled, one that a restart ends
SELECT mpc_internal.attempt_started('heart', repeat('1', 32), false), state_of('heart');
SELECT fails($$SELECT mpc.withdraw_approval('heart')$$);
SELECT fails($$SELECT mpc.propose_study('heart', test_spec('0.3'))$$);
SELECT peer_says('zorgttp', 'ready', 'heart');
SELECT mpc_internal.attempt_step('heart', repeat('1', 32), '{"party": "regress", "step": 1, "name": "prepare", "peer": "", "records": 200, "bytes": null, "seconds": 0.5, "data_status": "personal", "destroyed": []}');
SELECT mpc_internal.attempt_failed('heart', repeat('1', 32), 'MP003', 'party zorgttp cannot be reached', 'connection refused', 'Look at its node.', false);
SELECT state_of('heart');
SELECT mpc_internal.attempt_started('heart', repeat('2', 32), true), state_of('heart');
SELECT mpc_internal.attempt_failed('heart', repeat('1', 32), 'MP003', 'an old attempt', NULL, NULL, false), state_of('heart');
SELECT mpc_internal.attempt_failed('heart', repeat('2', 32), '57014', 'cancelled', '', '', true), state_of('heart');
SELECT mpc_internal.attempt_started('heart', repeat('3', 32), false);
SELECT mpc_internal.recover(), state_of('heart');

-- A result in tests: coefficients, fits and traffic as one analysis named lasso releases them.
CREATE FUNCTION as_relations(result jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('matched', result -> 'matched', 'rounds', result -> 'fits' -> 0 -> 'rounds', 'bytes_sent', result -> 'fits' -> 0 -> 'bytes_sent',
  'traffic', coalesce(result -> 'traffic', '[]'), 'relations', jsonb_build_array(
    jsonb_build_object('analysis', 'lasso', 'relation', 'coefficients', 'rows',
      (SELECT jsonb_agg(c || jsonb_build_object('party', nullif(c ->> 'party', ''))) FROM jsonb_array_elements(result -> 'coefficients') AS c)),
    jsonb_build_object('analysis', 'lasso', 'relation', 'fit', 'rows',
      (SELECT jsonb_agg(f - 'rounds' - 'bytes_sent') FROM jsonb_array_elements(result -> 'fits') AS f))))
$$;
-- release
SELECT fails($$SELECT * FROM mpc.coefficients('heart')$$);
SELECT mpc_internal.attempt_started('heart', repeat('4', 32), false);
SELECT mpc_internal.attempt_step('heart', repeat('4', 32), '{"party": "regress", "step": 1, "name": "prepare", "peer": "", "records": 200, "bytes": null, "seconds": 0.5, "data_status": "personal", "destroyed": []}');
SELECT mpc_internal.attempt_step('heart', repeat('4', 32), '{"party": "regress", "step": 2, "name": "agree_key", "peer": "zilveren_kruis", "bytes": 120, "seconds": 0.1, "data_status": "pseudonymised", "destroyed": ["key halves"]}');
SELECT mpc_internal.attempt_matched('heart', repeat('4', 32), 150);
SELECT mpc_internal.attempt_released('heart', repeat('4', 32), as_relations('{"matched": 150, "coefficients": [
  {"lambda": 0.1, "attribute": "(intercept)", "party": "", "coefficient": 1.5, "selected": true},
  {"lambda": 0.1, "attribute": "age", "party": "regress", "coefficient": 0.25, "selected": true},
  {"lambda": 0.1, "attribute": "smoker", "party": "regress", "coefficient": 2, "selected": true},
  {"lambda": 0.1, "attribute": "claims", "party": "zilveren_kruis", "coefficient": 0, "selected": false},
  {"lambda": 0.1, "attribute": "age", "party": "zilveren_kruis", "coefficient": -0.5, "selected": true}],
  "fits": [{"lambda": 0.1, "n": 150, "parameters": 5, "nonzero": 4, "iterations": 40, "converged": true,
            "r_squared": 0.5, "adjusted_r_squared": 0.48, "rounds": 90, "bytes_sent": 100000}]}'));
SELECT state_of('heart'), n_matched FROM mpc.studies WHERE study = 'heart';
SELECT attempt, party, step, name, peer, records, bytes, seconds, data_status, destroyed FROM mpc.steps WHERE study = 'heart';
SELECT peer_says('zorgttp', 'ready', 'heart');
SELECT fails($$SELECT mpc_internal.start_job('heart')$$);
SELECT fails(format($$SELECT mpc.approve_study('heart', %L, 'patients', 'bsn')$$, :'digest'));
SELECT fails($$SELECT mpc.reject_study('heart')$$);

-- proposals of a peer; a decision that arrives before its proposal; a different spec; old versions
SELECT mpc_internal.parse_spec(test_spec('0.5')::text) AS spec, mpc_internal.parse_spec(test_spec('0.6')::text) AS other \gset
SELECT mpc_internal.study_digest('lungs', :'spec') AS digest, mpc_internal.study_digest('lungs', :'other') AS other_digest \gset
SELECT mpc_internal.control('zorgttp', jsonb_build_object('type', 'approve', 'study', 'lungs', 'version', 1, 'digest', :'digest'));
SELECT count(*) FROM mpc.approvals WHERE study = 'lungs';
SELECT mpc_internal.control('zorgttp', jsonb_build_object('type', 'ready', 'study', 'lungs', 'version', 1, 'digest', :'digest'));
SELECT jsonb_build_object('type', 'propose', 'study', 'lungs', 'version', 1, 'spec', :'spec', 'digest', :'digest') AS message \gset
SELECT mpc_internal.control('zilveren_kruis', :'message');
SELECT mpc_internal.control('zilveren_kruis', :'message');
SELECT proposer, state FROM mpc.studies WHERE study = 'lungs';
SELECT party, decision FROM mpc.approvals WHERE study = 'lungs';
SELECT regexp_replace(fails(format('SELECT mpc_internal.control(''zorgttp'', %L)', :'message'::jsonb || jsonb_build_object('spec', :'other', 'digest', :'other_digest'))), '[0-9a-f]{64}', 'X');
SELECT regexp_replace(fails(format('SELECT mpc_internal.control(''zorgttp'', %L)', :'message'::jsonb || jsonb_build_object('spec', :'other'))), '[0-9a-f]{64}', 'X');
SELECT mpc_internal.control('zorgttp', :'message'::jsonb || jsonb_build_object('spec', :'other', 'digest', :'other_digest', 'version', 2)), state_of('lungs');
SELECT mpc_internal.control('zorgttp', jsonb_build_object('type', 'approve', 'study', 'lungs', 'version', 1, 'digest', :'digest'));
SELECT fails(format('SELECT mpc_internal.control(''zorgttp'', %L)', '{"type": "approve", "study": "lungs", "digest": "x"}'));
SELECT fails(format('SELECT mpc_internal.control(''zorgttp'', %L)', jsonb_build_object('type', 'dance', 'study', 'lungs', 'digest', :'digest')));
SELECT fails(format('SELECT mpc_internal.control(''stranger'', %L)', :'message'));
SELECT mpc_internal.control('zorgttp', '{"type": "hello"}');

-- a final refusal of a peer is shown, a temporary one is retried
INSERT INTO mpc_internal.outbox (party, message) VALUES ('zorgttp', '{"type": "propose", "study": "lungs", "version": 2}') RETURNING id AS message_id \gset
SELECT mpc_internal.outbox_refused(:message_id, '{"sqlstate": "55P03", "message": "busy", "passing": true}');
SELECT error FROM mpc_internal.outbox WHERE id = :message_id;
SELECT mpc_internal.outbox_refused(:message_id, '{"sqlstate": "22023", "message": "zorgttp: \"another spec is held\"", "detail": "version 2"}');
SELECT count(*) FROM mpc_internal.outbox WHERE id = :message_id;
SELECT state_of('lungs');

-- expiry
UPDATE mpc_internal.studies SET expires_at = now() WHERE study = 'lungs';
SELECT state_of('lungs');
SELECT fails(format($$SELECT mpc.approve_study('lungs', %L, 'patients', 'bsn')$$, :'other_digest'));

-- the model budget counts released models of a source
SELECT mpc.propose_study('heart', jsonb_set(test_spec(), '{disclosure}', '{"model_budget": 1}')) AS digest \gset
SELECT mpc.approve_study('heart', :'digest', 'patients', 'bsn');
SELECT fails($$SELECT mpc_internal.start_job('heart')$$);
SELECT mpc.propose_study('heart', jsonb_set(test_spec('[0.1, 0.2]'), '{disclosure}', '{"model_budget": 3}')) AS digest \gset
SELECT mpc.approve_study('heart', :'digest', 'patients', 'bsn');
SELECT mpc_internal.start_job('heart') IS NOT NULL;

-- a dropped source, and a dropped role that approved
CREATE TABLE gone AS TABLE patients;
SELECT mpc.approve_study('heart', :'digest', 'gone', 'bsn');
ALTER TABLE gone DROP COLUMN smoker;
SELECT fails($$SELECT mpc_internal.start_job('heart')$$);
DROP TABLE gone;
SELECT regexp_replace(fails($$SELECT mpc_internal.start_job('heart')$$), 'oid [0-9]+', 'oid X');

-- the ledger
SELECT event, party, CASE event WHEN 'relied_on' THEN detail #- '{data}' #- '{approvals}' ELSE detail END AS detail
  FROM mpc.ledger WHERE attempt = repeat('4', 32) ORDER BY id;
SELECT entries = sealed, intact, first_broken, length(head) FROM mpc.verify_ledger();
