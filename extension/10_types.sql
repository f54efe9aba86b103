-- Defines the types of the Paillier scheme.
--
-- Invariants
-- Values are validated on input, as text or binary. The binary form is the payload of the text form. Ciphertexts and
-- keys are random bytes, so they are stored out of line and never compressed.

CREATE TYPE mpc.paillier_public_key;

CREATE FUNCTION mpc_internal.paillier_public_key_in(cstring) RETURNS mpc.paillier_public_key
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_public_key_in';
CREATE FUNCTION mpc_internal.paillier_public_key_out(mpc.paillier_public_key) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_public_key_out';
CREATE FUNCTION mpc_internal.paillier_public_key_recv(internal) RETURNS mpc.paillier_public_key
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_public_key_recv';
CREATE FUNCTION mpc_internal.paillier_public_key_send(mpc.paillier_public_key) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_send';

CREATE TYPE mpc.paillier_public_key (
  INPUT = mpc_internal.paillier_public_key_in,
  OUTPUT = mpc_internal.paillier_public_key_out,
  RECEIVE = mpc_internal.paillier_public_key_recv,
  SEND = mpc_internal.paillier_public_key_send,
  STORAGE = external
);

CREATE TYPE mpc.paillier_private_key;

CREATE FUNCTION mpc_internal.paillier_private_key_in(cstring) RETURNS mpc.paillier_private_key
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_private_key_in';
CREATE FUNCTION mpc_internal.paillier_private_key_out(mpc.paillier_private_key) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_private_key_out';
CREATE FUNCTION mpc_internal.paillier_private_key_recv(internal) RETURNS mpc.paillier_private_key
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_private_key_recv';
CREATE FUNCTION mpc_internal.paillier_private_key_send(mpc.paillier_private_key) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_send';

CREATE TYPE mpc.paillier_private_key (
  INPUT = mpc_internal.paillier_private_key_in,
  OUTPUT = mpc_internal.paillier_private_key_out,
  RECEIVE = mpc_internal.paillier_private_key_recv,
  SEND = mpc_internal.paillier_private_key_send,
  STORAGE = external
);

CREATE TYPE mpc.paillier_ciphertext;

CREATE FUNCTION mpc_internal.paillier_ciphertext_in(cstring) RETURNS mpc.paillier_ciphertext
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_ciphertext_in';
CREATE FUNCTION mpc_internal.paillier_ciphertext_out(mpc.paillier_ciphertext) RETURNS cstring
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_ciphertext_out';
CREATE FUNCTION mpc_internal.paillier_ciphertext_recv(internal) RETURNS mpc.paillier_ciphertext
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_ciphertext_recv';
CREATE FUNCTION mpc_internal.paillier_ciphertext_send(mpc.paillier_ciphertext) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'pg_mpc_paillier_send';

CREATE TYPE mpc.paillier_ciphertext (
  INPUT = mpc_internal.paillier_ciphertext_in,
  OUTPUT = mpc_internal.paillier_ciphertext_out,
  RECEIVE = mpc_internal.paillier_ciphertext_recv,
  SEND = mpc_internal.paillier_ciphertext_send,
  STORAGE = external
);

REVOKE ALL ON TYPE mpc.paillier_public_key, mpc.paillier_private_key, mpc.paillier_ciphertext FROM PUBLIC;
GRANT USAGE ON TYPE mpc.paillier_public_key, mpc.paillier_private_key, mpc.paillier_ciphertext TO mpc_study;
REVOKE ALL ON FUNCTION
  mpc_internal.paillier_public_key_in(cstring), mpc_internal.paillier_public_key_out(mpc.paillier_public_key),
  mpc_internal.paillier_public_key_recv(internal), mpc_internal.paillier_public_key_send(mpc.paillier_public_key),
  mpc_internal.paillier_private_key_in(cstring), mpc_internal.paillier_private_key_out(mpc.paillier_private_key),
  mpc_internal.paillier_private_key_recv(internal), mpc_internal.paillier_private_key_send(mpc.paillier_private_key),
  mpc_internal.paillier_ciphertext_in(cstring), mpc_internal.paillier_ciphertext_out(mpc.paillier_ciphertext),
  mpc_internal.paillier_ciphertext_recv(internal), mpc_internal.paillier_ciphertext_send(mpc.paillier_ciphertext)
  FROM PUBLIC;

COMMENT ON TYPE mpc.paillier_public_key IS
  'Paillier public key: N of 2048, 3072 or 4096 bits and the public square h_s. Text form pp1:<hex>. '
  'Invalid values are refused on input (22P02).';
COMMENT ON TYPE mpc.paillier_private_key IS
  'Paillier private key: two safe primes. Text form ps1:<hex>. It belongs to the caller: anyone who sees the value in a '
  'dump or a log line can decrypt. A session that has decrypted keeps the key in memory until it ends. Private '
  'keys of studies are never SQL values. Invalid values are refused on input (22P02).';
COMMENT ON TYPE mpc.paillier_ciphertext IS
  'Paillier ciphertext with its scale and its key''s N: 771, 1155 or 1539 bytes for keys of 2048, 3072 or 4096 bits. '
  'Text form pc1:<hex>. Invalid values are refused on input (22P02).';
COMMENT ON FUNCTION mpc_internal.paillier_public_key_in(cstring) IS 'text input';
COMMENT ON FUNCTION mpc_internal.paillier_public_key_out(mpc.paillier_public_key) IS 'text output';
COMMENT ON FUNCTION mpc_internal.paillier_public_key_recv(internal) IS 'binary input';
COMMENT ON FUNCTION mpc_internal.paillier_public_key_send(mpc.paillier_public_key) IS 'binary output';
COMMENT ON FUNCTION mpc_internal.paillier_private_key_in(cstring) IS 'text input';
COMMENT ON FUNCTION mpc_internal.paillier_private_key_out(mpc.paillier_private_key) IS 'text output';
COMMENT ON FUNCTION mpc_internal.paillier_private_key_recv(internal) IS 'binary input';
COMMENT ON FUNCTION mpc_internal.paillier_private_key_send(mpc.paillier_private_key) IS 'binary output';
COMMENT ON FUNCTION mpc_internal.paillier_ciphertext_in(cstring) IS 'text input';
COMMENT ON FUNCTION mpc_internal.paillier_ciphertext_out(mpc.paillier_ciphertext) IS 'text output';
COMMENT ON FUNCTION mpc_internal.paillier_ciphertext_recv(internal) IS 'binary input';
COMMENT ON FUNCTION mpc_internal.paillier_ciphertext_send(mpc.paillier_ciphertext) IS 'binary output';
