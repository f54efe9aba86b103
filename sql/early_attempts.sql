-- Attempts that end before the match are counted per peer and day (pg_mpc.early_attempts), across restarts.
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
-- N attempts that end in this way.
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
-- other peers are not meant, nor are attempts of yesterday
SELECT mpc_internal.require_early_attempts('other', '{regress,amphia,radboud}');
UPDATE mpc_internal.early_attempts SET ended_at = ended_at - interval '25 hours' WHERE attempt = lpad('30', 32, '0');
SELECT mpc_internal.start_job('early') ->> 'study';
SELECT attempts('[71,72)', false);
-- a restart is an end before the match
SELECT mpc_internal.attempt_started('early', repeat('f', 32), false), mpc_internal.recover();
SELECT count(*) FROM mpc_internal.early_attempts WHERE parties = '{zilveren_kruis,zorgttp}';
DELETE FROM mpc_internal.early_attempts;
DROP FUNCTION attempts;
