-- Shamir's secret sharing in SQL.
SET search_path = public, mpc;
SELECT count(*), min(party), max(party) FROM shamir_split(42, 2, 3);
-- Every threshold-many subset opens the secret; the decimal places of a share are the degree.
CREATE TEMP TABLE shares AS SELECT * FROM shamir_split(-123.456, 2, 3, scale => 3);
SELECT DISTINCT scale(share) AS degree, trunc(share) = share AND share >= 0 AND share < 2::numeric ^ 127 - 1 AS in_field FROM shares;
SELECT left_out, (SELECT shamir_combine(party, share, 3) FROM shares WHERE party <> left_out) FROM generate_series(0, 3) AS left_out;
-- The order of rows does not matter; NULLs are skipped; no rows give NULL.
SELECT shamir_combine(party, share, 3 ORDER BY party DESC) FROM shares;
SELECT shamir_combine(party, share, 3) FROM (SELECT * FROM shares UNION ALL SELECT NULL, 1 UNION ALL SELECT 9, NULL) s;
SELECT shamir_combine(party, share) FROM shares WHERE false;
-- Too few shares, a forged surplus share, a party twice: errors.
SELECT shamir_combine(party, share, 3) FROM shares WHERE party = 1;
SELECT shamir_combine(party, CASE party WHEN 3 THEN share + 1 ELSE share END, 3) FROM shares;
\echo :LAST_ERROR_SQLSTATE
SELECT shamir_combine(1, share, 3) FROM shares;
SELECT shamir_combine(party, share, party) FROM shares;
-- Other thresholds, and the largest numbers of parties.
SELECT shamir_combine(party, share) FROM shamir_split(7, 1, 1);
SELECT shamir_combine(party, share) FROM shamir_split(7, 1, 5);
SELECT shamir_combine(party, share) FROM shamir_split(7, 5, 5);
SELECT shamir_combine(party, share) FROM shamir_split(7, 100, 255) WHERE party > 155;
SELECT shamir_combine(party, share) FROM shamir_split(7, 255, 255);
-- The ends of the range are exact.
SELECT shamir_combine(party, share) = 2::numeric ^ 126 - 1 AS greatest FROM shamir_split(2::numeric ^ 126 - 1, 2, 3);
SELECT shamir_combine(party, share) = 1 - 2::numeric ^ 126 AS least FROM shamir_split(1 - 2::numeric ^ 126, 2, 3);
SELECT shamir_combine(party, share, 30) FROM shamir_split(0.000000000000000000000000000001, 2, 3, 30);
SELECT shamir_combine(party, share, 3) FROM shamir_split(0, 2, 3, 3);
-- Shares without decimal places have no degree: all of them are used (f(x) = 42 + 100 x).
SELECT shamir_combine(party, share) FROM (VALUES (1, 142), (3, 342)) AS s(party, share);
-- Shares are fresh each time.
SELECT count(DISTINCT share) FROM generate_series(1, 20), shamir_split(42, 2, 3);
-- Sums of shares are shares of the sum: the source's numbers. Two additive shares of each value (steps 5 and 6) are
-- split (step 7). Each party adds its two shares. Combining gives attributes 1, 2 and 3 of the two records.
CREATE TEMP TABLE additive (record int, attribute int, of_one numeric, of_other numeric);
INSERT INTO additive VALUES
  (1, 1, 87785483.9, -87785482.7), (1, 2, 5789471.2, -5789468.0), (1, 3, -16354726.5, 16354728.2),
  (2, 1, 84053906.6, -84053902.5), (2, 2, 6769073.0, -6769065.8), (2, 3, -964543780.3, 964543782.3);
SELECT record, attribute, shamir_combine(party, a.share + b.share, 1)
  FROM additive, shamir_split(of_one, 2, 3, 1) AS a JOIN LATERAL shamir_split(of_other, 2, 3, 1) AS b USING (party)
 GROUP BY record, attribute ORDER BY record, attribute;
-- A product of shares has twice the degree: three shares open it.
SELECT shamir_combine(party, a.share * b.share) FROM shamir_split(6, 2, 3) a JOIN shamir_split(7, 2, 3) b USING (party);
SELECT shamir_combine(party, a.share * b.share) FROM shamir_split(6, 2, 3) a JOIN shamir_split(7, 2, 3) b USING (party) WHERE party < 3;
-- Parallel plans give the same result.
SELECT aggcombinefn <> 0 AS combines, aggtranstype::regtype, proparallel FROM pg_aggregate JOIN pg_proc p ON p.oid = aggfnoid WHERE proname = 'shamir_combine';
CREATE TABLE many_shares AS SELECT secret, s.* FROM generate_series(1, 500) AS secret, shamir_split(secret, 2, 3) AS s;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
ALTER TABLE many_shares SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT shamir_combine(party, share) FROM many_shares WHERE secret = 77;
SELECT count(*) FROM (SELECT secret, shamir_combine(party, share) AS opened FROM many_shares GROUP BY secret) s WHERE opened = secret;
DROP TABLE many_shares;
-- Invalid states of the aggregate; only a superuser can call its internal functions.
CREATE FUNCTION pg_temp.final(state bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN mpc_internal.shamir_final(state);
EXCEPTION WHEN OTHERS THEN
  RETURN sqlstate || ': ' || sqlerrm;
END $$;
SELECT pg_temp.final('\x0000'), pg_temp.final('\x000000'), pg_temp.final('\x00000001'),
       pg_temp.final('\x00000000' || decode(repeat('00', 16), 'hex'));
