-- Attempts that end before the match are counted per day (pg_mpc.early_attempts), across restarts: for their parties together,
-- and for the peers that started or ended them.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

CREATE TABLE early_source (id text, age integer);
INSERT INTO early_source SELECT i::text, i % 50 FROM generate_series(1, 200) AS i;
SELECT mpc.propose_study('early', '{"controllers": {"regress": {"attributes": ["age"]},
  "zilveren_kruis": {"attributes": ["claims"], "outcome": "hospital_days"}}, "third_party": "zorgttp",
  "analysis": {"kind": "lasso", "lambda": 0.1}}') AS digest \gset
SELECT mpc.approve_study('early', :'digest', 'early_source', 'id');
SELECT peer_says(p, 'approve', 'early') FROM unnest('{zilveren_kruis,zorgttp}'::text[]) AS p;
-- Makes N attempts that end in this way.
CREATE FUNCTION attempts(numbers int4range, matched boolean, sqlstate text DEFAULT 'MP002') RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN lower(numbers) .. upper(numbers) - 1 LOOP
    PERFORM mpc_internal.attempt_started('early', lpad(i::text, 32, '0'), false);
    IF matched THEN
      PERFORM mpc_internal.attempt_matched('early', lpad(i::text, 32, '0'), 150);
    END IF;
    PERFORM mpc_internal.attempt_failed('early', lpad(i::text, 32, '0'), sqlstate, 'over', NULL, NULL, false);
  END LOOP;
  RETURN (SELECT count(*) FROM mpc_internal.early_attempts);
END
$$;
DELETE FROM mpc_internal.early_attempts;
SELECT attempts('[1,4)', true), attempts('[11,14)', false, 'MP005'), attempts('[21,70)', false);
SELECT mpc_internal.start_job('early') ->> 'study';
SELECT attempts('[70,71)', false);
SELECT fails($$SELECT mpc_internal.start_job('early')$$);
-- the order of the parties does not matter; attempts with other parties, even if one is the same, and of yesterday do not count
SELECT fails($$SELECT mpc_internal.require_early_attempts('other', '{regress,zorgttp,zilveren_kruis}')$$);
SELECT mpc_internal.require_early_attempts('other', p) FROM (VALUES ('{regress,amphia,radboud}'::text[]), ('{regress,zilveren_kruis,amphia}'), ('{amphia,regress,zorgttp}')) AS v (p);
UPDATE mpc_internal.early_attempts SET ended_at = ended_at - interval '25 hours' WHERE attempt = lpad('30', 32, '0');
SELECT mpc_internal.start_job('early') ->> 'study';
SELECT attempts('[71,72)', false);
-- an id that a peer assigns twice would be counted once
SELECT fails($$SELECT attempts('[71,72)', false)$$), fails($$SELECT attempts('[1,2)', true)$$);
-- a restart counts as an end before the match
SELECT mpc_internal.attempt_started('early', repeat('f', 32), false), mpc_internal.recover();
SELECT count(*), count(*) FILTER (WHERE charged <> '{}') FROM mpc_internal.early_attempts WHERE parties = '{zilveren_kruis,zorgttp}';
-- charged: the peers that started and ended it
SELECT mpc_internal.charge_early_attempt(lpad('40', 32, '0'), 'zorgttp', 'zorgttp'), mpc_internal.charge_early_attempt(lpad('41', 32, '0'), 'zorgttp', 'zilveren_kruis'),
  mpc_internal.charge_early_attempt(lpad('42', 32, '0'), NULL, 'amphia'), mpc_internal.charge_early_attempt(lpad('43', 32, '0'), 'zilveren_kruis', NULL);
SELECT ltrim(attempt, '0') AS number, charged FROM mpc_internal.early_attempts WHERE attempt BETWEEN lpad('40', 32, '0') AND lpad('43', 32, '0') ORDER BY attempt;
-- twice as many attempts charged to one peer block it, with other parties too; the other parties of its attempts are not blocked
INSERT INTO mpc_internal.early_attempts (attempt, study, parties, charged) SELECT 'x' || i, 'x', '{radboud,zilveren_kruis}', '{radboud,zilveren_kruis}' FROM generate_series(1, 49) AS i;
INSERT INTO mpc_internal.early_attempts (attempt, study, parties, charged) SELECT 'y' || i, 'y', '{amphia,radboud}', '{radboud}' FROM generate_series(1, 50) AS i;
SELECT mpc_internal.require_early_attempts('other', '{regress,radboud,zorgttp}'), mpc_internal.require_early_attempts('other', '{regress,zilveren_kruis,amphia}');
INSERT INTO mpc_internal.early_attempts (attempt, study, parties, charged) VALUES ('z', 'z', '{radboud,zorgttp}', '{radboud}');
SELECT fails($$SELECT mpc_internal.require_early_attempts('other', '{regress,radboud,zorgttp}')$$);
SELECT mpc_internal.require_early_attempts('other', '{regress,zilveren_kruis,amphia}');
DELETE FROM mpc_internal.early_attempts;
DROP FUNCTION attempts;
