-- sum() of ciphertexts: serial, grouped and parallel plans agree.
SET search_path = public, mpc;
SELECT public_key AS pk, private_key AS sk FROM test_keys WHERE name = 'a' \gset
CREATE TABLE test_sums AS SELECT i, i % 3 AS g, paillier_encrypt(:'pk', i - 100, 2) AS c FROM generate_series(1, 300) AS i;
SELECT paillier_decrypt(:'sk', sum(c)) AS total, sum(i - 100) AS clear FROM test_sums;
SELECT g, paillier_decrypt(:'sk', sum(c)) AS total, sum(i - 100) AS clear FROM test_sums GROUP BY g ORDER BY g;
-- NULLs are skipped; one row is itself; no rows give NULL.
SELECT paillier_decrypt(:'sk', sum(CASE WHEN i > 298 THEN c END)) AS total FROM test_sums;
SELECT sum(c)::text = max(c::text) AS itself FROM test_sums WHERE i = 5;
SELECT sum(c) IS NULL AS empty FROM test_sums WHERE false;
SELECT sum(NULL::paillier_ciphertext) IS NULL AS only_nulls FROM test_sums;
-- A running sum: the state of earlier results does not change.
SELECT i, paillier_decrypt(:'sk', sum(c) OVER (ORDER BY i)) AS running FROM test_sums WHERE i <= 4;
-- The state is flat and the aggregate combines.
SELECT aggtranstype::regtype, aggcombinefn::regproc, proparallel FROM pg_aggregate JOIN pg_proc p ON p.oid = aggfnoid WHERE p.oid = 'mpc.sum(mpc.paillier_ciphertext)'::regprocedure;
SELECT sum(c) AS serial FROM test_sums \gset
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
ALTER TABLE test_sums SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT sum(c) FROM test_sums;
SELECT sum(c)::text = :'serial' AS parallel_equals_serial FROM test_sums;
SELECT current_setting('server_version_num')::int >= 160000 AS v16 \gset
\if :v16
SET debug_parallel_query = on;
\else
SET force_parallel_mode = on;
\endif
SELECT sum(c)::text = :'serial' AS forced_parallel_equals_serial FROM test_sums;
SELECT paillier_decrypt(:'sk', sum(c * 2)) AS doubled FROM test_sums;
SELECT count(*) FROM test_sums WHERE paillier_decrypt(:'sk', c) = i - 100;
RESET ALL;
SET search_path = public, mpc;
-- Mixed scales are refused inside the aggregate too.
SELECT sum(c) FROM (SELECT c FROM test_sums WHERE i < 3 UNION ALL SELECT paillier_encrypt(:'pk', 1, 3)) AS s;
