-- HMAC-SHA-256: the vectors of RFC 4231 whose data is text.
SELECT encode(mpc.keyed_hash(decode(repeat('0b', 20), 'hex'), 'Hi There'), 'hex') AS case_1;
SELECT encode(mpc.keyed_hash('Jefe', 'what do ya want for nothing?'), 'hex') AS case_2;
SELECT encode(mpc.keyed_hash(decode(repeat('aa', 131), 'hex'), 'Test Using Larger Than Block-Size Key - Hash Key First'), 'hex') AS case_6;
SELECT encode(mpc.keyed_hash(decode(repeat('aa', 131), 'hex'), 'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.'), 'hex') AS case_7;
-- Empty values are values; NULL gives NULL.
SELECT encode(mpc.keyed_hash('', ''), 'hex') AS empty;
SELECT mpc.keyed_hash(NULL, 'a') IS NULL AND mpc.keyed_hash('a', NULL) IS NULL AS strict;
-- Identifiers longer than a TOAST threshold, and twice the same.
SELECT mpc.keyed_hash('k', repeat('x', 100000)) = mpc.keyed_hash('k', repeat('x', 100000)) AS deterministic;
SELECT provolatile, proparallel, proisstrict FROM pg_proc WHERE oid = 'mpc.keyed_hash(bytea, text)'::regprocedure;
