-- Defines cryptographic functions that can be used without studies.
--
-- Security
-- Keys given to these functions belong to the caller and are SQL values. Keys of studies never are.

CREATE FUNCTION mpc.keyed_hash(key bytea, identifier text) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50
  AS 'MODULE_PATHNAME', 'pg_mpc_keyed_hash';
REVOKE ALL ON FUNCTION mpc.keyed_hash(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mpc.keyed_hash(bytea, text) TO mpc_study;
COMMENT ON FUNCTION mpc.keyed_hash(bytea, text) IS
  'HMAC-SHA-256 (RFC 2104) of the identifier''s bytes in the database encoding; 32 bytes; any key length. '
  'For tests and own pipelines: studies hash under a joint key that is never an SQL value.';

-- Paillier: additively homomorphic encryption. Functions that use randomness are VOLATILE: a folded constant would
-- encrypt all rows with the same randomness.

CREATE FUNCTION mpc.paillier_keygen(bits integer DEFAULT 3072,
                                    OUT public_key mpc.paillier_public_key, OUT private_key mpc.paillier_private_key)
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 30000000
  AS 'MODULE_PATHNAME', 'pg_mpc_paillier_keygen';
COMMENT ON FUNCTION mpc.paillier_keygen(integer) IS
  'New Paillier key pair from two fresh safe primes; bits is 2048, 3072 (default) or 4096, anything else is 22023. Takes '
  'about a second and can be cancelled. The private key is an ordinary SQL value: keep it out of logs and dumps.';

CREATE FUNCTION mpc.paillier_encrypt(public_key mpc.paillier_public_key, value numeric, scale integer DEFAULT 0)
  RETURNS mpc.paillier_ciphertext
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 10000
  AS 'MODULE_PATHNAME', 'pg_mpc_paillier_encrypt';
COMMENT ON FUNCTION mpc.paillier_encrypt(mpc.paillier_public_key, numeric, integer) IS
  'Ciphertext of value * 10^scale, fresh randomness each time; scale = decimal places kept, 0 to 1000. Nothing is '
  'rounded: more decimal places than the scale are 22023; NaN, infinity and |value * 10^scale| >= N/2 are 22003.';

CREATE FUNCTION mpc.paillier_decrypt(private_key mpc.paillier_private_key, ciphertext mpc.paillier_ciphertext)
  RETURNS numeric
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20000
  AS 'MODULE_PATHNAME', 'pg_mpc_paillier_decrypt';
COMMENT ON FUNCTION mpc.paillier_decrypt(mpc.paillier_private_key, mpc.paillier_ciphertext) IS
  'The exact value with scale decimal places. A ciphertext of another key is 22023. Sums outside (-N/2, N/2) '
  'are returned modulo N: the scheme cannot detect that.';

CREATE FUNCTION mpc.paillier_rerandomize(public_key mpc.paillier_public_key, ciphertext mpc.paillier_ciphertext)
  RETURNS mpc.paillier_ciphertext
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 10000
  AS 'MODULE_PATHNAME', 'pg_mpc_paillier_rerandomize';
COMMENT ON FUNCTION mpc.paillier_rerandomize(mpc.paillier_public_key, mpc.paillier_ciphertext) IS
  'Another ciphertext of the same value, unlinkable to the given one. Results of + - * and sum() must pass through it '
  'before they leave the server: those operations are deterministic and show which ciphertexts and factors were used. '
  'A ciphertext of another key is 22023.';

CREATE FUNCTION mpc_internal.paillier_add(mpc.paillier_ciphertext, mpc.paillier_ciphertext)
  RETURNS mpc.paillier_ciphertext
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 500 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_add';
CREATE FUNCTION mpc_internal.paillier_subtract(mpc.paillier_ciphertext, mpc.paillier_ciphertext)
  RETURNS mpc.paillier_ciphertext
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_subtract';
CREATE FUNCTION mpc_internal.paillier_multiply(mpc.paillier_ciphertext, bigint)
  RETURNS mpc.paillier_ciphertext
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_multiply';
CREATE FUNCTION mpc_internal.paillier_multiply(bigint, mpc.paillier_ciphertext)
  RETURNS mpc.paillier_ciphertext
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_multiply_commuted';
COMMENT ON FUNCTION mpc_internal.paillier_add(mpc.paillier_ciphertext, mpc.paillier_ciphertext) IS
  'implementation of + operator';
COMMENT ON FUNCTION mpc_internal.paillier_subtract(mpc.paillier_ciphertext, mpc.paillier_ciphertext) IS
  'implementation of - operator';
COMMENT ON FUNCTION mpc_internal.paillier_multiply(mpc.paillier_ciphertext, bigint) IS 'implementation of * operator';
COMMENT ON FUNCTION mpc_internal.paillier_multiply(bigint, mpc.paillier_ciphertext) IS 'implementation of * operator';

CREATE OPERATOR mpc.+ (
  LEFTARG = mpc.paillier_ciphertext, RIGHTARG = mpc.paillier_ciphertext, FUNCTION = mpc_internal.paillier_add,
  COMMUTATOR = OPERATOR(mpc.+)
);
CREATE OPERATOR mpc.- (
  LEFTARG = mpc.paillier_ciphertext, RIGHTARG = mpc.paillier_ciphertext, FUNCTION = mpc_internal.paillier_subtract
);
CREATE OPERATOR mpc.* (
  LEFTARG = mpc.paillier_ciphertext, RIGHTARG = bigint, FUNCTION = mpc_internal.paillier_multiply,
  COMMUTATOR = OPERATOR(mpc.*)
);
CREATE OPERATOR mpc.* (
  LEFTARG = bigint, RIGHTARG = mpc.paillier_ciphertext, FUNCTION = mpc_internal.paillier_multiply,
  COMMUTATOR = OPERATOR(mpc.*)
);
COMMENT ON OPERATOR mpc.+ (mpc.paillier_ciphertext, mpc.paillier_ciphertext) IS
  'Ciphertext of the sum. Different keys or scales are 22023 naming both. Deterministic: see paillier_rerandomize.';
COMMENT ON OPERATOR mpc.- (mpc.paillier_ciphertext, mpc.paillier_ciphertext) IS
  'Ciphertext of the difference. Different keys or scales are 22023 naming both. Deterministic: see paillier_rerandomize.';
COMMENT ON OPERATOR mpc.* (mpc.paillier_ciphertext, bigint) IS
  'Ciphertext of the value times a public integer. Deterministic: it reveals the factor to anyone who has the operand; see '
  'paillier_rerandomize.';
COMMENT ON OPERATOR mpc.* (bigint, mpc.paillier_ciphertext) IS
  'Ciphertext of the value times a public integer. Deterministic: it reveals the factor to anyone who has the operand; see '
  'paillier_rerandomize.';

CREATE FUNCTION mpc_internal.paillier_sum_transition(state bytea, ciphertext mpc.paillier_ciphertext) RETURNS bytea
  LANGUAGE c IMMUTABLE PARALLEL SAFE COST 400 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_sum_transition';
CREATE FUNCTION mpc_internal.paillier_sum_combine(bytea, bytea) RETURNS bytea
  LANGUAGE c IMMUTABLE PARALLEL SAFE COST 400 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_sum_combine';
CREATE FUNCTION mpc_internal.paillier_sum_final(bytea) RETURNS mpc.paillier_ciphertext
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_sum_final';
COMMENT ON FUNCTION mpc_internal.paillier_sum_transition(bytea, mpc.paillier_ciphertext) IS 'transition of sum';
COMMENT ON FUNCTION mpc_internal.paillier_sum_combine(bytea, bytea) IS 'combination of partial sums';
COMMENT ON FUNCTION mpc_internal.paillier_sum_final(bytea) IS 'result of sum';

CREATE AGGREGATE mpc.sum(mpc.paillier_ciphertext) (
  SFUNC = mpc_internal.paillier_sum_transition, STYPE = bytea, SSPACE = 1600,
  FINALFUNC = mpc_internal.paillier_sum_final, COMBINEFUNC = mpc_internal.paillier_sum_combine, PARALLEL = safe
);
COMMENT ON AGGREGATE mpc.sum(mpc.paillier_ciphertext) IS
  'Ciphertext of the sum over all rows, NULLs skipped; NULL without rows. Different keys or scales are 22023 naming both. '
  'Deterministic: see paillier_rerandomize.';

-- Shamir's secret sharing over the field of 2^127-1 elements.

CREATE FUNCTION mpc.shamir_split(secret numeric, threshold integer, parties integer, scale integer DEFAULT 0)
  RETURNS TABLE (party integer, share numeric)
  LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 2000 ROWS 3
  AS 'MODULE_PATHNAME', 'pg_mpc_shamir_split';
COMMENT ON FUNCTION mpc.shamir_split(numeric, integer, integer, integer) IS
  'Shares of secret * 10^scale for the parties 1 to parties. Any threshold of them open it, fewer reveal nothing. '
  '1 <= threshold <= parties <= 255, otherwise 22023; |secret * 10^scale| >= 2^126 is 22003; more decimal places than the '
  'scale are 22023. A share is an integer in [0, 2^127-1); its decimal places (zeros) say the degree, threshold - 1.';

CREATE FUNCTION mpc_internal.shamir_transition(state bytea, party integer, share numeric) RETURNS bytea
  LANGUAGE c IMMUTABLE PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'pg_mpc_shamir_transition';
CREATE FUNCTION mpc_internal.shamir_transition(state bytea, party integer, share numeric, scale integer) RETURNS bytea
  LANGUAGE c IMMUTABLE PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'pg_mpc_shamir_transition';
CREATE FUNCTION mpc_internal.shamir_combine(bytea, bytea) RETURNS bytea
  LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'pg_mpc_shamir_combine';
CREATE FUNCTION mpc_internal.shamir_final(bytea) RETURNS numeric
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'pg_mpc_shamir_final';
COMMENT ON FUNCTION mpc_internal.shamir_transition(bytea, integer, numeric) IS 'transition of shamir_combine';
COMMENT ON FUNCTION mpc_internal.shamir_transition(bytea, integer, numeric, integer) IS 'transition of shamir_combine';
COMMENT ON FUNCTION mpc_internal.shamir_combine(bytea, bytea) IS 'combination of partial states of shamir_combine';
COMMENT ON FUNCTION mpc_internal.shamir_final(bytea) IS 'result of shamir_combine';

CREATE AGGREGATE mpc.shamir_combine(party integer, share numeric) (
  SFUNC = mpc_internal.shamir_transition, STYPE = bytea, SSPACE = 200,
  FINALFUNC = mpc_internal.shamir_final, COMBINEFUNC = mpc_internal.shamir_combine, PARALLEL = safe
);
CREATE AGGREGATE mpc.shamir_combine(party integer, share numeric, scale integer) (
  SFUNC = mpc_internal.shamir_transition, STYPE = bytea, SSPACE = 200,
  FINALFUNC = mpc_internal.shamir_final, COMBINEFUNC = mpc_internal.shamir_combine, PARALLEL = safe
);
COMMENT ON AGGREGATE mpc.shamir_combine(integer, numeric) IS
  'The secret that the shares belong to, scale 0. Rows with NULL are skipped; NULL without rows. The decimal places of the '
  'shares say how many are needed: fewer are 22023, surplus shares must agree (MP007). Shares without decimal places do '
  'not say it: all are used and nothing can be checked. A party that appears twice is 22023. Sums of shares, party by '
  'party, are shares of the sum.';
COMMENT ON AGGREGATE mpc.shamir_combine(integer, numeric, integer) IS
  'The same for shares that were split with a scale: the result has scale decimal places. The scale is the same in all rows.';

REVOKE ALL ON FUNCTION
  mpc_internal.paillier_add(mpc.paillier_ciphertext, mpc.paillier_ciphertext),
  mpc_internal.paillier_subtract(mpc.paillier_ciphertext, mpc.paillier_ciphertext),
  mpc_internal.paillier_multiply(mpc.paillier_ciphertext, bigint),
  mpc_internal.paillier_multiply(bigint, mpc.paillier_ciphertext),
  mpc_internal.paillier_sum_transition(bytea, mpc.paillier_ciphertext),
  mpc_internal.paillier_sum_combine(bytea, bytea), mpc_internal.paillier_sum_final(bytea),
  mpc_internal.shamir_transition(bytea, integer, numeric),
  mpc_internal.shamir_transition(bytea, integer, numeric, integer),
  mpc_internal.shamir_combine(bytea, bytea), mpc_internal.shamir_final(bytea),
  mpc.paillier_keygen(integer), mpc.paillier_encrypt(mpc.paillier_public_key, numeric, integer),
  mpc.paillier_decrypt(mpc.paillier_private_key, mpc.paillier_ciphertext),
  mpc.paillier_rerandomize(mpc.paillier_public_key, mpc.paillier_ciphertext), mpc.sum(mpc.paillier_ciphertext),
  mpc.shamir_split(numeric, integer, integer, integer), mpc.shamir_combine(integer, numeric),
  mpc.shamir_combine(integer, numeric, integer)
  FROM PUBLIC;
-- An operator checks the privilege on its function, so members of mpc_study need privileges on these four.
GRANT EXECUTE ON FUNCTION
  mpc_internal.paillier_add(mpc.paillier_ciphertext, mpc.paillier_ciphertext),
  mpc_internal.paillier_subtract(mpc.paillier_ciphertext, mpc.paillier_ciphertext),
  mpc_internal.paillier_multiply(mpc.paillier_ciphertext, bigint),
  mpc_internal.paillier_multiply(bigint, mpc.paillier_ciphertext),
  mpc.paillier_keygen(integer), mpc.paillier_encrypt(mpc.paillier_public_key, numeric, integer),
  mpc.paillier_decrypt(mpc.paillier_private_key, mpc.paillier_ciphertext),
  mpc.paillier_rerandomize(mpc.paillier_public_key, mpc.paillier_ciphertext), mpc.sum(mpc.paillier_ciphertext),
  mpc.shamir_split(numeric, integer, integer, integer), mpc.shamir_combine(integer, numeric),
  mpc.shamir_combine(integer, numeric, integer)
  TO mpc_study;
