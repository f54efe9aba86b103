-- Limits of what an approved peer can make this node keep (rule B9): decisions, heads, refusals, versions. Versions arrive in
-- order, and text of a peer is quoted.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION limit_spec(lambda text DEFAULT '0.1') RETURNS text LANGUAGE sql AS $$
SELECT mpc_internal.parse_spec(jsonb_build_object('controllers', '{
  "regress": {"attributes": ["age"]}, "zilveren_kruis": {"attributes": ["claims"], "outcome": "hospital_days"}}'::jsonb,
  'third_party', 'zorgttp', 'analysis', jsonb_build_object('kind', 'lasso', 'lambda', lambda::jsonb))::text)
$$;
-- The answer of this node to the insurer.
CREATE FUNCTION says(type text, name text, version integer, more jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN mpc_internal.control('zilveren_kruis', jsonb_build_object('type', type, 'study', name, 'version', version,
    'digest', mpc_internal.study_digest(name, limit_spec()))
    || CASE type WHEN 'approve' THEN jsonb_build_object('data', data_of('zilveren_kruis', limit_spec()::jsonb)) ELSE '{}' END || more);
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE FUNCTION proposes(name text, version integer, lambda text DEFAULT '0.1', more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
SELECT says('propose', name, version, jsonb_build_object('spec', limit_spec(lambda),
            'digest', mpc_internal.study_digest(name, limit_spec(lambda))) || more)
$$;
CREATE FUNCTION entries(name text) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(event || ' ' || n, ', ' ORDER BY event) FROM (
  SELECT event, count(*) AS n FROM mpc.ledger WHERE study = name AND party = 'zilveren_kruis' GROUP BY event) AS e
$$;

-- decisions: a repeated one makes no entry, at most 100 per version
SELECT proposes('flood', 1), proposes('flood', 1), entries('flood');
SELECT count(says('approve', 'flood', 1, '{"expires_at": 2000000000}')), entries('flood') FROM generate_series(1, 50);
SELECT answer, count(*) FROM generate_series(1, 300) AS i,
       says(CASE WHEN i % 2 = 0 THEN 'approve' ELSE 'reject' END, 'flood', 1, '{"reason": "no"}') AS answer
 GROUP BY answer ORDER BY 1;
SELECT entries('flood');
-- an approval can be withdrawn at any time, once
SELECT decision FROM mpc.approvals WHERE study = 'flood' AND party = 'zilveren_kruis';
UPDATE mpc_internal.approvals SET decision = 'approved' WHERE study = 'flood' AND party = 'zilveren_kruis';
SELECT says('withdraw', 'flood', 1), says('reject', 'flood', 1), says('approve', 'flood', 1);
SELECT decision FROM mpc.approvals WHERE study = 'flood' AND party = 'zilveren_kruis';
-- the count starts at zero for a new version
SELECT proposes('flood', 2, '0.2'), says('approve', 'flood', 2, jsonb_build_object('digest', mpc_internal.study_digest('flood', limit_spec('0.2'))));
-- three decisions on an unknown version
SELECT answer, count(*) FROM generate_series(1, 9) AS i, says(CASE WHEN i % 2 = 0 THEN 'approve' ELSE 'reject' END, 'nowhere', 7) AS answer
 GROUP BY answer ORDER BY 1;

-- heads: those of attempts, and some more
SELECT answer, count(*) FROM generate_series(1, 100) AS i, says('head', 'flood', 1,
       jsonb_build_object('attempt', repeat('0', 32), 'place', i, 'head', lpad(to_hex(i), 64, '0'))) AS answer GROUP BY answer ORDER BY 1;
-- refusals of this node's messages
INSERT INTO mpc_internal.outbox (party, message) SELECT 'zilveren_kruis', '{"type": "approve", "study": "flood", "version": 1}' FROM generate_series(1, 150);
SELECT count(mpc_internal.outbox_refused(id, '{"sqlstate": "22023", "message": "no"}')) >= 150 FROM mpc_internal.outbox WHERE party = 'zilveren_kruis';
SELECT entries('flood');

-- the versions of a name cannot be used up, and arrive in order
SELECT proposes('burned', 999999999), proposes('burned', 2), proposes('burned', 999999999, '0.1', '{"skipped": 999999998}');
SELECT count(mpc.propose_study('burned', limit_spec('0.3')::jsonb));
SELECT version, proposer FROM mpc.studies WHERE study = 'burned';
SELECT proposes('burned', 3);
SELECT proposes('burned', 2);
SELECT proposes('burned', 3, '0.4');
-- a late repetition of a known proposal
SELECT proposes('burned', 1, '0.3'), proposes('burned', 2);
SELECT proposes('burned', 5, '0.5', '{"skipped": 1}'), proposes('burned', 6, '0.6', '{"skipped": -1}'), proposes('burned', 200, '0.6', '{"skipped": 194}');
SELECT answer, count(*), max(i) FROM generate_series(1, 120) AS i, proposes('often', i, (i * 0.001)::text) AS answer GROUP BY answer ORDER BY 1;

-- the opposite direction: a peer that lacks versions gets those of which it is a party, in order, once
DELETE FROM mpc_internal.outbox;
SELECT count(mpc.propose_study('gaps', limit_spec(l)::jsonb)) FROM unnest('{0.1,0.2,0.3}'::text[]) AS l;
INSERT INTO mpc_internal.studies (study, version, digest, spec, parties, proposer)
SELECT study, 4, digest, spec, '{amphia,regress,zorgttp}', 'regress' FROM mpc_internal.studies WHERE study = 'gaps' AND version = 1;
SELECT count(mpc.propose_study('gaps', limit_spec('0.5')::jsonb));
DELETE FROM mpc_internal.outbox WHERE party <> 'zilveren_kruis' OR message ->> 'version' <> '5';
SELECT count(mpc_internal.outbox_gap(id, 1)) FROM mpc_internal.outbox;
SELECT party, message ->> 'version', message ->> 'skipped', message ->> 'digest' = mpc_internal.study_digest('gaps', message ->> 'spec')
  FROM mpc_internal.outbox ORDER BY id;
SELECT count(mpc_internal.outbox_gap(id, 0)) FROM mpc_internal.outbox;
SELECT count(*) FROM mpc_internal.outbox;
SELECT detail ->> 'sqlstate', detail ->> 'message' FROM mpc.ledger WHERE study = 'gaps' AND event = 'message_refused';

-- a peer that accepts nothing delays no other peer
INSERT INTO mpc_internal.outbox (party, message) SELECT 'zorgttp', '{"type": "hello"}' FROM generate_series(1, 2000);
INSERT INTO mpc_internal.outbox (party, message) SELECT 'zilveren_kruis', '{"type": "hello"}' FROM generate_series(1, 3);
SELECT party, count(*) FROM mpc_internal.outbox_pending() GROUP BY party ORDER BY party;
DELETE FROM mpc_internal.outbox;

-- a temporary refusal is retried in order for a day, then messages of other studies go first, then it becomes final
SELECT count(mpc.propose_study(s, limit_spec('0.1')::jsonb)) FROM unnest('{waits,passes}'::text[]) AS s;
-- the same proposal is queued once for a peer that has not accepted it
DELETE FROM mpc_internal.outbox WHERE party = 'zorgttp' AND message ->> 'study' = 'waits';
SELECT count(mpc.propose_study('waits', limit_spec('0.1')::jsonb)) FROM generate_series(1, 3);
SELECT party, message ->> 'study' AS study, count(*) FROM mpc_internal.outbox GROUP BY 1, 2 ORDER BY 1, 2;
DELETE FROM mpc_internal.outbox WHERE party = 'zorgttp';
SELECT mpc.reject_study('waits', 'no') IS NOT NULL;
DELETE FROM mpc_internal.outbox WHERE party = 'zorgttp';
CREATE FUNCTION refused_after(age text) RETURNS TABLE (study text, type text, first boolean, held boolean) LANGUAGE sql AS $$
  UPDATE mpc_internal.outbox SET refused_at = clock_timestamp() - age::interval WHERE refused_at IS NOT NULL;
  SELECT mpc_internal.outbox_refused(o.id, '{"sqlstate": "XX000", "message": "zilveren_kruis: \"oh\"", "passing": true}')
    FROM mpc_internal.outbox AS o WHERE o.message ->> 'study' = 'waits' AND o.message ->> 'type' = 'propose';
  SELECT o.message ->> 'study', o.message ->> 'type', o.id IN (SELECT p.id FROM mpc_internal.outbox_pending() AS p), o.held_until > clock_timestamp()
    FROM mpc_internal.outbox AS o ORDER BY o.id $$;
CREATE FUNCTION messages() RETURNS text LANGUAGE sql AS $$
  SELECT status || ': ' || regexp_replace(detail, 'since [^,;]*', 'since T', 'g') || coalesce(' ' || left(hint, 23), '') FROM mpc.node_status() WHERE "check" = 'messages' $$;
SELECT messages();
SELECT * FROM refused_after('0');
SELECT * FROM refused_after('23 hours');
SELECT messages();
SELECT * FROM refused_after('25 hours');
SELECT messages();
-- the held message is due again
UPDATE mpc_internal.outbox SET held_until = clock_timestamp() WHERE held_until IS NOT NULL;
SELECT message ->> 'study' FROM mpc_internal.outbox_pending();
SELECT * FROM refused_after('31 days');
SELECT last_error FROM mpc.studies WHERE study = 'waits';
SELECT detail - 'version' FROM mpc.ledger WHERE study = 'waits' AND event = 'message_refused';
DELETE FROM mpc_internal.outbox;
SELECT messages();
SELECT mpc_internal.outbox_refused(0, '{"sqlstate": "22023", "message": "of a message that is gone"}');
SELECT count(*) FROM mpc.ledger WHERE event = 'message_refused' AND party IS NULL;
DROP FUNCTION refused_after, messages;

-- text
SELECT '[' || mpc_internal.peer_text(E' two\nlines,\t\u001b[2J\u202egnihton "quoted" ' || repeat('x', 400)) || ']';
SELECT length(mpc_internal.peer_text(repeat('x', 400))), mpc_internal.peer_text(E'\u200b \n') IS NULL;
SELECT says('reject', 'flood', 2, jsonb_build_object('reason', E'\u001b[31mrun "this"', 'digest', mpc_internal.study_digest('flood', limit_spec('0.2'))));
SELECT last_error FROM mpc.studies WHERE study = 'flood';

-- without the rules (mutants) the same messages fill the ledger, and text is shown as it came
BEGIN;
CREATE OR REPLACE FUNCTION mpc_internal.require_room_for_decision(party text, study text, version integer, decision text, known boolean)
RETURNS void LANGUAGE sql AS '';
CREATE OR REPLACE FUNCTION mpc_internal.require_room_for_version(party text, study text) RETURNS void LANGUAGE sql AS '';
CREATE OR REPLACE FUNCTION mpc_internal.heads_are_full(party text, study text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OR REPLACE FUNCTION mpc_internal.peer_text(said text) RETURNS text LANGUAGE sql AS 'SELECT said';
SELECT proposes('unlimited', 1);
SELECT answer, count(*) FROM generate_series(1, 300) AS i,
       says(CASE WHEN i % 2 = 0 THEN 'approve' ELSE 'reject' END, 'unlimited', 1, '{"reason": "no"}') AS answer
 GROUP BY answer ORDER BY 1;
SELECT answer, count(*) FROM generate_series(1, 100) AS i, says('head', 'unlimited', 1,
       jsonb_build_object('attempt', repeat('0', 32), 'place', i, 'head', lpad(to_hex(i), 64, '0'))) AS answer GROUP BY answer ORDER BY 1;
SELECT answer, count(*) FROM generate_series(2, 150) AS i, proposes('unlimited', i, (i * 0.001)::text) AS answer GROUP BY answer ORDER BY 1;
SELECT entries('unlimited');
SELECT says('reject', 'unlimited', 150, jsonb_build_object('reason', E'\u001b[31mrun "this"', 'digest', mpc_internal.study_digest('unlimited', limit_spec('0.150'))));
SELECT last_error LIKE E'%\u001b[31mrun "this"%' AS as_it_came FROM mpc.studies WHERE study = 'unlimited' AND version = 150;
ROLLBACK;

DROP FUNCTION proposes, says, entries, limit_spec;
