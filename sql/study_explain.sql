-- mpc.explain_study: who sends what, who learns what, what is destroyed.
SELECT mpc.propose_study('explained', test_spec()) IS NOT NULL AS proposed;
SELECT step, name, party, peer, data_status, destroyed FROM mpc.explain_study('explained') WHERE step > 0;
SELECT name FROM mpc.explain_study('explained') WHERE step = 0;
SELECT learns FROM mpc.explain_study('explained') WHERE name = 'penalty';
-- without expected_records nothing that depends on the number of records is estimated
SELECT count(*) FILTER (WHERE step BETWEEN 3 AND 6) AS rows, count(bytes) FILTER (WHERE step BETWEEN 3 AND 6) AS bytes,
       count(records) AS records, count(seconds) AS seconds FROM mpc.explain_study('explained');
SELECT mpc.propose_study('explained', jsonb_set(test_spec(), '{expected_records}', '5000')) IS NOT NULL AS proposed;
SELECT count(bytes) FILTER (WHERE name = 'push') AS bytes, count(seconds) > 0 AS seconds,
       bool_and(records = 5000) FILTER (WHERE name = 'push') AS records FROM mpc.explain_study('explained');
-- the same rows whatever this node's own table holds (rule F5)
CREATE TEMP TABLE before AS SELECT * FROM mpc.explain_study('explained');
INSERT INTO patients SELECT 'more' || i, i, true FROM generate_series(1, 1000) AS i;
SELECT count(*) AS differing FROM (TABLE before EXCEPT SELECT * FROM mpc.explain_study('explained')) AS d;
DELETE FROM patients WHERE bsn LIKE 'more%';
