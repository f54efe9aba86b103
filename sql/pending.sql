-- mpc.pending: whose approval is missing, since when, and why.
SELECT mpc.propose_study('pending', test_spec()) AS digest \gset
SELECT party, missing, since = proposed_at AS since_proposal, last_reached IS NOT NULL AS reached, reason
  FROM mpc.pending('pending') JOIN mpc.studies ON study = 'pending';
SELECT mpc.approve_study('pending', :'digest', 'patients', 'bsn');
DELETE FROM mpc_internal.outbox WHERE party = 'zorgttp';
SELECT mpc_internal.control('zilveren_kruis', jsonb_build_object('type', 'reject', 'study', 'pending', 'digest', :'digest', 'version', 1, 'reason', 'not now'));
SELECT party, missing, last_reached IS NOT NULL AS reached, reason FROM mpc.pending('pending');
UPDATE mpc_internal.approvals SET expires_at = now() - interval '1 day' WHERE study = 'pending' AND party = 'regress';
SELECT party, missing, since < now() AS past FROM mpc.pending('pending');
-- a released study waits for nothing
UPDATE mpc_internal.studies SET run_state = 'released' WHERE study = 'pending';
SELECT count(*) FROM mpc.pending('pending');
SELECT mpc.pending('no_such_study');
