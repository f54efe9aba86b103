-- Nothing for PUBLIC: only members of mpc_study may use functions, operators and types of the extension.
CREATE ROLE regress_stranger;
CREATE ROLE regress_analyst IN ROLE mpc_study;
GRANT SELECT ON test_keys, test_sums TO regress_stranger, regress_analyst;
SELECT public_key AS pk, private_key AS sk FROM test_keys WHERE name = 'a' \gset
SET ROLE regress_stranger;
SELECT mpc.keyed_hash('k', 'i');
SELECT mpc.paillier_keygen(2048);
SELECT 'pp1:00'::mpc.paillier_public_key;
SELECT sum(c) FROM test_sums;
SELECT * FROM mpc.shamir_split(1, 2, 3);
RESET ROLE;
-- USAGE on the schema alone is not enough for the functions.
GRANT USAGE ON SCHEMA mpc, mpc_internal TO regress_stranger;
SET ROLE regress_stranger;
SELECT mpc.keyed_hash('k', 'i');
SELECT mpc.paillier_keygen(2048);
SELECT mpc.paillier_encrypt(public_key, 1) FROM test_keys;
SELECT mpc.paillier_decrypt(private_key, NULL) FROM test_keys;
SELECT mpc.paillier_rerandomize(public_key, NULL) FROM test_keys;
SELECT c OPERATOR(mpc.+) c FROM test_sums;
SELECT c OPERATOR(mpc.-) c FROM test_sums;
SELECT c OPERATOR(mpc.*) 2 FROM test_sums;
SELECT 2 OPERATOR(mpc.*) c FROM test_sums;
SELECT mpc.sum(c) FROM test_sums;
SELECT * FROM mpc.shamir_split(1, 2, 3);
SELECT mpc.shamir_combine(1, 2);
SELECT mpc.shamir_combine(1, 2, 3);
SELECT mpc_internal.paillier_sum_final('\x00');
CREATE TEMP TABLE t (k mpc.paillier_private_key);
RESET ROLE;
-- A member of mpc_study may use all of it, but no internal function.
SET ROLE regress_analyst;
SELECT mpc.paillier_decrypt(:'sk', mpc.sum(c OPERATOR(mpc.+) c OPERATOR(mpc.-) c OPERATOR(mpc.*) 3)) AS total FROM test_sums WHERE i < 103;
SELECT mpc.shamir_combine(party, share) FROM mpc.shamir_split(5, 2, 3);
SELECT length(mpc.keyed_hash('k', 'i'));
CREATE TEMP TABLE t (k mpc.paillier_private_key);
SELECT mpc_internal.paillier_sum_final('\x00');
RESET ROLE;
DROP OWNED BY regress_stranger, regress_analyst;
DROP ROLE regress_stranger, regress_analyst;
