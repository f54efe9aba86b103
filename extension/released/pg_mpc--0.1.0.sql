\echo Use "CREATE EXTENSION pg_mpc" to load this file. \quit

-- Schemas and roles. Roles belong to the whole cluster: they are created if absent and stay when the extension goes.
-- Names in this script are qualified or in pg_catalog: the search path while it runs is pg_catalog, pg_temp.

CREATE SCHEMA mpc;
COMMENT ON SCHEMA mpc IS 'pg_mpc: secure multi-party regression and its building blocks';

CREATE SCHEMA mpc_internal;
COMMENT ON SCHEMA mpc_internal IS 'pg_mpc: objects that only the extension itself uses';

DO $$
DECLARE
  role_name pg_catalog.text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['mpc_admin', 'mpc_study', 'mpc_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) role_name) THEN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA mpc TO mpc_admin, mpc_study, mpc_reader;
-- The types of the Paillier scheme. Values are validated when they come in, as text or binary; the binary form is the
-- payload of the text form. Ciphertexts and keys are random bytes: stored out of line, never compressed.

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
  'Paillier private key: two safe primes. Text form ps1:<hex>. It belongs to the caller: whoever sees the value, a dump '
  'or a log line with it can decrypt, and a session that decrypted keeps the key in its memory until it ends. Private '
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
-- Cryptography in SQL, usable on its own. Keys given to these functions belong to the caller and travel as SQL values:
-- the keys of studies never do.

CREATE FUNCTION mpc.keyed_hash(key bytea, identifier text) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50
  AS 'MODULE_PATHNAME', 'pg_mpc_keyed_hash';
REVOKE ALL ON FUNCTION mpc.keyed_hash(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mpc.keyed_hash(bytea, text) TO mpc_study;
COMMENT ON FUNCTION mpc.keyed_hash(bytea, text) IS
  'HMAC-SHA-256 (RFC 2104) of the identifier''s bytes in the database encoding; 32 bytes; any key length. '
  'For trials and own pipelines: studies hash under a joint key that is never an SQL value.';

-- Paillier: additively homomorphic encryption. Everything random is VOLATILE: a folded constant would encrypt all rows
-- with the same randomness.

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
  'The exact value with scale decimal places. A ciphertext of another key is 22023. Sums that left the range '
  '(-N/2, N/2) come out wrapped around: the scheme cannot notice.';

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
  'Ciphertext of the value times a public integer. Deterministic: it shows the factor to whoever has the operand; see '
  'paillier_rerandomize.';
COMMENT ON OPERATOR mpc.* (bigint, mpc.paillier_ciphertext) IS
  'Ciphertext of the value times a public integer. Deterministic: it shows the factor to whoever has the operand; see '
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
  'Shares of secret * 10^scale for the parties 1 to parties, any threshold of which open it; fewer say nothing. '
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
-- Operators check the permission of their function, so the members of mpc_study need the four of them.
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
-- What: the parties that this node knows, each with its URL and its certificate (two while it is being changed).
-- Terms: party = a name in studies; peer = another party that this node has been told of; fingerprint = hex SHA-256
--        of the DER form of the certificate, the identity of a peer.
-- Invariants: every write goes through the functions below; each of them wakes the coordinator at COMMIT.

-- private functions

CREATE FUNCTION mpc_internal.preloaded() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_preloaded';
COMMENT ON FUNCTION mpc_internal.preloaded() IS
'true when the server loaded pg_mpc at its start (shared_preload_libraries)';

CREATE FUNCTION mpc_internal.wait_briefly(milliseconds integer) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_wait_briefly';
COMMENT ON FUNCTION mpc_internal.wait_briefly(integer) IS
'waits on the process latch, at most 1000 ms, and honours cancel requests';

CREATE FUNCTION mpc_internal.invoking_user() RETURNS oid
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_invoking_user';
COMMENT ON FUNCTION mpc_internal.invoking_user() IS
'role that called the outermost function (SET ROLE counts, SECURITY DEFINER does not); error 42501 inside index, materialized view and maintenance expressions';

CREATE FUNCTION mpc_internal.certificate_details(
  certificate text, OUT fingerprint text, OUT subject text,
  OUT not_before timestamptz, OUT not_after timestamptz, OUT usable boolean) RETURNS record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_certificate_details';
COMMENT ON FUNCTION mpc_internal.certificate_details(text) IS
'parses one PEM certificate; usable says that its key usage allows TLS client and server';

CREATE FUNCTION mpc_internal.own_certificate(
  OUT fingerprint text, OUT not_before timestamptz, OUT not_after timestamptz,
  OUT problem text, OUT hint text) RETURNS record
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_own_certificate';
COMMENT ON FUNCTION mpc_internal.own_certificate() IS
'reads pg_mpc.certificate_file and pg_mpc.private_key_file as the workers do; problem is NULL when they can be used together';

CREATE FUNCTION mpc_internal.require_preload() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT mpc_internal.preloaded() THEN
    RAISE EXCEPTION USING ERRCODE = '55000',
      MESSAGE = 'pg_mpc is not preloaded',
      DETAIL = 'Studies need the background workers of pg_mpc, which start with the server.',
      HINT = 'Add pg_mpc to the line shared_preload_libraries = ''pg_mpc'' of postgresql.conf and restart the server; the last assignment in the file wins.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_preload() IS 'error 55000 with the configuration line unless pg_mpc is preloaded';

CREATE FUNCTION mpc_internal.configured_party() RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_configured_party';
COMMENT ON FUNCTION mpc_internal.configured_party() IS 'pg_mpc.party, NULL when empty or not preloaded';

CREATE FUNCTION mpc_internal.configured_database() RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'pg_mpc_configured_database';
COMMENT ON FUNCTION mpc_internal.configured_database() IS 'pg_mpc.database';

CREATE FUNCTION mpc_internal.own_party() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.configured_party();
BEGIN
  PERFORM mpc_internal.require_preload();
  IF own IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'F0000',
      MESSAGE = 'this node has no party name',
      DETAIL = 'pg_mpc.party is empty.',
      HINT = 'Set pg_mpc.party = ''name'' in postgresql.conf and restart the server.';
  END IF;
  IF current_database() <> mpc_internal.configured_database() THEN
    RAISE EXCEPTION USING ERRCODE = '55000',
      MESSAGE = format('studies of this server live in database "%s"', mpc_internal.configured_database()),
      DETAIL = format('This session is connected to database "%s".', current_database()),
      HINT = 'Connect there, or change pg_mpc.database and restart the server.';
  END IF;
  RETURN own;
END
$$;
COMMENT ON FUNCTION mpc_internal.own_party() IS
'name of this node''s party; error with the line to configure when this session cannot work with studies';

CREATE FUNCTION mpc_internal.valid_name(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT name OPERATOR(pg_catalog.~) '\A[a-z][a-z0-9_]{0,62}\Z' $$;
COMMENT ON FUNCTION mpc_internal.valid_name(text) IS 'names of parties, studies and attributes: [a-z][a-z0-9_]{0,62}';

-- tables

CREATE TABLE mpc_internal.peers (
  party text PRIMARY KEY CHECK (mpc_internal.valid_name(party)),
  url text NOT NULL,
  certificate text NOT NULL,
  fingerprint text NOT NULL UNIQUE,
  not_after timestamptz NOT NULL,
  next_certificate text,
  next_fingerprint text UNIQUE,
  next_not_after timestamptz,
  added_at timestamptz NOT NULL DEFAULT now(),
  last_seen timestamptz
);
COMMENT ON TABLE mpc_internal.peers IS
'peers of this node; a peer is exactly its certificate; next_certificate is accepted too while the peer changes to it';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.peers', '');

-- checks shared by add_peer and alter_peer

CREATE FUNCTION mpc_internal.check_peer_url(url text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  port text := substring(url FROM ':([0-9]{1,5})/?\Z');
BEGIN
  IF url IS NULL OR length(url) > 512
     OR url !~ '\Ahttps://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?\Z'
     OR port::integer NOT BETWEEN 1 AND 65535 THEN
    RAISE EXCEPTION USING ERRCODE = '22023',
      MESSAGE = 'peer url is not valid',
      DETAIL = format('The url is %L.', left(url, 512)),
      HINT = 'Give scheme, host and port only, for example https://node2.example.org:7443.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.check_peer_url(text) IS 'error 22023 unless the url is https://host[:port]';

CREATE FUNCTION mpc_internal.check_peer_certificate(
  party text, certificate text, OUT fingerprint text, OUT not_after timestamptz) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parsed record;
  holder text;
BEGIN
  IF certificate IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a peer needs a certificate',
      DETAIL = 'The certificate is NULL.',
      HINT = 'Pass the PEM text of the peer''s certificate as certificate => ''-----BEGIN CERTIFICATE-----…''.';
  END IF;
  parsed := mpc_internal.certificate_details(certificate);
  IF NOT parsed.usable THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'certificate cannot be used for TLS',
      DETAIL = format('The certificate of subject %L does not allow both TLS server and TLS client authentication.', parsed.subject),
      HINT = 'Issue it with extendedKeyUsage = serverAuth, clientAuth.';
  END IF;
  IF parsed.not_after <= now() THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'certificate has expired',
      DETAIL = format('It was valid until %s.', parsed.not_after),
      HINT = 'Ask the peer for a new one: it has to be installed on its node first.';
  END IF;
  IF parsed.fingerprint = (SELECT own.fingerprint FROM mpc_internal.own_certificate() AS own) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'certificate is the one of this node',
      DETAIL = format('Its fingerprint is %s.', parsed.fingerprint),
      HINT = 'Ask the peer for its own certificate: mpc.node_status() on its node names the file.';
  END IF;
  SELECT p.party INTO holder FROM mpc_internal.peers AS p
   WHERE parsed.fingerprint IN (p.fingerprint, p.next_fingerprint) AND p.party <> check_peer_certificate.party;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42710',
      MESSAGE = format('certificate already belongs to peer "%s"', holder),
      DETAIL = format('Its fingerprint is %s; a peer is exactly its certificate.', parsed.fingerprint),
      HINT = 'Ask the peer for its own certificate, or remove the peer that holds this one with mpc.remove_peer.';
  END IF;
  fingerprint := parsed.fingerprint;
  not_after := parsed.not_after;
END
$$;
COMMENT ON FUNCTION mpc_internal.check_peer_certificate(text, text) IS
'fingerprint and expiry of a peer''s certificate; errors for one that is expired, unusable, this node''s own or another peer''s';

-- public functions

CREATE FUNCTION mpc.add_peer(party text, url text, certificate text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  parsed record;
BEGIN
  IF party IS NULL OR NOT mpc_internal.valid_name(party) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('"%s" is not a valid party name', party),
      DETAIL = 'The name is part of specs and of messages between nodes.',
      HINT = 'A name begins with a letter a-z; letters, digits and underscores follow, 63 characters at most.';
  END IF;
  IF party = own THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('"%s" is this node', party),
      DETAIL = 'A node is not its own peer.',
      HINT = 'Add the other parties only; the name of this node is the setting pg_mpc.party.';
  END IF;
  IF EXISTS (SELECT FROM mpc_internal.peers AS p WHERE p.party = add_peer.party) THEN
    RAISE EXCEPTION USING ERRCODE = '42710', MESSAGE = format('peer "%s" already exists', party),
      DETAIL = format('Its url is %s.', (SELECT p.url FROM mpc_internal.peers AS p WHERE p.party = add_peer.party)),
      HINT = 'Use mpc.alter_peer to change its url or certificate.';
  END IF;
  IF (SELECT count(*) FROM mpc_internal.peers) >= coalesce(current_setting('pg_mpc.max_peers', true)::integer, 16) THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = 'too many peers',
      DETAIL = format('pg_mpc.max_peers is %s.', current_setting('pg_mpc.max_peers', true)),
      HINT = 'Remove a peer with mpc.remove_peer, or raise pg_mpc.max_peers and restart the server.';
  END IF;
  PERFORM mpc_internal.check_peer_url(url);
  parsed := mpc_internal.check_peer_certificate(party, certificate);
  INSERT INTO mpc_internal.peers (party, url, certificate, fingerprint, not_after)
  VALUES (add_peer.party, rtrim(add_peer.url, '/'), add_peer.certificate, parsed.fingerprint, parsed.not_after);
  PERFORM mpc_internal.record_event(NULL, NULL, 'peer_added', party, jsonb_build_object('fingerprint', parsed.fingerprint));
  PERFORM mpc_internal.wake_coordinator('reload');
  RETURN parsed.fingerprint;
END
$$;
COMMENT ON FUNCTION mpc.add_peer(text, text, text) IS
'makes another party known to this node: name, https url of its listener, PEM text of its certificate. Returns the fingerprint (hex SHA-256): compare it with the peer''s mpc.node_status() by another channel. Errors: 22023 name, url or certificate not usable; 42710 known already; 54000 pg_mpc.max_peers';

CREATE FUNCTION mpc.alter_peer(
  party text, url text DEFAULT NULL, certificate text DEFAULT NULL, next_certificate text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known mpc_internal.peers%ROWTYPE;
  parsed record;
BEGIN
  PERFORM mpc_internal.own_party();
  known := mpc_internal.peer(party);
  IF url IS NOT NULL THEN
    PERFORM mpc_internal.check_peer_url(url);
    known.url := rtrim(url, '/');
  END IF;
  IF certificate IS NOT NULL THEN
    parsed := mpc_internal.check_peer_certificate(party, certificate);
    known.certificate := certificate;
    known.fingerprint := parsed.fingerprint;
    known.not_after := parsed.not_after;
    -- The change is over: only the certificates named in this call count from now on.
    known.next_certificate := NULL;
    known.next_fingerprint := NULL;
    known.next_not_after := NULL;
  END IF;
  IF next_certificate IS NOT NULL THEN
    parsed := mpc_internal.check_peer_certificate(party, next_certificate);
    IF parsed.fingerprint = known.fingerprint THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('next certificate of peer "%s" is the one it has', party),
        DETAIL = format('Its fingerprint is %s.', parsed.fingerprint),
        HINT = 'Pass the certificate that the peer is going to install as next_certificate.';
    END IF;
    known.next_certificate := next_certificate;
    known.next_fingerprint := parsed.fingerprint;
    known.next_not_after := parsed.not_after;
  END IF;
  UPDATE mpc_internal.peers AS p
     SET url = known.url, certificate = known.certificate, fingerprint = known.fingerprint, not_after = known.not_after,
         next_certificate = known.next_certificate, next_fingerprint = known.next_fingerprint,
         next_not_after = known.next_not_after
   WHERE p.party = alter_peer.party;
  PERFORM mpc_internal.record_event(NULL, NULL, 'peer_altered', party, jsonb_strip_nulls(jsonb_build_object(
    'fingerprint', known.fingerprint, 'next_fingerprint', known.next_fingerprint)));
  PERFORM mpc_internal.wake_coordinator('reload');
  RETURN known.fingerprint;
END
$$;
COMMENT ON FUNCTION mpc.alter_peer(text, text, text, text) IS
'changes the url or the certificate of a peer (NULL keeps it). certificate takes effect at once: connections under another one are closed. next_certificate is accepted besides it, so that the peer can change to it while studies run; the call with certificate => ends that. Returns the fingerprint in force. Errors: 42704 unknown peer, 22023 as mpc.add_peer';

CREATE FUNCTION mpc.remove_peer(party text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  used text;
BEGIN
  PERFORM mpc_internal.peer(party);
  SELECT string_agg(quote_ident(s.study), ', ' ORDER BY s.study) INTO used
    FROM mpc_internal.current_studies AS s
   WHERE remove_peer.party = ANY (s.parties) AND s.state IN ('proposed', 'approved', 'running');
  IF used IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55006', MESSAGE = format('peer "%s" takes part in unfinished studies', party),
      DETAIL = format('Studies: %s.', used),
      HINT = 'Reject them or withdraw the approval first.';
  END IF;
  DELETE FROM mpc_internal.outbox AS o WHERE o.party = remove_peer.party;
  DELETE FROM mpc_internal.peers AS p WHERE p.party = remove_peer.party;
  PERFORM mpc_internal.record_event(NULL, NULL, 'peer_removed', party, '{}');
  PERFORM mpc_internal.wake_coordinator('reload');
END
$$;
COMMENT ON FUNCTION mpc.remove_peer(text) IS
'forgets a peer; its messages are refused from then on. Errors: 42704 unknown peer, 55006 an unfinished study needs it';

-- for the coordinator

CREATE FUNCTION mpc_internal.peer(party text) RETURNS mpc_internal.peers
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known mpc_internal.peers%ROWTYPE;
BEGIN
  SELECT * INTO known FROM mpc_internal.peers AS p WHERE p.party = peer.party;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('peer "%s" does not exist', peer.party),
      DETAIL = format('This node knows %s.', coalesce((SELECT string_agg(p.party, ', ' ORDER BY p.party)
                                                         FROM mpc_internal.peers AS p), 'no peer')),
      HINT = 'View mpc.parties lists the known peers; mpc.add_peer makes another one known.';
  END IF;
  RETURN known;
END
$$;
COMMENT ON FUNCTION mpc_internal.peer(text) IS 'row of a peer; error 42704 when unknown';

CREATE FUNCTION mpc_internal.peer_list(
  OUT party text, OUT role text, OUT url text, OUT certificate text, OUT fingerprint text,
  OUT next_fingerprint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY SELECT p.party, v.role, p.url, p.certificate, p.fingerprint, p.next_fingerprint
    FROM mpc_internal.peers AS p JOIN mpc.parties AS v USING (party) ORDER BY p.party;
END
$$;
COMMENT ON FUNCTION mpc_internal.peer_list() IS 'all peers with the certificates to which TLS is pinned';

CREATE FUNCTION mpc_internal.peer_seen(party text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE mpc_internal.peers AS p SET last_seen = now()
   WHERE p.party = (SELECT q.party FROM mpc_internal.peers AS q
                     WHERE q.party = peer_seen.party
                       AND (q.last_seen IS NULL OR q.last_seen < now() - interval '1 second')
                       FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION mpc_internal.peer_seen(text) IS
'notes that a peer has just answered or called; never waits for a session that holds the row';
-- What: the ledger: what happened at this node, in a chain of hashes that an auditor or a peer can follow.
-- Terms: entry = one event, one row; salt = 16 random bytes in every entry, so that no hash of the chain is a digest of
--        a guessable thing (a count of records, say); seal = place and hash of an entry in the chain; head = the last
--        hash, which the parties of a study send each other when it starts and ends.
-- Invariants: append-only, for the owner too; recording never waits for another session: entries are recorded at once
--             and sealed by whoever can, in the order of sealing; only an entry of a committed transaction is sealed.

-- tables

CREATE TABLE mpc_internal.ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  study text,
  attempt text,
  event text NOT NULL,
  party text,
  detail jsonb NOT NULL,
  salt bytea NOT NULL DEFAULT pg_catalog.uuid_send(pg_catalog.gen_random_uuid())
);
COMMENT ON SEQUENCE mpc_internal.ledger_id_seq IS 'ids of the ledger';
COMMENT ON TABLE mpc_internal.ledger IS
'append-only record of what happened at this node; counts are this node''s own or public ones, never a match below the minimum';

CREATE TABLE mpc_internal.ledger_seals (
  place bigint PRIMARY KEY,
  id bigint NOT NULL UNIQUE,
  prev_hash bytea NOT NULL,
  hash bytea NOT NULL
);
COMMENT ON TABLE mpc_internal.ledger_seals IS
'hash chain over the ledger in the order of sealing; sealing is apart from recording so that recording never waits';

SELECT pg_catalog.pg_extension_config_dump('mpc_internal.ledger', '');
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.ledger_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.ledger_seals', '');

CREATE FUNCTION mpc_internal.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('"%s" is append-only', TG_TABLE_NAME),
    DETAIL = format('A statement of kind %s was refused.', TG_OP),
    HINT = 'What has happened stays recorded; mpc.export_ledger() gives a copy that can be kept elsewhere.';
END
$$;
COMMENT ON FUNCTION mpc_internal.refuse_change() IS 'trigger of append-only tables: error 55000';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mpc_internal.ledger
  FOR EACH STATEMENT EXECUTE FUNCTION mpc_internal.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mpc_internal.ledger_seals
  FOR EACH STATEMENT EXECUTE FUNCTION mpc_internal.refuse_change();
ALTER TABLE mpc_internal.ledger ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE mpc_internal.ledger_seals ENABLE ALWAYS TRIGGER append_only;

-- recording and sealing

CREATE FUNCTION mpc_internal.record_event(study text, attempt text, event text, party text, detail jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ INSERT INTO mpc_internal.ledger (study, attempt, event, party, detail) VALUES ($1, $2, $3, $4, $5) $$;
COMMENT ON FUNCTION mpc_internal.record_event(text, text, text, text, jsonb) IS 'adds one entry to the ledger';

CREATE FUNCTION mpc_internal.ledger_text(entry mpc_internal.ledger) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_array(entry.id, extract(epoch FROM entry.at), entry.study, entry.attempt, entry.event, entry.party,
                           entry.detail, encode(entry.salt, 'hex'))::text
$$;
COMMENT ON FUNCTION mpc_internal.ledger_text(mpc_internal.ledger) IS
'the text of an entry that is hashed: JSON array of id, seconds since 1970, study, attempt, event, party, detail, salt';

CREATE FUNCTION mpc_internal.ledger_hash(entry text, prev_hash bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT sha256(prev_hash || convert_to(entry, 'UTF8')) $$;
COMMENT ON FUNCTION mpc_internal.ledger_hash(text, bytea) IS 'SHA-256 over the previous hash and the text of the entry';

CREATE FUNCTION mpc_internal.ledger_origin() RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT sha256('pg_mpc ledger 1') $$;
COMMENT ON FUNCTION mpc_internal.ledger_origin() IS 'the hash before the first entry';

CREATE FUNCTION mpc_internal.seal_ledger() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last mpc_internal.ledger_seals%ROWTYPE;
  entry mpc_internal.ledger%ROWTYPE;
BEGIN
  -- One sealer at a time, never waiting; under an old snapshot the end of the chain could be out of sight.
  IF current_setting('transaction_isolation') <> 'read committed' OR current_setting('transaction_read_only')::boolean
     OR NOT pg_try_advisory_xact_lock('mpc_internal.ledger_seals'::regclass::oid::bigint) THEN
    RETURN;
  END IF;
  SELECT * INTO last FROM mpc_internal.ledger_seals AS s ORDER BY s.place DESC LIMIT 1;
  last.place := coalesce(last.place, 0);
  last.hash := coalesce(last.hash, mpc_internal.ledger_origin());
  FOR entry IN SELECT l.* FROM mpc_internal.ledger AS l
                WHERE NOT EXISTS (SELECT FROM mpc_internal.ledger_seals AS s WHERE s.id = l.id) ORDER BY l.id LOOP
    last.prev_hash := last.hash;
    last.hash := mpc_internal.ledger_hash(mpc_internal.ledger_text(entry), last.prev_hash);
    last.place := last.place + 1;
    INSERT INTO mpc_internal.ledger_seals (place, id, prev_hash, hash)
    VALUES (last.place, entry.id, last.prev_hash, last.hash);
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.seal_ledger() IS 'adds the committed entries of the ledger to its hash chain';

-- heads of other parties

CREATE FUNCTION mpc_internal.send_head(study text, version integer, attempt text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  last mpc_internal.ledger_seals%ROWTYPE;
BEGIN
  PERFORM mpc_internal.seal_ledger();
  SELECT * INTO last FROM mpc_internal.ledger_seals AS s ORDER BY s.place DESC LIMIT 1;
  IF FOUND THEN
    PERFORM mpc_internal.broadcast(s.parties, jsonb_build_object(
              'type', 'head', 'study', s.study, 'version', s.version, 'digest', s.digest, 'attempt', send_head.attempt,
              'place', last.place, 'head', encode(last.hash, 'hex')))
       FROM mpc_internal.studies AS s WHERE s.study = send_head.study AND s.version = send_head.version;
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.send_head(text, integer, text) IS
'seals the ledger and sends its head to the other parties of a study, whose ledgers record it';

CREATE FUNCTION mpc_internal.control_head(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF coalesce(message ->> 'head', '') !~ '\A[0-9a-f]{64}\Z' OR coalesce(message ->> 'attempt', '') !~ '\A[0-9a-f]{32}\Z'
     OR coalesce(message ->> 'place', '') !~ '\A[1-9][0-9]{0,17}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
      DETAIL = format('Party %s sent a head that is none.', party),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  -- Only of studies that this node knows with this party: a peer cannot fill the ledger with anything else.
  PERFORM mpc_internal.record_event(s.study, message ->> 'attempt', 'head', party, jsonb_build_object(
            'version', s.version, 'place', (message ->> 'place')::bigint, 'head', message ->> 'head'))
     FROM mpc_internal.studies AS s
    WHERE s.study = message ->> 'study' AND s.version = (message ->> 'version')::integer
      AND s.digest = message ->> 'digest' AND control_head.party = ANY (s.parties)
      AND NOT EXISTS (SELECT FROM mpc_internal.ledger AS l
                       WHERE l.event = 'head' AND l.party = control_head.party
                         AND l.detail ->> 'place' = message ->> 'place' AND l.detail ->> 'head' = message ->> 'head');
  RETURN '{"accepted": true}';
END
$$;
COMMENT ON FUNCTION mpc_internal.control_head(text, jsonb) IS 'records the head of a peer''s ledger in this node''s ledger';

-- public functions

CREATE FUNCTION mpc.verify_ledger(OUT entries bigint, OUT sealed bigint, OUT intact boolean, OUT first_broken bigint, OUT head text)
RETURNS record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.seal_ledger();
  SELECT count(*) INTO entries FROM mpc_internal.ledger;
  SELECT count(*) INTO sealed FROM mpc_internal.ledger_seals;
  SELECT encode(s.hash, 'hex') INTO head FROM mpc_internal.ledger_seals AS s ORDER BY s.place DESC LIMIT 1;
  SELECT min(c.expected_place) INTO first_broken
    FROM (SELECT s.place, s.hash, s.prev_hash, l AS entry,
                 lag(s.hash, 1, mpc_internal.ledger_origin()) OVER chain AS before,
                 row_number() OVER chain AS expected_place
            FROM mpc_internal.ledger_seals AS s LEFT JOIN mpc_internal.ledger AS l ON l.id = s.id
          WINDOW chain AS (ORDER BY s.place)) AS c
   WHERE c.place <> c.expected_place OR c.prev_hash <> c.before OR (c.entry).id IS NULL
      OR c.hash <> mpc_internal.ledger_hash(mpc_internal.ledger_text(c.entry), c.prev_hash);
  intact := first_broken IS NULL;
END
$$;
COMMENT ON FUNCTION mpc.verify_ledger() IS
'recomputes the hash chain of the ledger: intact is false when a sealed entry was changed, removed or moved, first_broken is the first wrong place in the chain. Peers keep heads of this chain (mpc.compare_ledger on their nodes), which shows a rewritten or shortened one';

CREATE FUNCTION mpc.export_ledger(entries boolean DEFAULT true, since bigint DEFAULT 1)
RETURNS TABLE (place bigint, entry text, prev_hash text, hash text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  PERFORM mpc_internal.seal_ledger();
  RETURN QUERY
    SELECT s.place, CASE WHEN entries THEN mpc_internal.ledger_text(l) END, encode(s.prev_hash, 'hex'), encode(s.hash, 'hex')
      FROM mpc_internal.ledger_seals AS s LEFT JOIN mpc_internal.ledger AS l ON l.id = s.id
     WHERE s.place >= since ORDER BY s.place;
END
$$;
COMMENT ON FUNCTION mpc.export_ledger(boolean, bigint) IS
'the chain as anybody can check it without this server: hash = SHA-256(prev_hash || entry), both hashes in hexadecimal, entry as UTF-8 text; before place 1 stands SHA-256 of "pg_mpc ledger 1". entries => false gives places and hashes alone, which tell a peer nothing but can be compared (mpc.compare_ledger)';

CREATE FUNCTION mpc.compare_ledger(party text, exported jsonb)
RETURNS TABLE (place bigint, study text, attempt text, received_at timestamptz, head text, verdict text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  broken bigint;
BEGIN
  PERFORM mpc_internal.peer(compare_ledger.party);
  IF exported IS NULL OR jsonb_typeof(exported) <> 'array' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'an exported ledger is a JSON array',
      DETAIL = format('The JSON type given is %s.', coalesce(jsonb_typeof(exported), 'NULL')),
      HINT = 'On the node of the peer: SELECT jsonb_agg(e) FROM mpc.export_ledger(entries => false) AS e.';
  END IF;
  SELECT min(c.expected_place) INTO broken
    FROM (SELECT e.*, first_value(e.place) OVER chain - 1 + row_number() OVER chain AS expected_place,
                 CASE e.place WHEN 1 THEN encode(mpc_internal.ledger_origin(), 'hex')
                 ELSE lag(e.hash, 1, e.prev_hash) OVER chain END AS before
            FROM jsonb_to_recordset(exported) AS e (place bigint, entry text, prev_hash text, hash text)
          WINDOW chain AS (ORDER BY e.place)) AS c
   WHERE c.place <> c.expected_place OR c.prev_hash IS DISTINCT FROM c.before
      OR c.entry IS NOT NULL AND c.hash <> encode(mpc_internal.ledger_hash(c.entry, decode(c.prev_hash, 'hex')), 'hex');
  RETURN QUERY
    SELECT h.place, h.study, h.attempt, h.at, h.head,
           CASE WHEN e.hash IS NULL THEN 'missing'
                WHEN e.hash <> h.head THEN 'differs'
                WHEN broken <= h.place THEN format('chain broken at %s', broken)
                ELSE 'same' END
      FROM (SELECT (l.detail ->> 'place')::bigint AS place, l.study, l.attempt, l.at, l.detail ->> 'head' AS head
              FROM mpc_internal.ledger AS l WHERE l.event = 'head' AND l.party = compare_ledger.party) AS h
      LEFT JOIN jsonb_to_recordset(exported) AS e (place bigint, hash text) ON e.place = h.place
     ORDER BY h.place, h.at;
END
$$;
COMMENT ON FUNCTION mpc.compare_ledger(text, jsonb) IS
'compares the ledger that a peer exported (mpc.export_ledger, as a JSON array) with the heads of it that this node''s own ledger carries, a row per head: same, missing (the peer''s chain is shorter than it was), differs (it was rewritten), or chain broken at a place. Errors: 42704 unknown peer, 22023 not a JSON array';
-- What: studies, the decisions of their parties, the outbox of messages to peers.
-- Terms: digest = identity of a spec together with the study's name; version = counts the specs proposed under one
--        name, decisions belong to one version; decision = approved, rejected or withdrawn, one per party.
-- Invariants: no row that the coordinator has to change is locked by a user's open transaction: decisions of parties
--             are rows of their own and the state of a study before its run is computed from them, never stored.

-- tables

CREATE FUNCTION mpc_internal.lifetime() RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(current_setting('pg_mpc.approval_lifetime', true), '30d')::interval $$;
COMMENT ON FUNCTION mpc_internal.lifetime() IS 'how long a proposal waits and an approval of this node holds: pg_mpc.approval_lifetime';

CREATE TABLE mpc_internal.studies (
  study text NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  digest text NOT NULL,
  spec text NOT NULL,
  parties text[] NOT NULL,
  proposer text NOT NULL,
  proposed_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL DEFAULT now() + mpc_internal.lifetime(),
  run_state text CHECK (run_state IN ('running', 'released', 'failed', 'cancelled')),
  attempt text,
  manual boolean,
  started_at timestamptz,
  finished_at timestamptz,
  n_matched bigint,
  sqlstate text,
  last_error text,
  error_detail text,
  error_hint text,
  proposed_in xid8,
  CONSTRAINT studies_pkey PRIMARY KEY (study, version)
);
COMMENT ON TABLE mpc_internal.studies IS
'every version of every study; parties = both controllers in byte order, then the third party; run_state is NULL before the first start';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.studies', '');

CREATE FUNCTION mpc_internal.refuse_other_spec() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the spec of version %s of study "%s" cannot be changed', OLD.version, OLD.study),
    DETAIL = 'Parties decide on exactly this spec.',
    HINT = 'Propose the study with another spec: that is a new version and needs new approvals.';
END
$$;
COMMENT ON FUNCTION mpc_internal.refuse_other_spec() IS 'trigger of table studies: what parties decide on is immutable';

CREATE TRIGGER immutable BEFORE UPDATE ON mpc_internal.studies FOR EACH ROW
  WHEN (ROW(OLD.study, OLD.version, OLD.digest, OLD.spec, OLD.parties, OLD.proposer) IS DISTINCT FROM
        ROW(NEW.study, NEW.version, NEW.digest, NEW.spec, NEW.parties, NEW.proposer))
  EXECUTE FUNCTION mpc_internal.refuse_other_spec();
ALTER TABLE mpc_internal.studies ENABLE ALWAYS TRIGGER immutable;

CREATE TABLE mpc_internal.approvals (
  study text NOT NULL,
  version integer NOT NULL,
  party text NOT NULL,
  digest text NOT NULL,
  decision text NOT NULL CHECK (decision IN ('approved', 'rejected', 'withdrawn')),
  reason text,
  decided_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  source oid,
  source_name text,
  source_schema jsonb,
  source_digest bytea,
  identifier text[],
  approver oid,
  decided_by text,
  decided_in xid8,
  CONSTRAINT approvals_pkey PRIMARY KEY (study, version, party)
);
COMMENT ON TABLE mpc_internal.approvals IS
'decision of each party; may precede the proposal when messages overtake each other; source and approver are known for this node only; source_digest is keyed (47_source.sql)';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.approvals', '');

CREATE TABLE mpc_internal.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  party text NOT NULL,
  message jsonb NOT NULL,
  queued_at timestamptz NOT NULL DEFAULT now(),
  error jsonb
);
COMMENT ON SEQUENCE mpc_internal.outbox_id_seq IS 'ids of the outbox';
COMMENT ON TABLE mpc_internal.outbox IS 'control messages that a peer has not acknowledged yet';

-- the state of a study

CREATE VIEW mpc_internal.study_versions AS
SELECT s.*,
       CASE WHEN s.run_state IN ('running', 'released') THEN s.run_state
            WHEN d.rejected THEN 'rejected'
            WHEN d.withdrawn THEN 'withdrawn'
            WHEN least(s.expires_at, d.approvals_expire_at) <= now() THEN 'expired'
            WHEN s.run_state IS NOT NULL THEN s.run_state
            WHEN d.approved = 3 THEN 'approved'
            ELSE 'proposed' END AS state,
       d.objection, d.approvals_expire_at
  FROM mpc_internal.studies AS s,
       LATERAL (SELECT coalesce(bool_or(a.decision = 'rejected'), false) AS rejected,
                       coalesce(bool_or(a.decision = 'withdrawn'), false) AS withdrawn,
                       count(*) FILTER (WHERE a.decision = 'approved') AS approved,
                       min(a.expires_at) FILTER (WHERE a.decision = 'approved') AS approvals_expire_at,
                       string_agg(format('%s: %s', a.party, a.reason), '; ' ORDER BY a.party)
                         FILTER (WHERE a.reason IS NOT NULL) AS objection
                  FROM mpc_internal.approvals AS a
                 WHERE a.study = s.study AND a.version = s.version AND a.digest = s.digest
                   AND a.party = ANY (s.parties)) AS d;
COMMENT ON VIEW mpc_internal.study_versions IS
'studies with their state, the reasons of parties that objected and the end of the first approval to expire';

CREATE VIEW mpc_internal.current_studies AS
SELECT v.* FROM mpc_internal.study_versions AS v
 WHERE v.version = (SELECT max(s.version) FROM mpc_internal.studies AS s WHERE s.study = v.study);
COMMENT ON VIEW mpc_internal.current_studies IS 'the latest version of each study';

-- private functions

CREATE FUNCTION mpc_internal.parse_spec(spec text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_parse_spec';
COMMENT ON FUNCTION mpc_internal.parse_spec(text) IS
'canonical JSON (RFC 8785) of the spec with all defaults filled in; error 22023 with the JSON pointer of what is wrong';

CREATE FUNCTION mpc_internal.study_digest(study text, spec text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_study_digest';
COMMENT ON FUNCTION mpc_internal.study_digest(text, text) IS 'digest of a study: 64 hexadecimal digits';

CREATE FUNCTION mpc_internal.spec_difference(one text, other text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'pg_mpc_spec_difference';
COMMENT ON FUNCTION mpc_internal.spec_difference(text, text) IS
'JSON pointer of the first difference between two canonical specs, empty when equal';

CREATE FUNCTION mpc_internal.find_study(study text) RETURNS mpc_internal.current_studies
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_study mpc_internal.current_studies%ROWTYPE;
BEGIN
  SELECT * INTO found_study FROM mpc_internal.current_studies AS s WHERE s.study = find_study.study;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('study "%s" does not exist', study),
      DETAIL = 'This node has neither proposed it nor received it from a peer.',
      HINT = 'View mpc.studies lists the studies that this node knows.';
  END IF;
  RETURN found_study;
END
$$;
COMMENT ON FUNCTION mpc_internal.find_study(text) IS
'latest version of a study; error 42704 when unknown. VOLATILE: sees what was committed a moment ago';

CREATE FUNCTION mpc_internal.announce(study text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM pg_notify('pg_mpc_study', json_build_object('study', s.study, 'state', s.state)::text)
     FROM mpc_internal.current_studies AS s WHERE s.study = announce.study;
END
$$;
COMMENT ON FUNCTION mpc_internal.announce(text) IS
'NOTIFY pg_mpc_study with {"study","state"}: a hint to look, view mpc.studies is the truth';

CREATE FUNCTION mpc_internal.broadcast(parties text[], message jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO mpc_internal.outbox (party, message)
  SELECT p, message FROM unnest(parties) AS p WHERE p <> mpc_internal.own_party();
  PERFORM mpc_internal.wake_coordinator('outbox');
END
$$;
COMMENT ON FUNCTION mpc_internal.broadcast(text[], jsonb) IS
'queues a control message to the parties other than this node; it leaves at COMMIT';

CREATE FUNCTION mpc_internal.accept_spec(
  study text, spec text, OUT canonical text, OUT digest text, OUT parties text[]) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  filled jsonb;
  own text := mpc_internal.own_party();
BEGIN
  IF study IS NULL OR NOT mpc_internal.valid_name(study) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('"%s" is not a valid study name', study),
      DETAIL = 'The name is part of the digest and of every message about the study.',
      HINT = 'A name begins with a letter a-z; letters, digits and underscores follow, 63 characters at most.';
  END IF;
  IF spec IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a study needs a spec',
      DETAIL = 'The spec is NULL.',
      HINT = 'Pass a JSON object with controllers, third_party and analysis, or make a draft with mpc.draft_study first.';
  END IF;
  canonical := mpc_internal.parse_spec(spec);
  digest := mpc_internal.study_digest(study, canonical);
  filled := canonical::jsonb;
  IF (filled -> 'keep_shares')::boolean THEN
    RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = 'keep_shares true is not supported',
      DETAIL = 'No shares outlive a study.',
      HINT = 'This version destroys all shares when the study ends.';
  END IF;
  parties := ARRAY(SELECT k FROM jsonb_object_keys(filled -> 'controllers') AS k ORDER BY k COLLATE "C")
             || (filled ->> 'third_party');
  IF own <> ALL (parties) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('this node, "%s", is no party of the study', own),
      DETAIL = format('The parties are %s.', array_to_string(parties, ', ')),
      HINT = 'Name this node in the spec as it is named in pg_mpc.party.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.accept_spec(text, text) IS
'canonical form, digest and parties of a spec that this node could run; errors 22023 and 0A000 name the key';

CREATE FUNCTION mpc_internal.require_peers(parties text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  unknown text;
BEGIN
  SELECT string_agg(quote_ident(q), ', ') INTO unknown FROM unnest(parties) AS q
   WHERE q <> mpc_internal.own_party() AND NOT EXISTS (SELECT FROM mpc_internal.peers AS p WHERE p.party = q);
  IF unknown IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('peer %s does not exist', unknown),
      DETAIL = format('The parties of the study are %s.', array_to_string(parties, ', ')),
      HINT = 'Make every other party known with mpc.add_peer first.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_peers(text[]) IS 'error 42704 naming the parties that are not known as peers';

-- public functions

CREATE FUNCTION mpc.propose_study(study text, spec jsonb DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  accepted record;
  held record;
  number integer;
BEGIN
  accepted := mpc_internal.accept_spec(study, coalesce(spec::text, mpc_internal.take_draft(study)));
  PERFORM mpc_internal.require_peers(accepted.parties);
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = propose_study.study;
  IF held.state = 'running' AND held.digest <> accepted.digest THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is running', study),
      DETAIL = format('Version %s runs with digest %s; the proposal has digest %s.', held.version, held.digest, accepted.digest),
      HINT = 'Wait for its end, or cancel it with mpc.cancel_study.';
  END IF;
  number := coalesce(held.version, 0);
  -- The same spec again makes no decision void; peers that missed the proposal get it once more.
  IF held.digest IS DISTINCT FROM accepted.digest OR held.state IN ('released', 'rejected', 'withdrawn', 'expired') THEN
    number := number + 1;
    INSERT INTO mpc_internal.studies (study, version, digest, spec, parties, proposer, proposed_in)
    VALUES (propose_study.study, number, accepted.digest, accepted.canonical, accepted.parties,
            mpc_internal.own_party(), pg_current_xact_id());
    PERFORM mpc_internal.record_event(study, NULL, 'proposed', mpc_internal.own_party(),
                                      jsonb_build_object('version', number, 'digest', accepted.digest,
                                                         'by', mpc_internal.invoking_user()::regrole::text));
    PERFORM mpc_internal.announce(study);
  END IF;
  PERFORM mpc_internal.broadcast(accepted.parties, jsonb_build_object(
    'type', 'propose', 'study', study, 'version', number, 'spec', accepted.canonical, 'digest', accepted.digest));
  RETURN accepted.digest;
END
$$;
COMMENT ON FUNCTION mpc.propose_study(text, jsonb) IS
'proposes a study to its parties (without a spec: the draft of mpc.draft_study) and returns the digest that each of them approves. The same name with another spec is a new version: earlier approvals are void. Errors: 22023 names the JSON pointer of what is wrong in the spec, 42704 a party that is no peer, 0A000 a kind of analysis that does not run, 55000 the study is running';

CREATE FUNCTION mpc.reject_study(study text, reason text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mpc_internal.record_objection(study, 'rejected', left(reason, 1000));
END
$$;
COMMENT ON FUNCTION mpc.reject_study(text, text) IS
'this node refuses the study; the reason (at most 1000 characters) is sent to the other parties. Returns the state. Errors: 42704 unknown study, 55000 running or released';

CREATE FUNCTION mpc.withdraw_approval(study text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN mpc_internal.record_objection(study, 'withdrawn', NULL);
END
$$;
COMMENT ON FUNCTION mpc.withdraw_approval(text) IS
'takes back this node''s approval. Returns the state. Errors: 42704 unknown study, 55000 not approved here, running or released';

CREATE FUNCTION mpc_internal.record_objection(study text, decision text, reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held record := mpc_internal.find_study(study);
BEGIN
  IF held.state IN ('running', 'released') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', study, held.state),
      DETAIL = format('It is version %s, proposed by %s.', held.version, held.proposer),
      HINT = CASE held.state WHEN 'running' THEN 'Cancel it with mpc.cancel_study first.'
             ELSE 'What is released stays released; only studies to come can be refused.' END;
  END IF;
  IF decision = 'withdrawn' AND NOT EXISTS (
       SELECT FROM mpc_internal.approvals AS a
        WHERE a.study = held.study AND a.version = held.version AND a.party = own AND a.decision = 'approved') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node has not approved study "%s"', study),
      DETAIL = format('It is version %s, %s.', held.version, held.state),
      HINT = 'There is nothing to withdraw; mpc.reject_study tells the other parties that this node refuses.';
  END IF;
  PERFORM mpc_internal.decide(held.study, held.version, own, held.digest, decision, reason, NULL);
  PERFORM mpc_internal.broadcast(held.parties, jsonb_strip_nulls(jsonb_build_object(
    'type', CASE decision WHEN 'rejected' THEN 'reject' ELSE 'withdraw' END,
    'study', held.study, 'version', held.version, 'digest', held.digest, 'reason', reason)));
  PERFORM mpc_internal.announce(study);
  RETURN (SELECT s.state FROM mpc_internal.current_studies AS s WHERE s.study = held.study);
END
$$;
COMMENT ON FUNCTION mpc_internal.record_objection(text, text, text) IS 'records and sends the rejection or withdrawal of this node';

CREATE FUNCTION mpc_internal.decide(
  study text, version integer, party text, digest text, decision text, reason text, expires_at timestamptz,
  source_name text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  by_role text := CASE WHEN party = mpc_internal.own_party() THEN mpc_internal.invoking_user()::regrole::text END;
BEGIN
  INSERT INTO mpc_internal.approvals AS a (study, version, party, digest, decision, reason, expires_at, source_name,
                                           decided_by, decided_in)
  VALUES (decide.study, decide.version, decide.party, decide.digest, decide.decision, decide.reason, decide.expires_at,
          decide.source_name, by_role, pg_current_xact_id())
  ON CONFLICT ON CONSTRAINT approvals_pkey DO UPDATE
     SET digest = excluded.digest, decision = excluded.decision, reason = excluded.reason,
         decided_at = excluded.decided_at, expires_at = excluded.expires_at, decided_by = excluded.decided_by,
         decided_in = excluded.decided_in, source_name = excluded.source_name,
         source = NULL, source_schema = NULL, source_digest = NULL, identifier = NULL, approver = NULL;
  PERFORM mpc_internal.record_event(study, NULL, decision, party, jsonb_strip_nulls(
    jsonb_build_object('version', version, 'digest', digest, 'reason', reason, 'expires_at', expires_at,
                       'by', by_role, 'source', source_name)));
END
$$;
COMMENT ON FUNCTION mpc_internal.decide(text, integer, text, text, text, text, timestamptz, text) IS
'stores the decision of a party in place of its earlier one';

CREATE FUNCTION mpc_internal.approved_in_this_transaction(study text) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM mpc_internal.approvals AS a
                  WHERE a.study = $1 AND a.decided_in = pg_current_xact_id_if_assigned())
      OR EXISTS (SELECT FROM mpc_internal.studies AS s
                  WHERE s.study = $1 AND s.proposed_in = pg_current_xact_id_if_assigned())
$$;
COMMENT ON FUNCTION mpc_internal.approved_in_this_transaction(text) IS
'true when this transaction proposed the study or decided on it, so that peers and workers cannot know yet';
-- What: drafts: specs that this node has written and not shown to anybody yet.
-- Terms: draft = at most one spec per study name, of the next version; open study = proposed, approved or running.
-- Invariants: a draft belongs to the role that wrote it; it leaves the node only by mpc.propose_study; what parties decide
--             on is never hidden by a draft: readers of an open study see its spec, not the draft.

CREATE TABLE mpc_internal.drafts (
  study text PRIMARY KEY,
  digest text NOT NULL,
  spec text NOT NULL,
  drafted_at timestamptz NOT NULL DEFAULT now(),
  drafted_by oid NOT NULL
);
COMMENT ON TABLE mpc_internal.drafts IS 'specs of this node that have not been proposed';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.drafts', '');

-- private functions

CREATE FUNCTION mpc_internal.owns(owner oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = owner)
      OR pg_has_role(mpc_internal.invoking_user(), owner, 'MEMBER')
      OR pg_has_role(mpc_internal.invoking_user(), 'mpc_admin', 'MEMBER')
$$;
COMMENT ON FUNCTION mpc_internal.owns(oid) IS
'whether the caller may change what a role owns: members of that role and of mpc_admin; everybody when the role is gone';

CREATE FUNCTION mpc_internal.own_draft(study text) RETURNS mpc_internal.drafts
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  draft mpc_internal.drafts%ROWTYPE;
BEGIN
  SELECT * INTO draft FROM mpc_internal.drafts AS d WHERE d.study = own_draft.study FOR UPDATE;
  IF FOUND AND NOT mpc_internal.owns(draft.drafted_by) THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('the draft of study "%s" belongs to role %s', study, draft.drafted_by::regrole),
      DETAIL = format('It was written at %s.', draft.drafted_at),
      HINT = 'Members of that role and of mpc_admin may change, propose or drop it.';
  END IF;
  RETURN draft;
END
$$;
COMMENT ON FUNCTION mpc_internal.own_draft(text) IS 'the draft of a study or NULL; error 42501 when it is another role''s';

CREATE FUNCTION mpc_internal.take_draft(study text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  draft mpc_internal.drafts%ROWTYPE := mpc_internal.own_draft(study);
BEGIN
  DELETE FROM mpc_internal.drafts AS d WHERE d.study = draft.study;
  RETURN draft.spec;
END
$$;
COMMENT ON FUNCTION mpc_internal.take_draft(text) IS 'the spec of the draft of a study, which is a draft no more; NULL without one';

CREATE FUNCTION mpc_internal.spec_to_read(study text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held mpc_internal.current_studies%ROWTYPE;
  draft text := (SELECT d.spec FROM mpc_internal.drafts AS d WHERE d.study = spec_to_read.study);
BEGIN
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = spec_to_read.study;
  IF draft IS NULL OR held.state IN ('proposed', 'approved', 'running') THEN
    held := mpc_internal.find_study(study);
    RETURN held.spec;
  END IF;
  RETURN draft;
END
$$;
COMMENT ON FUNCTION mpc_internal.spec_to_read(text) IS
'what mpc.explain_study and mpc.check_source look at: the spec of an open study, else the draft, else the latest version';

-- public functions

CREATE FUNCTION mpc.draft_study(study text, spec jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  before mpc_internal.drafts%ROWTYPE := mpc_internal.own_draft(study);
  accepted record;
BEGIN
  IF spec IS NULL THEN
    DELETE FROM mpc_internal.drafts AS d WHERE d.study = before.study;
    RETURN NULL;
  END IF;
  accepted := mpc_internal.accept_spec(study, spec::text);
  INSERT INTO mpc_internal.drafts AS d (study, digest, spec, drafted_by)
  VALUES (draft_study.study, accepted.digest, accepted.canonical, mpc_internal.invoking_user())
  ON CONFLICT ON CONSTRAINT drafts_pkey DO UPDATE
     SET digest = excluded.digest, spec = excluded.spec, drafted_at = excluded.drafted_at;
  PERFORM mpc_internal.record_event(study, NULL, 'drafted', mpc_internal.own_party(), jsonb_build_object(
    'digest', accepted.digest, 'by', mpc_internal.invoking_user()::regrole::text));
  RETURN accepted.digest;
END
$$;
COMMENT ON FUNCTION mpc.draft_study(text, jsonb) IS
'keeps a spec at this node without showing it to anybody, in place of an earlier draft of that name (NULL drops it), and returns its digest. mpc.explain_study and mpc.check_source read it, mpc.propose_study(study) proposes it. Errors: 22023 and 0A000 as mpc.propose_study, 42501 the draft is another role''s';
-- What: binding a source to a study: mpc.check_source and mpc.approve_study.
-- Terms: source = the table or view of one controller; identifier = the columns whose values find the same person at
--        the other controller; columns of a controller = its attributes, then the outcome if it holds it.
-- Invariants: a source is bound as an oid, together with the role that approved, and is read with that role's rights
--             only.

-- private functions

CREATE FUNCTION mpc_internal.columns_of(spec jsonb, party text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT ARRAY(SELECT jsonb_array_elements_text(c -> 'attributes'))
         || CASE WHEN c ->> 'outcome' IS NULL THEN '{}'::text[] ELSE ARRAY[c ->> 'outcome'] END
    FROM (SELECT spec -> 'controllers' -> party AS c) AS own WHERE c IS NOT NULL
$$;
COMMENT ON FUNCTION mpc_internal.columns_of(jsonb, text) IS 'columns that a controller brings; NULL for the third party';

CREATE FUNCTION mpc_internal.base_type(source oid, name text) RETURNS oid
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE chain (type, above) AS (
    SELECT t.oid, t.typbasetype FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
     WHERE a.attrelid = $1 AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT t.oid, t.typbasetype FROM chain JOIN pg_type AS t ON t.oid = chain.above)
  SELECT type FROM chain WHERE above = 0
$$;
COMMENT ON FUNCTION mpc_internal.base_type(oid, text) IS 'type of a column below all domains; NULL when there is no such column';

CREATE FUNCTION mpc_internal.column_problem(source oid, name text, role oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  base oid := mpc_internal.base_type(source, name);
BEGIN
  IF base IS NULL THEN
    RETURN '42703';
  END IF;
  IF NOT has_column_privilege(role, source, name, 'SELECT') THEN
    RETURN '42501';
  END IF;
  IF base NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype,
                  'numeric'::regtype, 'bool'::regtype) THEN
    RETURN '42804';
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION mpc_internal.column_problem(oid, text, oid) IS
'why a column cannot be an attribute: SQLSTATE 42703 unknown, 42501 not readable by the role, 42804 neither numeric nor boolean; NULL when it can';

CREATE FUNCTION mpc_internal.identifier_columns(spec jsonb, source oid, identifier text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parts integer := (spec -> 'identifier' ->> 'parts')::integer;
  names text[] := ARRAY[btrim(identifier)];
BEGIN
  IF identifier IS NULL OR btrim(identifier) = '' THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a controller names the column of its identifier',
      DETAIL = 'The identifier is missing or empty.',
      HINT = 'Pass identifier => ''column'', or column names separated by commas when identifier.parts of the spec is above 1.';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_attribute AS a
                  WHERE a.attrelid = source AND a.attname = names[1] AND a.attnum > 0 AND NOT a.attisdropped) THEN
    names := ARRAY(SELECT coalesce((SELECT a.attname FROM pg_attribute AS a
                                     WHERE a.attrelid = source AND a.attname = btrim(part) AND a.attnum > 0
                                       AND NOT a.attisdropped),
                                   (parse_ident(part, false))[1])
                     FROM unnest(string_to_array(identifier, ',')) WITH ORDINALITY AS p (part, place)
                    ORDER BY place);
  END IF;
  IF cardinality(names) <> parts THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'number of identifier columns differs from the spec',
      DETAIL = format('The spec has identifier.parts %s, the columns given are: %s.', parts, array_to_string(names, ', ')),
      HINT = 'Name one column per part, separated by commas, in the order agreed on with the other controller.';
  END IF;
  RETURN names;
END
$$;
COMMENT ON FUNCTION mpc_internal.identifier_columns(jsonb, oid, text) IS
'column names of the parts of an identifier, given as comma-separated text: exact names first, then folded as SQL identifiers';

CREATE FUNCTION mpc_internal.require_source(source oid, role oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  relation record;
BEGIN
  SELECT c.relkind, c.relpersistence, c.relnamespace, n.nspname INTO relation
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = source;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42P01', MESSAGE = 'the source does not exist',
      DETAIL = format('Its relation had the oid %s.', source),
      HINT = 'Approve the study again with the source that is meant.';
  END IF;
  IF relation.relkind NOT IN ('r', 'p', 'v', 'm', 'f') OR relation.relpersistence = 't' THEN
    RAISE EXCEPTION USING ERRCODE = '42809', MESSAGE = format('"%s" cannot be a source', source::regclass),
      DETAIL = CASE WHEN relation.relpersistence = 't' THEN 'It is temporary: only its own session can read it.'
               ELSE 'It is a relation without rows of its own.' END,
      HINT = 'A source is a table, partitioned table, foreign table, view or materialized view that other sessions can see.';
  END IF;
  IF NOT has_schema_privilege(role, relation.relnamespace, 'USAGE') THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('permission denied for schema %s', relation.nspname),
      DETAIL = format('The source is read as role %s.', role::regrole),
      HINT = 'Grant USAGE on the schema to that role.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_source(oid, oid) IS
'error unless the relation is of a kind that an engine can read as the role: 42P01, 42809, 42501';

CREATE FUNCTION mpc_internal.require_binding(
  spec jsonb, party text, source oid, identifier text[], role oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text;
  problem text;
  columns text[] := mpc_internal.columns_of(spec, party);
BEGIN
  PERFORM mpc_internal.require_source(source, role);
  FOREACH name IN ARRAY identifier || columns LOOP
    problem := mpc_internal.column_problem(source, name, role);
    IF problem = '42703' THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('column "%s" of source %s does not exist', name, source::regclass),
        DETAIL = CASE WHEN name = ANY (identifier) THEN 'It was named as identifier.'
                      ELSE 'The spec names it as a column of this controller.' END,
        HINT = CASE WHEN name = ANY (identifier) THEN 'Name the columns of the identifier as they are in the source.'
                    ELSE 'Bind a view that has all columns of this controller: '
                         || array_to_string(columns, ', ') || '.' END;
    ELSIF problem = '42501' THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('permission denied for column "%s" of source %s', name, source::regclass),
        DETAIL = format('The source is read as role %s, which approves.', role::regrole),
        HINT = 'Grant SELECT on the columns used, or bind a view.';
    ELSIF problem = '42804' AND name = ANY (columns) THEN
      RAISE EXCEPTION USING ERRCODE = problem,
        MESSAGE = format('column "%s" of source %s is neither numeric nor boolean', name, source::regclass),
        DETAIL = format('Its type is %s.', (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
                                             WHERE a.attrelid = source AND a.attname = name)),
        HINT = 'Bind a view that turns it into numbers, for example one 0/1 column per category.';
    END IF;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_binding(jsonb, text, oid, text[], oid) IS
'error unless the role can read all columns of the controller and of its identifier from the source: 42703, 42501 and 42804 name the column';

CREATE FUNCTION mpc_internal.await_proposal(study text, digest text) RETURNS mpc_internal.current_studies
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held mpc_internal.current_studies%ROWTYPE;
  began timestamptz := clock_timestamp();
BEGIN
  -- A proposal made a moment ago at another node may still be on its way; another digest may be about to arrive too.
  LOOP
    SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = await_proposal.study;
    EXIT WHEN held.digest = await_proposal.digest
           OR clock_timestamp() > began + CASE WHEN held.study IS NULL THEN interval '10 s' ELSE interval '1 s' END;
    PERFORM mpc_internal.wait_briefly(50);
  END LOOP;
  IF held.study IS NULL THEN
    RETURN mpc_internal.find_study(study);
  END IF;
  IF held.digest IS DISTINCT FROM await_proposal.digest THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('digest is not the one of study "%s"', study),
      DETAIL = format('This node holds version %s with digest %s, proposed by %s.', held.version, held.digest, held.proposer),
      HINT = 'Read the study with mpc.explain_study before you approve the digest that this node holds.';
  END IF;
  RETURN held;
END
$$;
COMMENT ON FUNCTION mpc_internal.await_proposal(text, text) IS
'the study with this digest, waiting up to 10 s for its arrival; errors 42704 unknown study, 22023 another digest';

-- public functions

CREATE FUNCTION mpc.approve_study(
  study text, digest text, source regclass DEFAULT NULL, identifier text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  caller oid := mpc_internal.invoking_user();
  held mpc_internal.current_studies%ROWTYPE;
  names text[];
  expires timestamptz;
BEGIN
  IF digest IS NULL OR digest !~ '\A[0-9a-f]{64}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'digest has not the form of a digest',
      DETAIL = format('The digest is %L.', left(digest, 100)),
      HINT = 'mpc.propose_study returns it, view mpc.studies shows it: 64 hexadecimal digits in lower case.';
  END IF;
  held := mpc_internal.await_proposal(study, digest);
  -- An approval that has expired is renewed here, a proposal that has is not.
  IF held.state IN ('running', 'released') OR held.expires_at <= now() THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', study, held.state),
      DETAIL = format('It is version %s, proposed by %s.', held.version, held.proposer),
      HINT = CASE held.state WHEN 'running' THEN 'Wait for its end, or cancel it with mpc.cancel_study.'
             ELSE 'Propose it again: a new version needs new approvals.' END;
  END IF;
  PERFORM mpc_internal.require_peers(held.parties);
  PERFORM mpc_internal.require_own_approval(held.study, held.version, caller);
  PERFORM mpc_internal.require_floor(held.study, held.spec::jsonb, '22023');
  IF own = held.parties[3] THEN
    IF source IS NOT NULL OR identifier IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the third party brings no source',
        DETAIL = format('In study "%s" this node, "%s", is the third party.', study, own),
        HINT = 'Approve with the digest alone.';
    END IF;
  ELSIF source IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'a controller approves with its source',
      DETAIL = format('In study "%s" this node, "%s", brings the columns %s.', study, own,
                      array_to_string(mpc_internal.columns_of(held.spec::jsonb, own), ', ')),
      HINT = 'Pass source => ''table or view''::regclass and identifier => ''column''.';
  ELSE
    PERFORM mpc_internal.require_source(source, caller);
    names := mpc_internal.identifier_columns(held.spec::jsonb, source, identifier);
    PERFORM mpc_internal.require_binding(held.spec::jsonb, own, source, names, caller);
  END IF;
  expires := now() + mpc_internal.lifetime();
  PERFORM mpc_internal.decide(held.study, held.version, own, held.digest, 'approved', NULL, expires, source::text);
  UPDATE mpc_internal.approvals AS a
     SET source = approve_study.source, identifier = names, approver = caller,
         source_schema = mpc_internal.source_schema(approve_study.source, names || mpc_internal.columns_of(held.spec::jsonb, own)),
         source_digest = mpc_internal.source_digest(held.spec, own, approve_study.source, names, caller)
   WHERE a.study = held.study AND a.version = held.version AND a.party = own;
  PERFORM mpc_internal.broadcast(held.parties, jsonb_build_object(
    'type', 'approve', 'study', held.study, 'version', held.version, 'digest', held.digest,
    'expires_at', floor(extract(epoch FROM expires))));
  PERFORM mpc_internal.notice_relaxed(held.study, held.spec, own);
  PERFORM mpc_internal.announce(study);
  RETURN (SELECT s.state FROM mpc_internal.current_studies AS s WHERE s.study = held.study);
END
$$;
COMMENT ON FUNCTION mpc.approve_study(text, text, regclass, text) IS
'this node agrees to exactly this digest. A controller binds its table or view and the column (comma-separated columns) of the identifier; the engine reads them later as the role that approves now. The source is read once now: a study whose source has changed since is refused until it is approved again. The approval holds for pg_mpc.approval_lifetime. Waits up to 10 s for a proposal on its way. Returns the state; a NOTICE names every disclosure rule that the spec relaxes. Errors: 22023 another digest, or a disclosure.min_matched below pg_mpc.min_matched of this node; 42704 unknown study, 42703/42501/42804 name the column, 42501 approved by another role, 55000 running, released or expired';

CREATE FUNCTION mpc_internal.study_for_check(study text, OUT spec jsonb, OUT party text) RETURNS record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
BEGIN
  spec := mpc_internal.spec_to_read(study);
  party := mpc_internal.own_party();
  IF party = spec ->> 'third_party' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the third party brings no source',
      DETAIL = format('In study "%s" this node, "%s", is the third party.', study, party),
      HINT = 'Check the source on the node of the controller that brings it.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.study_for_check(text) IS 'what mpc.check_source, which runs as its caller, needs of a study';
-- What: mpc.check_source, the look at a source before it is approved.
-- Terms: complete row = no NULL in a column of the controller nor in the identifier; other rows are dropped by the run.
-- Invariants: runs as its caller, sends nothing, stores nothing.

CREATE FUNCTION mpc_internal.normalised(column_name text, normalise jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  expression text := format('%I::text', column_name);
  rule text;
BEGIN
  FOR rule IN SELECT jsonb_array_elements_text(normalise) LOOP
    expression := CASE rule
      WHEN 'trim' THEN format('btrim(%s, E'' \t\n\v\f\r'')', expression)
      WHEN 'upper' THEN format('upper((%s) COLLATE "C")', expression)
      WHEN 'digits' THEN format('regexp_replace(%s, ''[^0-9]'', '''', ''g'')', expression) END;
  END LOOP;
  RETURN expression;
END
$$;
COMMENT ON FUNCTION mpc_internal.normalised(text, jsonb) IS
'SQL expression of one identifier part after identifier.normalise, as the engine computes it';

CREATE FUNCTION mpc_internal.check_identifier(
  source regclass, identifier text[], normalise jsonb, complete text,
  OUT nulls bigint, OUT duplicates bigint, OUT empty bigint) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parts text;
  missing text;
  blank text;
BEGIN
  SELECT string_agg(mpc_internal.normalised(part, normalise), ', '),
         string_agg(format('%I IS NULL', part), ' OR '),
         string_agg(format('%s = ''''', mpc_internal.normalised(part, normalise)), ' OR ')
    INTO parts, missing, blank FROM unnest(identifier) AS part;
  EXECUTE format('SELECT count(*) FILTER (WHERE %s), count(*) FILTER (WHERE (%s) AND (%s)) FROM %s',
                 missing, blank, complete, source) INTO nulls, empty;
  EXECUTE format('SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM %s WHERE %s GROUP BY %s) AS g',
                 source, complete, parts) INTO duplicates;
END
$$;
COMMENT ON FUNCTION mpc_internal.check_identifier(regclass, text[], jsonb, text) IS
'rows without identifier, surplus rows of identifiers that occur more than once, rows whose identifier is empty after normalisation';

CREATE FUNCTION mpc_internal.check_columns(source regclass, columns text[], complete text) RETURNS float8[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  list text;
  result float8[];
BEGIN
  -- One pass over the source: per column NULLs, values that no encoding carries, then figures of the complete rows.
  SELECT string_agg(format(
           'ARRAY[count(*) FILTER (WHERE c%1$s IS NULL), count(*) FILTER (WHERE complete AND NOT %2$s), '
           'min(c%1$s) FILTER (WHERE complete AND %2$s), max(c%1$s) FILTER (WHERE complete AND %2$s), '
           'avg(c%1$s) FILTER (WHERE complete AND %2$s), stddev_pop(c%1$s) FILTER (WHERE complete AND %2$s)]::float8[]',
           i, format('c%s BETWEEN -1e100 AND 1e100', i)), ', ' ORDER BY i)
    INTO list FROM generate_subscripts(columns, 1) AS i;
  EXECUTE format('SELECT ARRAY[%s] FROM (SELECT %s, %s AS complete FROM %s) AS t', list,
                 (SELECT string_agg(format('%s AS c%s', mpc_internal.float_of(source, name), i), ', ' ORDER BY i)
                    FROM unnest(columns) WITH ORDINALITY AS n (name, i)),
                 complete, source) INTO result;
  RETURN result;
END
$$;
COMMENT ON FUNCTION mpc_internal.check_columns(regclass, text[], text) IS
'per column: NULLs, values that are NaN, infinite or huge, minimum, maximum, mean, population standard deviation of complete rows';

CREATE FUNCTION mpc_internal.float_of(source regclass, name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format(CASE mpc_internal.base_type($1, $2)
                WHEN 'numeric'::regtype
                  THEN 'CASE WHEN %1$I < -1e308 OR %1$I > 1e308 THEN ''infinity'' WHEN abs(%1$I) < 1e-300 THEN 0 ELSE %1$I::float8 END'
                WHEN 'bool'::regtype THEN '%1$I::integer::float8'
                ELSE '%1$I::float8' END, $2)
$$;
COMMENT ON FUNCTION mpc_internal.float_of(regclass, text) IS
'SQL expression of a column as float8, as the engine computes it: a numeric too large for float8 becomes infinite instead of failing, a boolean 0 or 1';

CREATE FUNCTION mpc_internal.range_problem(
  minimum float8, maximum float8, mean float8, sd float8, agreed integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  reach float8 := greatest(maximum - mean, mean - minimum);
  exponent integer := coalesce(agreed, ceil(ln(greatest(sd, reach / 64)) / ln(2::float8))::integer);
  scale float8;
BEGIN
  -- The bounds of linkage/encoding.h: a little before the engine refuses is better than after everybody approved.
  IF exponent NOT BETWEEN -256 AND 256 THEN
    RETURN 'magnitude that cannot be encoded: choose another unit';
  END IF;
  scale := power(2::float8, exponent);
  RETURN CASE WHEN abs(mean) > 1024 * scale THEN 'mean too large for the spread: subtract a typical value'
              WHEN agreed IS NOT NULL AND sd < scale / 4096 THEN format('varies too little for the agreed scale exponent %s', agreed)
              WHEN agreed IS NOT NULL AND reach >= 128 * scale THEN format('values too large for the agreed scale exponent %s', agreed)
         END;
END
$$;
COMMENT ON FUNCTION mpc_internal.range_problem(float8, float8, float8, float8, integer) IS
'why the values of a column that varies cannot be encoded, with the scale exponent that the spec agreed on or none; NULL when they can';

CREATE FUNCTION mpc_internal.required_matches(spec jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT greatest((d ->> 'min_matched')::bigint,
                  ceil((1 + attributes) / (d ->> 'max_parameter_ratio')::numeric)::bigint)
    FROM (SELECT spec -> 'disclosure' AS d,
                 (SELECT sum(jsonb_array_length(c.value -> 'attributes'))
                    FROM jsonb_each(spec -> 'controllers') AS c) AS attributes) AS s
$$;
COMMENT ON FUNCTION mpc_internal.required_matches(jsonb) IS
'fewest matched records with which a study runs: min_matched, or parameters (attributes and intercept) / max_parameter_ratio';

CREATE FUNCTION mpc.check_source(study text, source regclass, identifier text)
RETURNS TABLE (column_name text, rows bigint, nulls bigint, duplicates bigint, minimum float8, maximum float8,
               mean float8, sd float8, problem text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  held record := mpc_internal.study_for_check(study);
  least_rows bigint := mpc_internal.required_matches(held.spec);
  keys text[];
  good text[];
  complete text;
  figures float8[];
  found record;
  i integer := 0;
BEGIN
  PERFORM mpc_internal.require_source(source, current_user::regrole);
  keys := mpc_internal.identifier_columns(held.spec, source, identifier);
  good := ARRAY(SELECT c FROM unnest(mpc_internal.columns_of(held.spec, held.party)) WITH ORDINALITY AS u (c, place)
                 WHERE mpc_internal.column_problem(source, c, current_user::regrole::oid) IS NULL ORDER BY place);
  PERFORM mpc_internal.require_binding(jsonb_build_object('controllers', '{}'::jsonb), held.party, source, keys,
                                       current_user::regrole::oid);
  complete := (SELECT string_agg(format('%I IS NOT NULL', c), ' AND ') FROM unnest(keys || good) AS c);

  EXECUTE format('SELECT count(*), count(*) FILTER (WHERE NOT (%s)) FROM %s', complete, source) INTO rows, nulls;
  column_name := '(rows)';
  problem := CASE WHEN rows - nulls < least_rows
                  THEN format('fewer complete rows than the %s matches that the disclosure rules require', least_rows) END;
  RETURN NEXT;

  found := mpc_internal.check_identifier(source, keys, held.spec -> 'identifier' -> 'normalise', complete);
  column_name := array_to_string(keys, ', ');
  nulls := found.nulls;
  duplicates := found.duplicates;
  problem := nullif(concat_ws('; ',
    CASE WHEN found.duplicates > 0 THEN format('duplicate identifiers, surplus rows: %s', found.duplicates) END,
    CASE WHEN found.empty > 0 THEN format('rows with an empty identifier: %s', found.empty) END), '');
  RETURN NEXT;

  IF cardinality(good) > 0 THEN
    figures := mpc_internal.check_columns(source, good, complete);
  END IF;
  duplicates := NULL;
  FOREACH column_name IN ARRAY mpc_internal.columns_of(held.spec, held.party) LOOP
    IF column_name = ANY (good) THEN
      i := i + 1;
      nulls := figures[i][1];
      minimum := figures[i][3];
      maximum := figures[i][4];
      mean := figures[i][5];
      sd := figures[i][6];
      problem := CASE WHEN figures[i][2] > 0 THEN format('values that are NaN, infinite or beyond 1e100: %s', figures[i][2])
                      WHEN minimum = maximum THEN 'constant'
                      WHEN mpc_internal.base_type(source, column_name) <> 'bool'::regtype
                        THEN mpc_internal.range_problem(minimum, maximum, mean, sd,
                          (held.spec -> 'scale_exponents' -> held.party ->> column_name)::integer) END;
    ELSE
      SELECT NULL, NULL, NULL, NULL, NULL INTO nulls, minimum, maximum, mean, sd;
      problem := CASE mpc_internal.column_problem(source, column_name, current_user::regrole::oid)
                   WHEN '42703' THEN 'does not exist'
                   WHEN '42501' THEN 'permission denied'
                   ELSE 'neither numeric nor boolean' END;
    END IF;
    RETURN NEXT;
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc.check_source(text, regclass, text) IS
'looks at a table or view as the caller before it is approved: row "(rows)" has all rows and those with a NULL (dropped by the run), then the identifier with its duplicates, then each column with NULLs and the range, mean and population standard deviation of complete rows; problem is NULL where nothing stands in the way. Nothing leaves the node';
-- What: the disclosure rules that a node enforces by itself: its floor of min_matched, relaxed rules told at approval,
--       the budget of models and refusals of a source, and the cohorts of its earlier studies.
-- Terms: use of a source = an attempt of this node as a controller that told something about the joined records: it
--        released models, was refused by a rule, or ended after the number of matched records was told;
--        cohort = the complete records of the source in a use in which that number was told;
--        same source = one relation in common: the source itself, by oid or by name, or one that it reads.
-- Invariants: nothing here is sent to a peer; a row of source_uses is written with the end of its attempt, in one
--             transaction, and never changed.

-- tables

CREATE TABLE mpc_internal.source_uses (
  study text NOT NULL,
  version integer NOT NULL,
  attempt text NOT NULL,
  used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  outcome text NOT NULL CHECK (outcome IN ('released', 'refused', 'ended')),
  models integer NOT NULL,
  match_told boolean NOT NULL,
  records bigint,
  relations oid[] NOT NULL,
  names text[] NOT NULL,
  CONSTRAINT source_uses_pkey PRIMARY KEY (study, version, attempt)
);
COMMENT ON TABLE mpc_internal.source_uses IS
'attempts of this node that released models, were refused by a disclosure rule or ended after the match: relations read (the source first), complete records; never leaves this node';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.source_uses', '');

-- private functions

CREATE FUNCTION mpc_internal.relations_of(source oid) RETURNS oid[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  -- A view reads what its rewrite rules depend on; a partition is a part of its parents.
  WITH RECURSIVE reads (relation) AS (
    SELECT $1
    UNION
    SELECT found.relation
      FROM reads AS r,
           LATERAL (SELECT d.refobjid
                      FROM pg_rewrite AS w JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                     WHERE w.ev_class = r.relation AND d.refclassid = 'pg_class'::regclass
                    UNION ALL
                    SELECT i.inhparent FROM pg_inherits AS i WHERE i.inhrelid = r.relation) AS found (relation)
           JOIN pg_class AS c ON c.oid = found.relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
     WHERE c.oid >= 16384)
  SELECT array_agg(relation ORDER BY relation <> $1, relation) FROM reads
$$;
COMMENT ON FUNCTION mpc_internal.relations_of(oid) IS
'the source and the relations that it reads: through views, materialized views and partitions, not through functions';

CREATE FUNCTION mpc_internal.names_of(relations oid[]) RETURNS text[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(array_agg(format('%I.%I', n.nspname, c.relname) ORDER BY r.place), '{}')
    FROM unnest($1) WITH ORDINALITY AS r (relation, place)
    JOIN pg_class AS c ON c.oid = r.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
$$;
COMMENT ON FUNCTION mpc_internal.names_of(oid[]) IS
'names of relations with their schemas: they find a source again after a restore, or a table that was made anew';

CREATE FUNCTION mpc_internal.uses_of(source oid) RETURNS SETOF mpc_internal.source_uses
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT u.* FROM mpc_internal.source_uses AS u,
         (SELECT r.relations, mpc_internal.names_of(r.relations) AS names
            FROM (SELECT mpc_internal.relations_of($1) AS relations) AS r) AS own
   WHERE u.relations && own.relations OR u.names && own.names
$$;
COMMENT ON FUNCTION mpc_internal.uses_of(oid) IS 'earlier uses of the same source';

CREATE FUNCTION mpc_internal.record_use(study text, attempt text, outcome text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO mpc_internal.source_uses AS u (study, version, attempt, outcome, models, match_told, records, relations, names)
  SELECT s.study, s.version, s.attempt, record_use.outcome,
         CASE record_use.outcome WHEN 'released' THEN mpc_internal.models_in(s.spec::jsonb) ELSE 1 END,
         s.n_matched IS NOT NULL,
         (SELECT p.records FROM mpc_internal.steps AS p
           WHERE p.study = s.study AND p.version = s.version AND p.attempt = s.attempt AND p.name = 'prepare'
             AND p.party = mpc_internal.own_party()),
         r.relations, coalesce(nullif(mpc_internal.names_of(r.relations), '{}'), ARRAY[a.source_name])
    FROM mpc_internal.studies AS s
    JOIN mpc_internal.approvals AS a
      ON a.study = s.study AND a.version = s.version AND a.party = mpc_internal.own_party() AND a.source IS NOT NULL,
         LATERAL (SELECT coalesce(mpc_internal.relations_of(a.source), ARRAY[a.source]) AS relations) AS r
   WHERE s.study = record_use.study AND s.attempt = record_use.attempt
  ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION mpc_internal.record_use(text, text, text) IS
'called at the end of an attempt of this node: counts released models, or one for an attempt without any';

CREATE FUNCTION mpc_internal.models_in(spec jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE jsonb_typeof(spec -> 'analysis' -> 'lambda')
           WHEN 'array' THEN jsonb_array_length(spec -> 'analysis' -> 'lambda') ELSE 1 END
$$;
COMMENT ON FUNCTION mpc_internal.models_in(jsonb) IS 'models that a study releases: one per lambda';

CREATE FUNCTION mpc_internal.require_budget(spec jsonb, source oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  budget bigint := (spec -> 'disclosure' ->> 'model_budget')::bigint;
  released bigint;
  others bigint;
BEGIN
  SELECT coalesce(sum(u.models) FILTER (WHERE u.outcome = 'released'), 0),
         coalesce(sum(u.models) FILTER (WHERE u.outcome <> 'released'), 0)
    INTO released, others FROM mpc_internal.uses_of(source) AS u;
  IF released + others + mpc_internal.models_in(spec) > budget THEN
    RAISE EXCEPTION USING ERRCODE = 'MP005', MESSAGE = 'model budget of the source is used up',
      DETAIL = format('Source %s has %s released models and %s attempts that were refused or ended after the match, and the study would add %s; disclosure.model_budget is %s.',
                      source::regclass, released, others, mpc_internal.models_in(spec), budget),
      HINT = 'Every model, every refusal and every match tells a little more about the same records; agree on a larger budget if that is acceptable.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_budget(jsonb, oid) IS
'error MP005 when the models released from a source and its attempts without a release would exceed disclosure.model_budget';

CREATE FUNCTION mpc_internal.earlier_cohorts(source oid) RETURNS jsonb
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('study', u.study, 'version', u.version, 'records', u.records)
                            ORDER BY u.used_at), '[]')
    FROM mpc_internal.uses_of($1) AS u WHERE u.match_told AND u.records IS NOT NULL
$$;
COMMENT ON FUNCTION mpc_internal.earlier_cohorts(oid) IS
'array of {"study","version","records"}: the complete records of this source in attempts that told the number of matches, for this node''s engine only';

CREATE FUNCTION mpc_internal.floor_min_matched() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(current_setting('pg_mpc.min_matched', true), '100')::bigint $$;
COMMENT ON FUNCTION mpc_internal.floor_min_matched() IS 'the smallest disclosure.min_matched that this node takes part in';

CREATE FUNCTION mpc_internal.require_floor(study text, spec jsonb, sqlstate text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  agreed bigint := (spec -> 'disclosure' ->> 'min_matched')::bigint;
BEGIN
  IF agreed < mpc_internal.floor_min_matched() THEN
    RAISE EXCEPTION USING ERRCODE = require_floor.sqlstate,
      MESSAGE = format('disclosure.min_matched of study "%s" is below the floor of this node', study),
      DETAIL = format('The spec has %s, pg_mpc.min_matched of node "%s" is %s.', agreed, mpc_internal.own_party(),
                      mpc_internal.floor_min_matched()),
      HINT = 'Propose a new version with a larger disclosure.min_matched, or ask the administrator of this node about its floor.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_floor(text, jsonb, text) IS
'error (22023 at approval, 55000 at start) when the spec accepts fewer matched records than this node''s pg_mpc.min_matched';

CREATE FUNCTION mpc_internal.notice_relaxed(study text, spec text, party text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  rule record;
BEGIN
  FOR rule IN SELECT substr(e.name, 7) AS key, substr(e.learns, 10) AS statement FROM mpc_internal.explain_spec(spec, party) AS e
               WHERE e.name LIKE 'rule: %' AND e.learns LIKE 'relaxed: %' LOOP
    RAISE NOTICE USING MESSAGE = format('study "%s" relaxes disclosure.%s', study, rule.key), DETAIL = rule.statement || '.',
      HINT = 'mpc.reject_study refuses the study; a stricter rule is a new version.';
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.notice_relaxed(text, text, text) IS
'a NOTICE for every disclosure rule of the spec that is looser than its default';

-- the view

CREATE VIEW mpc.source_uses AS
SELECT u.study, u.version, u.attempt, u.used_at, u.outcome, u.models, u.match_told, u.records, u.names AS relations
  FROM mpc_internal.source_uses AS u;
COMMENT ON VIEW mpc.source_uses IS
'what has been used of the budget of this node''s sources: a row per attempt that released models, was refused by a disclosure rule or ended after the match (the latter two count as one), with the relations that it read. Sources that have a relation in common share their budget. records = complete records of this node''s own source';
-- What: the source as it was approved: its columns and its contents, compared before a study starts.
-- Terms: source schema = kind of the relation, names and types of the columns used; source digest = keyed digest of the
--        complete records as an engine reads them, in any order, under a key of this node that never leaves its data
--        directory and is in no backup.
-- Invariants: neither leaves this node; without the key the digest says nothing about the contents.

CREATE FUNCTION mpc_internal.source_digest(spec text, party text, source oid, identifier text[], role oid) RETURNS bytea
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_source_digest';
COMMENT ON FUNCTION mpc_internal.source_digest(text, text, oid, text[], oid) IS
'reads a source as the role, as an engine would, and returns the keyed digest of its complete records';

CREATE FUNCTION mpc_internal.source_schema(source oid, columns text[]) RETURNS jsonb
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('kind', c.relkind, 'columns', (
           SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attname = ANY (columns) AND a.attnum > 0 AND NOT a.attisdropped))
    FROM pg_class AS c WHERE c.oid = source
$$;
COMMENT ON FUNCTION mpc_internal.source_schema(oid, text[]) IS 'kind of a relation, names and types of the columns';

CREATE FUNCTION mpc_internal.require_same_source(approval mpc_internal.approvals) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  approved jsonb := approval.source_schema -> 'columns';
  current jsonb;
  difference text;
BEGIN
  current := mpc_internal.source_schema(approval.source, ARRAY(SELECT jsonb_object_keys(approved)));
  IF current IS NULL OR NOT current -> 'columns' ?& ARRAY(SELECT jsonb_object_keys(approved)) THEN
    RETURN;  -- require_binding names what is missing
  END IF;
  -- The oid of a relation may come back with another relation, after a restore above all: the name is compared too.
  difference := CASE
    WHEN approval.source::regclass::text <> approval.source_name
      THEN format('It was %s, its name is %s now.', approval.source_name, approval.source::regclass)
    WHEN current -> 'kind' <> approval.source_schema -> 'kind' THEN 'It is another kind of relation now.'
    ELSE (SELECT format('Column "%s" was of type %s and is of type %s now.', a.key, a.value, current -> 'columns' ->> a.key)
            FROM jsonb_each_text(approved) AS a WHERE a.value <> current -> 'columns' ->> a.key ORDER BY a.key LIMIT 1) END;
  IF difference IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('source %s has changed since it was approved', approval.source_name),
      DETAIL = difference,
      HINT = 'Look at it with mpc.check_source, then approve the study again.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_same_source(mpc_internal.approvals) IS
'error 55000 when the name, the kind or a column''s type of the source is not what was approved; contents are compared by the engine';

CREATE FUNCTION mpc_internal.require_own_approval(study text, version integer, caller oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given mpc_internal.approvals%ROWTYPE;
BEGIN
  SELECT * INTO given FROM mpc_internal.approvals AS a
   WHERE a.study = require_own_approval.study AND a.version = require_own_approval.version
     AND a.party = mpc_internal.own_party() AND a.decision = 'approved';
  IF FOUND AND NOT mpc_internal.owns(given.approver) THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('study "%s" was approved by role %s', study, given.decided_by),
      DETAIL = coalesce(format('It bound source %s.', given.source_name), 'The approval is in force.'),
      HINT = 'Members of that role and of mpc_admin may approve it again; every member of mpc_study may withdraw the approval first.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_own_approval(text, integer, oid) IS
'error 42501 when this node''s approval is another role''s: only its members and mpc_admin may replace it';

CREATE FUNCTION mpc_internal.expired_approvals(study text, version integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(format('%s at %s', a.party, a.expires_at), ', ' ORDER BY a.party) FROM mpc_internal.approvals AS a
   WHERE a.study = $1 AND a.version = $2 AND a.decision = 'approved' AND a.expires_at <= now()
$$;
COMMENT ON FUNCTION mpc_internal.expired_approvals(text, integer) IS 'parties whose approvals have expired, and when';
-- What: what the coordinator calls: control messages of peers, the job of an engine, the course of an attempt, the
--       outbox, restart.
-- Terms: attempt = one run of a study, 32 hexadecimal digits; step row = what one finished step did at this node.
-- Invariants: one short transaction per call; a call never waits long for a user's transaction (lock_timeout); events
--             of an attempt that is no longer in force change nothing.

-- tables

CREATE TABLE mpc_internal.steps (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  study text NOT NULL,
  version integer NOT NULL,
  attempt text NOT NULL,
  party text NOT NULL,
  step integer NOT NULL,
  name text NOT NULL,
  peer text,
  records bigint,
  bytes bigint,
  seconds float8,
  cpu_seconds float8,
  kernel_seconds float8,
  data_status text,
  destroyed text[] NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON SEQUENCE mpc_internal.steps_id_seq IS 'ids of steps';
COMMENT ON TABLE mpc_internal.steps IS 'finished steps of this node; counts are this node''s own';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.steps', '');
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.steps_id_seq', '');
CREATE INDEX steps_study ON mpc_internal.steps (study, attempt);

-- control messages

CREATE FUNCTION mpc_internal.control(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  kind text := message ->> 'type';
BEGIN
  PERFORM mpc_internal.peer(party);
  PERFORM mpc_internal.peer_seen(party);
  IF kind = 'hello' THEN
    RETURN jsonb_build_object('party', mpc_internal.own_party());
  END IF;
  IF NOT coalesce(mpc_internal.valid_name(message ->> 'study'), false)
     OR coalesce(message ->> 'digest', '') !~ '\A[0-9a-f]{64}\Z'
     OR coalesce(message ->> 'version', '1') !~ '\A[1-9][0-9]{0,8}\Z' THEN
    RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message is malformed',
      DETAIL = format('Party %s sent a message of type %L.', party, left(kind, 20)),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  RETURN CASE kind
    WHEN 'propose' THEN mpc_internal.control_propose(party, message)
    WHEN 'approve' THEN mpc_internal.control_decision(party, message, 'approved')
    WHEN 'reject' THEN mpc_internal.control_decision(party, message, 'rejected')
    WHEN 'withdraw' THEN mpc_internal.control_decision(party, message, 'withdrawn')
    WHEN 'ready' THEN mpc_internal.control_ready(party, message)
    WHEN 'head' THEN mpc_internal.control_head(party, message)
    ELSE mpc_internal.control_unknown(party, kind) END;
END
$$;
COMMENT ON FUNCTION mpc_internal.control(text, jsonb) IS
'handles a control message of an authenticated peer and returns the answer; types propose, approve, reject, withdraw, ready, head, hello';

CREATE FUNCTION mpc_internal.control_unknown(party text, kind text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'MP004', MESSAGE = 'control message has an unknown type',
    DETAIL = format('Party %s sent a message of type %L.', party, left(kind, 20)),
    HINT = 'The nodes may run different versions of pg_mpc.';
END
$$;
COMMENT ON FUNCTION mpc_internal.control_unknown(text, text) IS 'error MP004 for a type that this version does not know';

CREATE FUNCTION mpc_internal.control_propose(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text := message ->> 'study';
  number integer := coalesce((message ->> 'version')::integer, 1);
  accepted record := mpc_internal.accept_spec(message ->> 'study', message ->> 'spec');
  held record;
BEGIN
  IF accepted.digest <> message ->> 'digest' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('digest of study "%s" does not fit its spec', name),
      DETAIL = format('Node "%s" computes %s%s.', mpc_internal.own_party(), accepted.digest,
                      '; the filled specs differ first at ' || nullif(mpc_internal.spec_difference(
                        accepted.canonical, message ->> 'spec'), '')),
      HINT = 'The nodes may run different versions of pg_mpc.';
  END IF;
  IF party <> ALL (accepted.parties) THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('"%s" is no party of study "%s"', party, name),
      DETAIL = format('The parties are %s.', array_to_string(accepted.parties, ', ')),
      HINT = 'Only a party of a study may propose it.';
  END IF;
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = name;
  IF held.version = number AND held.digest = accepted.digest THEN
    RETURN '{"accepted": true}';
  ELSIF held.version >= number THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('node "%s" holds another spec of study "%s"', mpc_internal.own_party(), name),
      DETAIL = format('It holds version %s with digest %s; the specs differ first at %s.', held.version, held.digest,
                      mpc_internal.spec_difference(held.spec, accepted.canonical)),
      HINT = 'Propose the study once more: the new version replaces both.';
  ELSIF held.state = 'running' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is running', name),
      DETAIL = format('Node "%s" runs version %s of it.', mpc_internal.own_party(), held.version),
      HINT = 'The proposal is delivered when the study has ended.';
  END IF;
  IF (SELECT count(*) FROM mpc_internal.studies AS s
       WHERE s.proposer = party AND s.run_state IS NULL AND s.expires_at > now()) >= 1000 THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many open proposals of "%s"', party),
      DETAIL = format('Node "%s" keeps at most 1000 of one party.', mpc_internal.own_party()),
      HINT = 'Withdraw or reject proposals that nobody needs any more, or let them expire.';
  END IF;
  INSERT INTO mpc_internal.studies (study, version, digest, spec, parties, proposer)
  VALUES (name, number, accepted.digest, accepted.canonical, accepted.parties, party);
  PERFORM mpc_internal.record_event(name, NULL, 'proposed', party,
                                    jsonb_build_object('version', number, 'digest', accepted.digest));
  PERFORM mpc_internal.announce(name);
  RETURN '{"accepted": true}';
END
$$;
COMMENT ON FUNCTION mpc_internal.control_propose(text, jsonb) IS
'stores the proposal of a peer; error 22023 names the first difference when this node holds another spec of that version';

CREATE FUNCTION mpc_internal.control_decision(party text, message jsonb, decision text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text := message ->> 'study';
  held record;
  number integer;
BEGIN
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = name;
  number := coalesce((message ->> 'version')::integer, held.version, 1);
  IF number < held.version THEN
    RETURN '{"accepted": false, "reason": "a newer version replaced the one decided on"}';
  ELSIF number = held.version AND held.digest <> message ->> 'digest' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('node "%s" holds another spec of study "%s"', mpc_internal.own_party(), name),
      DETAIL = format('It holds version %s with digest %s.', held.version, held.digest),
      HINT = 'Propose the study once more: the new version replaces both.';
  ELSIF number = held.version AND party <> ALL (held.parties) THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('"%s" is no party of study "%s"', party, name),
      DETAIL = format('The parties are %s.', array_to_string(held.parties, ', ')),
      HINT = 'Only a party of a study may decide on it.';
  ELSIF held.version IS NULL AND (SELECT count(*) FROM mpc_internal.approvals AS a
         WHERE a.party = control_decision.party
           AND NOT EXISTS (SELECT FROM mpc_internal.studies AS s WHERE s.study = a.study)) >= 100 THEN
    RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = format('too many decisions of "%s" on unknown studies', party),
      DETAIL = format('Node "%s" keeps at most 100 of one party.', mpc_internal.own_party()),
      HINT = 'Propose the studies first: decisions on them follow.';
  END IF;
  -- A decision may overtake its proposal: it is kept and counts once the proposal with this digest is here.
  PERFORM mpc_internal.decide(name, number, party, message ->> 'digest', decision, left(message ->> 'reason', 1000),
    CASE WHEN decision = 'approved' AND coalesce(message ->> 'expires_at', '') ~ '\A[0-9]{1,11}\Z'
         THEN to_timestamp((message ->> 'expires_at')::float8) END);
  PERFORM mpc_internal.announce(name);
  RETURN '{"accepted": true}';
END
$$;
COMMENT ON FUNCTION mpc_internal.control_decision(text, jsonb, text) IS 'stores the decision of a peer';

CREATE FUNCTION mpc_internal.control_ready(party text, message jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held record;
  reason text;
BEGIN
  SELECT * INTO held FROM mpc_internal.current_studies AS s WHERE s.study = message ->> 'study';
  reason := CASE
    WHEN held.study IS NULL THEN 'has not received the proposal'
    WHEN held.digest <> message ->> 'digest' THEN format('holds version %s with digest %s', held.version, held.digest)
    WHEN party <> ALL (held.parties) THEN 'does not count you among the parties'
    WHEN held.state NOT IN ('proposed', 'approved', 'running', 'failed', 'cancelled')
      THEN format('says that the study is %s', held.state)
    WHEN NOT EXISTS (SELECT FROM mpc_internal.approvals AS a
                      WHERE a.study = held.study AND a.version = held.version AND a.digest = held.digest
                        AND a.party = mpc_internal.own_party() AND a.decision = 'approved')
      THEN 'has not approved the study' END;
  RETURN jsonb_strip_nulls(jsonb_build_object('ready', reason IS NULL, 'reason', reason));
END
$$;
COMMENT ON FUNCTION mpc_internal.control_ready(text, jsonb) IS
'{"ready": true} when this node approved the digest, else why not; reads tables only';

-- the job of an engine

CREATE FUNCTION mpc_internal.start_job(study text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own text := mpc_internal.own_party();
  held record := mpc_internal.find_study(study);
  approval mpc_internal.approvals%ROWTYPE;
  place integer;
BEGIN
  IF held.state NOT IN ('proposed', 'approved', 'running', 'failed', 'cancelled') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', study, held.state),
      DETAIL = CASE WHEN held.state = 'expired' AND held.expires_at > now()
                    THEN format('Approvals have expired: %s.', mpc_internal.expired_approvals(held.study, held.version))
               ELSE coalesce(held.objection, format('It is version %s, proposed by %s.', held.version, held.proposer)) END,
      HINT = CASE WHEN held.state = 'released' THEN 'Read its results with mpc.coefficients; propose it again for another run.'
             WHEN held.state = 'expired' AND held.expires_at > now() THEN 'Approve it again on those nodes with mpc.approve_study.'
             ELSE 'Propose it again: a new version needs new approvals.' END;
  END IF;
  SELECT * INTO approval FROM mpc_internal.approvals AS a
   WHERE a.study = held.study AND a.version = held.version AND a.digest = held.digest AND a.party = own
     AND a.decision = 'approved';
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node has not approved study "%s"', study),
      DETAIL = format('It is version %s with digest %s, proposed by %s.', held.version, held.digest, held.proposer),
      HINT = 'Read it with mpc.explain_study, then use mpc.approve_study.';
  END IF;
  PERFORM mpc_internal.require_peers(held.parties);
  place := array_position(held.parties, own) - 1;
  IF place < 2 THEN
    PERFORM mpc_internal.require_approver(held.study, approval);
    PERFORM mpc_internal.require_same_source(approval);
    PERFORM mpc_internal.require_binding(held.spec::jsonb, own, approval.source, approval.identifier, approval.approver);
    PERFORM mpc_internal.require_budget(held.spec::jsonb, approval.source);
  END IF;
  PERFORM mpc_internal.require_floor(held.study, held.spec::jsonb, '55000');
  RETURN jsonb_build_object(
    'study', held.study, 'version', held.version, 'digest', held.digest, 'spec', held.spec,
    'party', own, 'party_index', place, 'role', CASE WHEN place < 2 THEN 'controller' ELSE 'third_party' END,
    'source', CASE WHEN place < 2 THEN jsonb_build_object(
      'relation', approval.source::bigint, 'identifier', to_jsonb(approval.identifier),
      'approver', approval.approver::bigint, 'digest', encode(approval.source_digest, 'hex'),
      'cohorts', mpc_internal.earlier_cohorts(approval.source)) END,
    'peers', (SELECT jsonb_agg(jsonb_build_object('party', p.party, 'url', p.url, 'certificate', p.certificate,
                       'fingerprint', p.fingerprint, 'next_fingerprint', coalesce(p.next_fingerprint, ''),
                       'index', array_position(held.parties, p.party) - 1)
                       ORDER BY array_position(held.parties, p.party))
                FROM mpc_internal.peers AS p WHERE p.party = ANY (held.parties)));
END
$$;
COMMENT ON FUNCTION mpc_internal.start_job(text) IS
'everything an engine of this node needs; error 55000, 42501, 42703, 42704 or MP005 when the study cannot start here';

CREATE FUNCTION mpc_internal.require_approver(study text, approval mpc_internal.approvals) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- The name is compared too: the oid of a dropped role may come back with another role.
  IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = approval.approver AND quote_ident(r.rolname) = approval.decided_by) THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('role %s, which approved study "%s", does not exist any more', approval.decided_by, study),
      DETAIL = format('Source %s was to be read as that role.', approval.source_name),
      HINT = 'Approve the study again.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_approver(text, mpc_internal.approvals) IS
'error 55000 unless the role under which the source is read is still the one that approved';
-- What: the course of an attempt as its engine reports it, the outbox, restart.
-- Invariants: called by the coordinator only; every function is one transaction; an event of an attempt that is not
--             in force any more is ignored.

CREATE FUNCTION mpc_internal.record_request(study text, what text, role oid) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  SELECT mpc_internal.record_event(s.study, NULL, 'asked', mpc_internal.own_party(), jsonb_build_object(
           'version', s.version, 'what', $2, 'by', $3::regrole::text))
    FROM mpc_internal.current_studies AS s WHERE s.study = $1
$$;
COMMENT ON FUNCTION mpc_internal.record_request(text, text, oid) IS
'a role of this node asked for a start, a cancellation or the first step by hand; what comes of it has entries of its own';

CREATE FUNCTION mpc_internal.attempt_started(study text, attempt text, manual boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  held record := mpc_internal.find_study(study);
BEGIN
  -- A withdrawal may have been committed since the job was made.
  IF held.state NOT IN ('proposed', 'approved', 'running', 'failed', 'cancelled') THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" is %s', study, held.state),
      DETAIL = coalesce(held.objection, format('It is version %s, proposed by %s.', held.version, held.proposer)),
      HINT = CASE held.state WHEN 'released' THEN 'Read its results with mpc.coefficients; propose it again for another run.'
             ELSE 'Look at mpc.approvals: it has to be approved again, or proposed again.' END;
  END IF;
  UPDATE mpc_internal.studies AS s
     SET run_state = 'running', attempt = attempt_started.attempt, manual = attempt_started.manual,
         started_at = clock_timestamp(), finished_at = NULL, n_matched = NULL,
         sqlstate = NULL, last_error = NULL, error_detail = NULL, error_hint = NULL
   WHERE s.study = held.study AND s.version = held.version;
  PERFORM mpc_internal.record_event(study, attempt, 'started', mpc_internal.own_party(),
                                    jsonb_build_object('version', held.version, 'digest', held.digest, 'manual', manual));
  PERFORM mpc_internal.send_head(study, held.version, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_started(text, text, boolean) IS 'the attempt is in force; the study is running';

CREATE FUNCTION mpc_internal.status_reasons(data_status text, step integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE data_status
    WHEN 'personal' THEN jsonb_build_object(
      'singling_out', 'possible: records with identifiers, at the controller they belong to',
      'linkability', 'possible: the identifiers are those of the source',
      'inference', 'possible: the values are readable')
    WHEN 'pseudonymised' THEN jsonb_build_object(
      'singling_out', 'possible for a controller: it holds its own source',
      'linkability', 'possible for a controller: it holds the joint key, or hashes made with it',
      'inference', 'no: values of the other controller have not left it')
    WHEN 'anonymous' THEN jsonb_build_object(
      'singling_out', CASE WHEN step < 7 THEN 'no: ciphertexts in a secret order, their private key at another party'
                      ELSE 'no: a share is a random number' END,
      'linkability', 'no: hashed identifiers and the joint key are destroyed',
      'inference', 'no: no party holds both ciphertext and key, nor two shares; the match count alone is known',
      'as_long_as', 'no two parties pool what they hold')
    WHEN 'aggregate' THEN jsonb_build_object(
      'singling_out', 'no: coefficients describe all matched records together',
      'linkability', 'no: shares and keys are destroyed',
      'inference', 'limited by the disclosure rules of the spec, not excluded') END
$$;
COMMENT ON FUNCTION mpc_internal.status_reasons(text, integer) IS
'why data after a step has its status, per criterion of the Article 29 Working Party (opinion 05/2014)';

CREATE FUNCTION mpc_internal.attempt_step(study text, attempt text, "row" jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
  INSERT INTO mpc_internal.steps (study, version, attempt, party, step, name, peer, records, bytes, seconds,
                                  cpu_seconds, kernel_seconds, data_status, destroyed)
  SELECT s.study, s.version, s.attempt, r.party, r.step, r.name, nullif(r.peer, ''), r.records, r.bytes, r.seconds,
         r.cpu_seconds, r.kernel_seconds, r.data_status, coalesce(r.destroyed, '{}')
    FROM mpc_internal.studies AS s,
         jsonb_to_record(attempt_step."row") AS r (party text, step integer, name text, peer text, records bigint,
                                                   bytes bigint, seconds float8, cpu_seconds float8,
                                                   kernel_seconds float8, data_status text, destroyed text[])
   WHERE s.study = attempt_step.study AND s.attempt = attempt_step.attempt AND s.run_state = 'running';
  IF FOUND THEN
    PERFORM mpc_internal.record_event(study, attempt, 'step', "row" ->> 'party', jsonb_strip_nulls(jsonb_build_object(
      'step', "row" -> 'step', 'name', "row" -> 'name', 'peer', nullif("row" ->> 'peer', ''), 'records', "row" -> 'records',
      'bytes_sent', "row" -> 'bytes', 'destroyed', coalesce("row" -> 'destroyed', '[]'),
      'data_status', "row" -> 'data_status',
      'reasons', mpc_internal.status_reasons("row" ->> 'data_status', ("row" ->> 'step')::integer))));
    PERFORM mpc_internal.seal_ledger();
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_step(text, text, jsonb) IS
'a step of this node is done: what it sent to whom, what it destroyed, what the data is now';

CREATE FUNCTION mpc_internal.attempt_matched(study text, attempt text, n bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
  UPDATE mpc_internal.studies AS s SET n_matched = n
   WHERE s.study = attempt_matched.study AND s.attempt = attempt_matched.attempt AND s.run_state = 'running';
  IF FOUND THEN
    PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, jsonb_build_object('what', '["match count"]'::jsonb, 'records', n));
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_matched(text, text, bigint) IS
'the count that the third party announced; never called when it refused';

CREATE FUNCTION mpc_internal.attempt_released(study text, attempt text, result jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  number integer;
BEGIN
  UPDATE mpc_internal.studies AS s
     SET run_state = 'released', finished_at = clock_timestamp(),
         n_matched = coalesce((result ->> 'matched')::bigint, s.n_matched)
   WHERE s.study = attempt_released.study AND s.attempt = attempt_released.attempt AND s.run_state = 'running'
  RETURNING s.version INTO number;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM mpc_internal.store_result(study, number, result);
  PERFORM mpc_internal.record_use(study, attempt, 'released');
  PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, (
    SELECT jsonb_build_object('what', '["iterations", "coefficients", "intercept", "r_squared"]'::jsonb,
                              'to', s.spec::jsonb -> 'recipients', 'models', mpc_internal.models_in(s.spec::jsonb))
      FROM mpc_internal.studies AS s WHERE s.study = attempt_released.study AND s.version = number));
  PERFORM mpc_internal.record_event(study, attempt, 'released', mpc_internal.own_party(), jsonb_build_object(
    'version', number, 'models', jsonb_array_length(coalesce(result -> 'fits', '[]'))));
  PERFORM mpc_internal.send_head(study, number, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_released(text, text, jsonb) IS 'the result is stored and the study released';

CREATE FUNCTION mpc_internal.attempt_failed(
  study text, attempt text, sqlstate text, message text, detail text, hint text, cancelled boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  number integer;
  match_told boolean;
BEGIN
  UPDATE mpc_internal.studies AS s
     SET run_state = CASE WHEN attempt_failed.cancelled THEN 'cancelled' ELSE 'failed' END,
         finished_at = clock_timestamp(), sqlstate = attempt_failed.sqlstate, last_error = attempt_failed.message,
         error_detail = nullif(attempt_failed.detail, ''), error_hint = nullif(attempt_failed.hint, '')
   WHERE s.study = attempt_failed.study AND s.attempt = attempt_failed.attempt AND s.run_state = 'running'
  RETURNING s.version, s.n_matched IS NOT NULL INTO number, match_told;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF sqlstate = 'MP005' THEN
    PERFORM mpc_internal.record_event(study, attempt, 'opened', NULL, '{"what": ["one bit: a rule of the spec refused"]}');
    PERFORM mpc_internal.record_use(study, attempt, 'refused');
  ELSIF match_told THEN
    PERFORM mpc_internal.record_use(study, attempt, 'ended');
  END IF;
  PERFORM mpc_internal.record_event(study, attempt, CASE WHEN cancelled THEN 'cancelled' ELSE 'failed' END,
                                    mpc_internal.own_party(), jsonb_build_object('version', number, 'sqlstate', sqlstate));
  PERFORM mpc_internal.send_head(study, number, attempt);
  PERFORM mpc_internal.announce(study);
END
$$;
COMMENT ON FUNCTION mpc_internal.attempt_failed(text, text, text, text, text, text, boolean) IS
'the attempt ended without a result; approvals stay valid and the study may be started again';

CREATE FUNCTION mpc_internal.recover() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
DECLARE
  left_over record;
BEGIN
  FOR left_over IN SELECT s.study, s.attempt FROM mpc_internal.studies AS s WHERE s.run_state = 'running' LOOP
    PERFORM mpc_internal.attempt_failed(left_over.study, left_over.attempt, '57P02', 'the server restarted',
                                        NULL, 'Start the study again.', false);
  END LOOP;
END
$$;
COMMENT ON FUNCTION mpc_internal.recover() IS 'at the start of the coordinator: attempts that nobody runs any more have failed';

-- outbox

CREATE FUNCTION mpc_internal.outbox_pending(OUT id bigint, OUT party text, OUT message jsonb) RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT o.id, o.party, o.message FROM mpc_internal.outbox AS o JOIN mpc_internal.peers AS p USING (party)
   ORDER BY o.id LIMIT 1000
$$;
COMMENT ON FUNCTION mpc_internal.outbox_pending() IS
'messages to deliver, in the order in which each peer has to get them';

CREATE FUNCTION mpc_internal.outbox_delivered(id bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
  DELETE FROM mpc_internal.outbox AS o WHERE o.id = $1;
  -- What the message told is in the ledger and committed: sealed soon after, without a session waiting for it.
  SELECT mpc_internal.seal_ledger()
$$;
COMMENT ON FUNCTION mpc_internal.outbox_delivered(bigint) IS 'the peer has acknowledged the message';

CREATE FUNCTION mpc_internal.outbox_refused(id bigint, error jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
  refused mpc_internal.outbox%ROWTYPE;
  state text := error ->> 'sqlstate';
BEGIN
  -- What passes by itself (locks, resources, shutdown, a peer whose database is not there yet) is tried again.
  IF left(state, 2) IN ('40', '53', '57', '58') OR state IN ('55P03', '55000', 'F0000', 'XX000') THEN
    UPDATE mpc_internal.outbox AS o SET error = outbox_refused.error WHERE o.id = outbox_refused.id;
    RETURN;
  END IF;
  DELETE FROM mpc_internal.outbox AS o WHERE o.id = outbox_refused.id RETURNING * INTO refused;
  UPDATE mpc_internal.studies AS s
     SET sqlstate = state, error_detail = error ->> 'detail', error_hint = error ->> 'hint',
         last_error = format('%s refused: %s', refused.party, error ->> 'message')
   WHERE s.study = refused.message ->> 'study' AND s.version = (refused.message ->> 'version')::integer
     AND s.run_state IS NULL;
  PERFORM mpc_internal.record_event(refused.message ->> 'study', NULL, 'message_refused', refused.party,
    jsonb_build_object('type', refused.message ->> 'type', 'sqlstate', state, 'message', error ->> 'message'));
END
$$;
COMMENT ON FUNCTION mpc_internal.outbox_refused(bigint, jsonb) IS
'the peer answered with an error: kept for another try when it is of a passing kind, otherwise shown in mpc.studies.last_error';
-- What: starting, watching and ending studies: what the background workers of this node do on behalf of SQL.
-- Invariants: the functions of mpc_internal only talk to the coordinator; what needs tables is checked here, under the
--             owner's rights. Start, run and cancel act at once, outside the caller's transaction.

-- private functions

CREATE FUNCTION mpc_internal.wake_coordinator(what text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_wake_coordinator';
COMMENT ON FUNCTION mpc_internal.wake_coordinator(text) IS
'tells the coordinator at COMMIT what changed: outbox (messages for peers) or reload (peers)';

CREATE FUNCTION mpc_internal.coordinator_status() RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_coordinator_status';
COMMENT ON FUNCTION mpc_internal.coordinator_status() IS
'party, database, extension, listener (connected), engines, max_studies, peers; error 55000 when the coordinator does not answer';

CREATE FUNCTION mpc_internal.coordinator_progress() RETURNS jsonb
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_coordinator_progress';
COMMENT ON FUNCTION mpc_internal.coordinator_progress() IS 'array of the running engines of this node';

CREATE FUNCTION mpc_internal.progress()
RETURNS TABLE (pid integer, study text, attempt text, phase text, done bigint, total bigint, step integer,
               bytes_sent bigint, started_at timestamptz, rounds bigint, rounds_estimated bigint, seconds float8,
               awaited text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.pid, p.study, p.attempt, p.phase, p.done, p.total, p.step, p.bytes_sent, to_timestamp(p.started_at),
         p.rounds, p.rounds_estimated, extract(epoch FROM clock_timestamp() - to_timestamp(p.phase_since))::float8, p.awaited
    FROM jsonb_to_recordset(mpc_internal.coordinator_progress()) AS p (
      pid integer, study text, attempt text, phase text, done bigint, total bigint, step integer,
      bytes_sent bigint, started_at float8, rounds bigint, rounds_estimated bigint, phase_since float8, awaited text)
$$;
COMMENT ON FUNCTION mpc_internal.progress() IS 'rows of view mpc.stat_study_progress';

CREATE FUNCTION mpc_internal.start_study(study text) RETURNS text
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_start_study';
COMMENT ON FUNCTION mpc_internal.start_study(text) IS 'mpc.start_study without the check of the transaction';

CREATE FUNCTION mpc_internal.run_study(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_run_study';
COMMENT ON FUNCTION mpc_internal.run_study(text) IS 'mpc.run_study without the check of the transaction';

CREATE FUNCTION mpc_internal.await_study(study text, timeout interval) RETURNS text
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'pg_mpc_wait_for_study';
COMMENT ON FUNCTION mpc_internal.await_study(text, interval) IS 'state at the end of the study, NULL after the timeout';

CREATE FUNCTION mpc_internal.run_step(study text, step text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_step';
COMMENT ON FUNCTION mpc_internal.run_step(text, text) IS
'lets the engine of this node do one step by hand and waits for it, at most pg_mpc.step_timeout';

CREATE FUNCTION mpc_internal.require_committed(study text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.own_party();
  IF mpc_internal.approved_in_this_transaction(study) THEN
    RAISE EXCEPTION USING ERRCODE = '25001',
      MESSAGE = format('study "%s" was proposed or decided on in this transaction', study),
      DETAIL = 'Peers and workers see it only after COMMIT.',
      HINT = 'Commit first, then start the study.';
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.require_committed(text) IS
'error 25001 while the proposal or approval is part of the open transaction';

-- running a study

CREATE FUNCTION mpc.start_study(study text) RETURNS text
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  RETURN mpc_internal.start_study(study);
END
$$;
COMMENT ON FUNCTION mpc.start_study(text) IS
'starts an approved study on all three nodes and returns the id of the attempt; joins the attempt that already runs. Acts at once, outside the transaction. Errors: 42704 unknown study; 55000 not approved here, a peer is not ready (named), or run by hand; 25001 approved in this transaction; 54000 no free slot; MP003 a peer cannot be reached';

CREATE FUNCTION mpc.wait_for_study(study text, timeout interval DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  final text;
BEGIN
  IF study IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM mpc_internal.require_committed(study);
  final := mpc_internal.await_study(study, timeout);
  IF final IS NULL THEN
    SELECT s.state INTO final FROM mpc_internal.current_studies AS s WHERE s.study = wait_for_study.study;
  END IF;
  RETURN final;
END
$$;
COMMENT ON FUNCTION mpc.wait_for_study(text, interval) IS
'waits until the study has ended, whoever started it, and returns its state: released, or after the timeout the state it has then. A study that failed or was cancelled raises its own error. Cancelling the query only stops the waiting';

CREATE FUNCTION mpc.cancel_study(study text) RETURNS void
LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'pg_mpc_cancel_study';
COMMENT ON FUNCTION mpc.cancel_study(text) IS
'ends the running attempt on all three nodes at once, outside the transaction; the study may be started again. Errors: 42704 unknown study, 55000 not running on this node';

CREATE FUNCTION mpc.run_study(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  RETURN QUERY SELECT * FROM mpc_internal.run_study(study);
END
$$;
COMMENT ON FUNCTION mpc.run_study(text) IS
'starts the study (or joins the attempt that runs), gives a NOTICE per finished step of this node and returns the step rows at the end. Cancelling the query cancels the study. Holds a snapshot: CALL mpc.run for long studies. Errors: as mpc.start_study, and the study''s own';

CREATE PROCEDURE mpc.run(study text)
LANGUAGE c
AS 'MODULE_PATHNAME', 'pg_mpc_run';
COMMENT ON PROCEDURE mpc.run(text) IS
'the same as mpc.run_study without holding a snapshot: commits the caller''s transaction first, so it cannot be called inside a transaction block (2D000)';

-- a study by hand

CREATE FUNCTION mpc.prepare(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mpc_internal.require_committed(study);
  RETURN QUERY SELECT * FROM mpc_internal.run_step(study, 'prepare');
END
$$;
COMMENT ON FUNCTION mpc.prepare(text) IS
'step 1 by hand, on each node: starts this node''s engine; a controller reads its source, the third party is ready to receive. Errors of all steps by hand: 55000 out of order or wrong role (the hint names the next step), MP001 after pg_mpc.step_timeout (may be repeated), and the study''s own';

CREATE FUNCTION mpc.agree_key(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.run_step($1, 'agree_key') $$;
COMMENT ON FUNCTION mpc.agree_key(text) IS 'step 2 by hand, controllers: the halves of the joint key are exchanged, identifiers hashed, the key erased';

CREATE FUNCTION mpc.scramble(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.run_step($1, 'scramble') $$;
COMMENT ON FUNCTION mpc.scramble(text) IS 'step 3 by hand, controllers: values encrypted under the own public key';

CREATE FUNCTION mpc.push(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.run_step($1, 'push') $$;
COMMENT ON FUNCTION mpc.push(text) IS 'steps 3-4 by hand, controllers: hashes pushed, match announced, every ciphertext acknowledged';

CREATE FUNCTION mpc.match(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.run_step($1, 'match') $$;
COMMENT ON FUNCTION mpc.match(text) IS 'step 4 by hand, third party: hashes matched, count sent, ciphertexts of matched records kept';

CREATE FUNCTION mpc.mask(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.run_step($1, 'mask') $$;
COMMENT ON FUNCTION mpc.mask(text) IS 'step 5 by hand, controllers: random shares sent, encrypted under the other controller''s key';

CREATE FUNCTION mpc.unmask(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.run_step($1, 'unmask') $$;
COMMENT ON FUNCTION mpc.unmask(text) IS 'step 6 by hand: third party sends the sums; a controller decrypts its own and erases its key';

CREATE FUNCTION mpc.share(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.run_step($1, 'share') $$;
COMMENT ON FUNCTION mpc.share(text) IS 'step 7 by hand, on each node: additive shares become Shamir shares';

CREATE FUNCTION mpc.lasso(study text)
RETURNS TABLE (party text, step integer, name text, peer text, records bigint, bytes bigint, seconds float8,
               data_status text, destroyed text[])
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM mpc_internal.run_step($1, 'lasso') $$;
COMMENT ON FUNCTION mpc.lasso(text) IS 'step 8 by hand, on each node: the regression on shares; returns when the result is stored';

-- the node and its peers

CREATE FUNCTION mpc.ping_peer(peer text, OUT party text, OUT ok boolean, OUT round_trip_ms float8, OUT cause text)
RETURNS record
LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'pg_mpc_ping_peer';
COMMENT ON FUNCTION mpc.ping_peer(text) IS
'asks the listener of a peer over mutual TLS: ok and the round trip on an open connection, or the cause in words. Error 42704 unknown peer';

-- privileges

GRANT EXECUTE ON FUNCTION mpc.start_study(text), mpc.wait_for_study(text, interval), mpc.cancel_study(text),
  mpc.run_study(text), mpc.prepare(text), mpc.agree_key(text), mpc.scramble(text), mpc.push(text), mpc.match(text),
  mpc.mask(text), mpc.unmask(text), mpc.share(text), mpc.lasso(text) TO mpc_study;
GRANT EXECUTE ON PROCEDURE mpc.run(text) TO mpc_study;
GRANT EXECUTE ON FUNCTION mpc.ping_peer(text) TO mpc_admin, mpc_study, mpc_reader;
GRANT EXECUTE ON FUNCTION mpc_internal.progress() TO mpc_reader, mpc_study;
-- What: released models: coefficients, measures of fit, prediction.
-- Terms: model = the coefficients of one lambda; a study with several lambdas releases several models at once.
-- Invariants: rows come from mpc_internal.store_result only, once per version; they outlive the studies they came from
--             in dumps, so nothing here refers to other tables.

-- tables

CREATE TABLE mpc_internal.fits (
  study text NOT NULL,
  version integer NOT NULL,
  lambda float8 NOT NULL,
  n bigint NOT NULL,
  parameters integer NOT NULL,
  nonzero integer NOT NULL,
  iterations integer NOT NULL,
  converged boolean NOT NULL,
  r_squared float8,
  adjusted_r_squared float8,
  rounds bigint,
  bytes_sent bigint,
  released_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT fits_pkey PRIMARY KEY (study, version, lambda)
);
COMMENT ON TABLE mpc_internal.fits IS 'one row per released model';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.fits', '');

CREATE TABLE mpc_internal.coefficients (
  study text NOT NULL,
  version integer NOT NULL,
  lambda float8 NOT NULL,
  place integer NOT NULL,
  attribute text NOT NULL,
  party text,
  coefficient float8 NOT NULL,
  selected boolean NOT NULL,
  CONSTRAINT coefficients_pkey PRIMARY KEY (study, version, lambda, place)
);
COMMENT ON TABLE mpc_internal.coefficients IS
'coefficients in original units; the intercept is attribute "(intercept)" without a party';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.coefficients', '');

CREATE TABLE mpc_internal.traffic (
  study text NOT NULL,
  version integer NOT NULL,
  place integer NOT NULL,
  phase text NOT NULL,
  rounds bigint NOT NULL,
  elements bigint NOT NULL,
  bytes_sent bigint NOT NULL,
  CONSTRAINT traffic_pkey PRIMARY KEY (study, version, place)
);
COMMENT ON TABLE mpc_internal.traffic IS 'what the engine of this node sent in steps 7 and 8, by phase';
SELECT pg_catalog.pg_extension_config_dump('mpc_internal.traffic', '');

-- private functions

CREATE FUNCTION mpc_internal.store_result(study text, version integer, result jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO mpc_internal.fits (study, version, lambda, n, parameters, nonzero, iterations, converged, r_squared,
                                 adjusted_r_squared, rounds, bytes_sent)
  SELECT $1, $2, f.lambda, f.n, f.parameters, f.nonzero, f.iterations, f.converged, f.r_squared,
         f.adjusted_r_squared, f.rounds, f.bytes_sent
    FROM jsonb_to_recordset(coalesce($3 -> 'fits', '[]')) AS f (
           lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
           r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint);
  INSERT INTO mpc_internal.coefficients (study, version, lambda, place, attribute, party, coefficient, selected)
  SELECT $1, $2, c.lambda, row_number() OVER (PARTITION BY c.lambda ORDER BY c.ordinality), c.attribute,
         nullif(c.party, ''), c.coefficient, c.selected
    FROM ROWS FROM (jsonb_to_recordset(coalesce($3 -> 'coefficients', '[]')) AS (
           lambda float8, attribute text, party text, coefficient float8, selected boolean)) WITH ORDINALITY AS c;
  INSERT INTO mpc_internal.traffic (study, version, place, phase, rounds, elements, bytes_sent)
  SELECT $1, $2, t.ordinality, t.phase, t.rounds, t.elements, t.bytes_sent
    FROM ROWS FROM (jsonb_to_recordset(coalesce($3 -> 'traffic', '[]')) AS (
           phase text, rounds bigint, elements bigint, bytes_sent bigint)) WITH ORDINALITY AS t
$$;
COMMENT ON FUNCTION mpc_internal.store_result(text, integer, jsonb) IS 'stores what the engine of this node got released';

CREATE FUNCTION mpc_internal.released_version(study text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number integer := (SELECT max(f.version) FROM mpc_internal.fits AS f WHERE f.study = released_version.study);
  held record;
BEGIN
  IF number IS NOT NULL THEN
    RETURN number;
  END IF;
  held := mpc_internal.find_study(study);
  IF held.state = 'released' THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('this node is no recipient of study "%s"', study),
      DETAIL = format('Its recipients are %s.', (SELECT string_agg(r, ', ') FROM
                      jsonb_array_elements_text(held.spec::jsonb -> 'recipients') AS r)),
      HINT = 'Read the result on the node of a recipient.';
  END IF;
  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('study "%s" has no result', study),
    DETAIL = format('Its state is %s.', held.state),
    HINT = CASE WHEN held.state IN ('proposed', 'approved', 'running') THEN 'Run it with mpc.run_study, or wait for it with mpc.wait_for_study.'
           WHEN held.state IN ('failed', 'cancelled') THEN 'View mpc.studies says why in last_error; mpc.run_study may run it again.'
           ELSE 'Propose it again: a new version needs new approvals.' END;
END
$$;
COMMENT ON FUNCTION mpc_internal.released_version(text) IS
'latest released version of a study; errors 42704 unknown study, 55000 not released or not released to this node';

CREATE FUNCTION mpc_internal.one_lambda(study text, version integer, lambda float8) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lambdas float8[] := ARRAY(SELECT f.lambda FROM mpc_internal.fits AS f
                             WHERE f.study = one_lambda.study AND f.version = one_lambda.version ORDER BY f.lambda);
BEGIN
  IF lambda = ANY (lambdas) OR (lambda IS NULL AND cardinality(lambdas) = 1) THEN
    RETURN coalesce(lambda, lambdas[1]);
  END IF;
  RAISE EXCEPTION USING ERRCODE = '22023',
    MESSAGE = CASE WHEN lambda IS NULL THEN format('study "%s" has several models: a lambda is needed', study)
              ELSE format('study "%s" has no model with lambda %s', study, lambda) END,
    DETAIL = format('Its lambdas are %s.', array_to_string(lambdas, ', ')),
    HINT = 'Pass one of them as lambda => number.';
END
$$;
COMMENT ON FUNCTION mpc_internal.one_lambda(text, integer, float8) IS
'the lambda asked for, or the only one; error 22023 lists the lambdas there are';

-- public functions

CREATE FUNCTION mpc.coefficients(study text)
RETURNS TABLE (lambda float8, attribute text, party text, coefficient float8, selected boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer := mpc_internal.released_version(study);
BEGIN
  RETURN QUERY SELECT c.lambda, c.attribute, c.party, c.coefficient, c.selected FROM mpc_internal.coefficients AS c
                WHERE c.study = coefficients.study AND c.version = number ORDER BY c.lambda, c.place;
END
$$;
COMMENT ON FUNCTION mpc.coefficients(text) IS
'coefficients of a released study in original units (outcome units per attribute unit), a row per lambda and attribute; the intercept has attribute "(intercept)" and no party. Errors: 42704 unknown study, 55000 not released';

CREATE FUNCTION mpc.fit(study text)
RETURNS TABLE (lambda float8, n bigint, parameters integer, nonzero integer, iterations integer, converged boolean,
               r_squared float8, adjusted_r_squared float8, rounds bigint, bytes_sent bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer := mpc_internal.released_version(study);
BEGIN
  RETURN QUERY SELECT f.lambda, f.n, f.parameters, f.nonzero, f.iterations, f.converged, f.r_squared,
                      f.adjusted_r_squared, f.rounds, f.bytes_sent FROM mpc_internal.fits AS f
                WHERE f.study = fit.study AND f.version = number ORDER BY f.lambda;
END
$$;
COMMENT ON FUNCTION mpc.fit(text) IS
'measures of fit of a released study, a row per lambda: n matched records, parameters with the intercept, R squared, and what the run took at this node. Errors: 42704 unknown study, 55000 not released';

CREATE FUNCTION mpc.transcript(study text)
RETURNS TABLE (phase text, rounds bigint, elements bigint, bytes_sent bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  number integer := mpc_internal.released_version(study);
BEGIN
  RETURN QUERY SELECT t.phase, t.rounds, t.elements, t.bytes_sent FROM mpc_internal.traffic AS t
                WHERE t.study = transcript.study AND t.version = number ORDER BY t.place;
END
$$;
COMMENT ON FUNCTION mpc.transcript(text) IS
'what this node sent in steps 7 and 8 of a released study, by phase of the computation: rounds it took part in (phases share rounds, so their sum exceeds the rounds in mpc.fit), field elements without those inside comparison keys, bytes before encryption. Errors: 42704 unknown study, 55000 not released';

CREATE FUNCTION mpc_internal.predictor_value(study text, key text, value jsonb) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  CASE jsonb_typeof(value)
    WHEN 'number' THEN RETURN value::float8;
    WHEN 'boolean' THEN RETURN value::boolean::integer;
    ELSE RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('value of attribute "%s" is neither a number nor a boolean', key),
      DETAIL = format('It is of JSON type %s.', jsonb_typeof(value)),
      HINT = 'Write numbers without quotes, 0/1 columns as true and false or 1 and 0.';
  END CASE;
END
$$;
COMMENT ON FUNCTION mpc_internal.predictor_value(text, text, jsonb) IS 'number of a JSON value; true is 1, false is 0';

CREATE FUNCTION mpc.predict(study text, attributes jsonb, lambda float8 DEFAULT NULL) RETURNS float8
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number integer := mpc_internal.released_version(study);
  chosen float8 := mpc_internal.one_lambda(study, number, lambda);
  term record;
  key text;
  used text[] := '{}';
  missing text[] := '{}';
  total float8 := 0;
BEGIN
  IF attributes IS NULL THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(attributes) <> 'object' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'attributes are given as one JSON object',
      DETAIL = format('The JSON type given is %s.', jsonb_typeof(attributes)),
      HINT = 'For example ''{"age": 71, "sbp": 140}''.';
  END IF;
  FOR term IN SELECT c.attribute, c.party, c.coefficient, count(*) OVER (PARTITION BY c.attribute) > 1 AS shared
                FROM mpc_internal.coefficients AS c
               WHERE c.study = predict.study AND c.version = number AND c.lambda = chosen ORDER BY c.place LOOP
    IF term.party IS NULL THEN
      total := total + term.coefficient;
      CONTINUE;
    END IF;
    key := format('%s.%s', term.party, term.attribute);
    IF NOT term.shared AND NOT attributes ? key THEN
      key := term.attribute;
    END IF;
    used := used || key;
    IF coalesce(attributes -> key, 'null') = 'null' THEN
      missing := missing || key;
    ELSE
      total := total + term.coefficient * mpc_internal.predictor_value(study, key, attributes -> key);
    END IF;
  END LOOP;
  IF cardinality(missing) > 0 THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('attributes without a value: %s', array_to_string(missing, ', ')),
      DETAIL = format('The model of study "%s" needs a value for each of its attributes.', study),
      HINT = 'Add them to the JSON object.';
  END IF;
  IF attributes - used <> '{}' THEN
    RAISE EXCEPTION USING ERRCODE = '22023',
      MESSAGE = format('attributes that the model does not have: %s', (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(attributes - used) AS k)),
      DETAIL = format('The attributes of study "%s" are %s.', study, array_to_string(used, ', ')),
      HINT = 'Leave them out of the JSON object: - removes a key.';
  END IF;
  RETURN total;
END
$$;
COMMENT ON FUNCTION mpc.predict(text, jsonb, float8) IS
'outcome that a released model predicts for one record, in units of the outcome. Keys: the attribute, or party.attribute where both controllers use the name; lambda is needed when the study has several. NULL when attributes are NULL. Error 22023 names attributes that are missing or unknown';
-- What: the views of the public schema.
-- Invariants: they show this node's own counts only; what others may not know is not here (no match count below the
--             agreed minimum, no sizes of other parties' sources).

CREATE VIEW mpc.studies AS
SELECT s.study, s.version, s.digest, s.state, s.proposer, s.proposed_at, least(s.expires_at, s.approvals_expire_at) AS expires_at,
       s.n_matched, s.sqlstate,
       coalesce(nullif(concat_ws(': ', s.last_error, s.error_detail), ''),
                CASE WHEN s.state IN ('rejected', 'withdrawn') THEN s.objection END) AS last_error,
       s.spec::jsonb AS spec
  FROM mpc_internal.current_studies AS s
UNION ALL
SELECT d.study, coalesce((SELECT max(s.version) FROM mpc_internal.studies AS s WHERE s.study = d.study), 0) + 1, d.digest,
       'draft', NULL, NULL, NULL, NULL, NULL, NULL, d.spec::jsonb
  FROM mpc_internal.drafts AS d;
COMMENT ON VIEW mpc.studies IS
'latest version of each study known here, and drafts of this node; state: draft, proposed, approved, running, released, rejected, withdrawn, cancelled, failed or expired';

CREATE VIEW mpc.approvals AS
SELECT a.study, a.version, a.party, a.decision, a.decided_at, a.source_name AS source, a.decided_by, a.reason, a.expires_at
  FROM mpc_internal.approvals AS a JOIN mpc_internal.studies AS s
    ON s.study = a.study AND s.version = a.version AND s.digest = a.digest AND a.party = ANY (s.parties);
COMMENT ON VIEW mpc.approvals IS
'decision of each party on each version (approved, rejected, withdrawn) and until when an approval holds; source and decided_by are known for this node only';

CREATE VIEW mpc.study_history AS
SELECT l.study, (l.detail ->> 'version')::integer AS version, l.at, l.event, l.party, l.detail ->> 'by' AS role, l.attempt,
       l.detail - '{version,by}'::text[] AS detail, l.id
  FROM mpc_internal.ledger AS l
 WHERE l.event IN ('drafted', 'proposed', 'approved', 'rejected', 'withdrawn', 'asked', 'started', 'released', 'failed', 'cancelled')
UNION ALL
SELECT s.study, s.version, least(s.expires_at, s.approvals_expire_at), 'expired', NULL, NULL, NULL, '{}', NULL
  FROM mpc_internal.current_studies AS s WHERE s.state = 'expired';
COMMENT ON VIEW mpc.study_history IS
'life cycle of every study: who did what when, as the ledger has it; role is the role of this node that drafted, proposed, decided, or asked for a start or a cancellation, NULL for other parties; id is the entry of the ledger';

CREATE VIEW mpc.parties AS
SELECT p.party,
       (SELECT string_agg(DISTINCT CASE WHEN s.parties[3] = p.party THEN 'third_party' ELSE 'controller' END, ', ')
          FROM mpc_internal.studies AS s WHERE p.party = ANY (s.parties)) AS role,
       p.url, p.fingerprint, p.not_after, p.last_seen,
       floor(extract(epoch FROM p.not_after - now()) / 86400)::integer AS days_to_expiry,
       p.next_fingerprint, p.next_not_after
  FROM mpc_internal.peers AS p;
COMMENT ON VIEW mpc.parties IS 'peers of this node; role as in the studies known here (controller, third_party), NULL before the first; next_fingerprint is accepted too while the peer changes its certificate';

CREATE VIEW mpc.steps AS
SELECT s.study, s.attempt, s.party, s.step, s.name, s.peer, s.records, s.bytes, s.seconds, s.data_status, s.destroyed,
       s.finished_at, s.version, s.cpu_seconds, s.kernel_seconds
  FROM mpc_internal.steps AS s ORDER BY s.id;
COMMENT ON VIEW mpc.steps IS 'finished steps of this node in the order in which they ended: what the data was then, what was destroyed; processor seconds of the engine, and of them in batch computations (kernels)';

CREATE VIEW mpc.models AS
SELECT f.study, f.version, f.lambda, f.n, m.attribute, m.party, m.coefficient, m.intercept, f.nonzero, f.r_squared,
       f.adjusted_r_squared, f.released_at
  FROM mpc_internal.fits AS f,
       LATERAL (SELECT array_agg(c.attribute ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS attribute,
                       array_agg(c.party ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS party,
                       array_agg(c.coefficient ORDER BY c.place) FILTER (WHERE c.party IS NOT NULL) AS coefficient,
                       min(c.coefficient) FILTER (WHERE c.party IS NULL) AS intercept
                  FROM mpc_internal.coefficients AS c
                 WHERE c.study = f.study AND c.version = f.version AND c.lambda = f.lambda) AS m;
COMMENT ON VIEW mpc.models IS
'a row per released model: attribute, party and coefficient are arrays in the same order, the intercept stands apart';

CREATE VIEW mpc.ledger AS
SELECT l.id, l.at, l.study, l.attempt, l.event, l.party, l.detail, s.prev_hash, s.hash
  FROM mpc_internal.ledger AS l LEFT JOIN mpc_internal.ledger_seals AS s USING (id);
COMMENT ON VIEW mpc.ledger IS
'append-only record of this node, an entry per event: peers, proposals, decisions, attempts, steps (what was sent to whom, what was destroyed, data status with the reason per criterion), what was opened, heads of the peers'' ledgers; hash chain, see mpc.verify_ledger() and mpc.export_ledger()';

CREATE VIEW mpc.stat_study_progress AS
SELECT p.pid, p.study, p.attempt, p.phase, p.done, p.total, p.step, p.bytes_sent, p.started_at,
       p.rounds, p.rounds_estimated, p.seconds, p.awaited
  FROM mpc_internal.progress() AS p;
COMMENT ON VIEW mpc.stat_study_progress IS
'running engines of this node and how far they are; total is 0 where it is unknown or not this node''s to know; rounds = messages exchanged in steps 7 and 8 and how many a study of this kind typically takes; seconds = time in this phase; awaited = the peer whose message is awaited, if that takes noticeably long';
-- What: looking at a study before approval and at the node.

CREATE FUNCTION mpc_internal.explain_spec(spec text, party text)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'pg_mpc_explain_spec';
COMMENT ON FUNCTION mpc_internal.explain_spec(text, text) IS 'mpc.explain_study for a canonical spec, seen from one party';

CREATE FUNCTION mpc.explain_study(study text)
RETURNS TABLE (step integer, name text, party text, peer text, sends text, learns text, records bigint, bytes bigint,
               rounds bigint, seconds float8, data_status text, destroyed text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT * FROM mpc_internal.explain_spec(mpc_internal.spec_to_read(study), mpc_internal.own_party());
END
$$;
COMMENT ON FUNCTION mpc.explain_study(text) IS
'what a study does, before it is approved: per step who sends what to whom, who learns what, and what is destroyed; sizes and times are estimates from expected_records, NULL without it. Rows of step 0 state what holds for the whole study: disclosure rules, what becomes public, statistical distance, trust. Error 42704 unknown study';

-- node status

CREATE FUNCTION mpc_internal.certificate_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own record := mpc_internal.own_certificate();
  days integer := floor(extract(epoch FROM own.not_after - now()) / 86400);
BEGIN
  status := 'problem';
  IF own.problem IS NOT NULL THEN
    detail := own.problem;
    hint := own.hint;
  ELSIF own.not_before > now() OR days < 0 THEN
    detail := format('valid from %s until %s', own.not_before, own.not_after);
    hint := 'Install a certificate that is valid now, reload the configuration, and give it to all peers (mpc.alter_peer).';
  ELSE
    status := CASE WHEN days < 30 THEN 'problem' ELSE 'ok' END;
    detail := format('fingerprint %s, %s days to expiry on %s', own.fingerprint, days, own.not_after);
    hint := CASE WHEN days < 30 THEN 'Renew it in time: all peers have to know the new certificate (mpc.alter_peer).' END;
  END IF;
END
$$;
COMMENT ON FUNCTION mpc_internal.certificate_check() IS 'row "certificate" of mpc.node_status';

CREATE FUNCTION mpc_internal.workers_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  answer jsonb;
BEGIN
  answer := mpc_internal.coordinator_status();
  status := CASE WHEN (answer ->> 'listener')::boolean THEN 'ok' ELSE 'problem' END;
  detail := CASE WHEN (answer ->> 'listener')::boolean THEN 'listener and coordinator are running'
            ELSE 'the coordinator is running, the listener is not' END;
  hint := CASE WHEN NOT (answer ->> 'listener')::boolean
               THEN 'The server log says why: most often the port is taken or the certificate cannot be read.' END;
EXCEPTION WHEN OTHERS THEN
  IF SQLSTATE LIKE '57%' THEN
    RAISE;
  END IF;
  status := 'problem';
  detail := SQLERRM;
  hint := 'The server log says why the background workers of pg_mpc do not run.';
END
$$;
COMMENT ON FUNCTION mpc_internal.workers_check() IS 'row "workers" of mpc.node_status';

CREATE FUNCTION mpc_internal.slots_check(OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  slots integer := current_setting('max_worker_processes')::integer;
  -- The listener has no entry in pg_stat_activity.
  used integer := 1 + (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type NOT IN (
    'client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer', 'startup',
    'walwriter', 'walsender', 'walreceiver', 'archiver', 'slotsync worker', 'standalone backend'));
BEGIN
  status := CASE WHEN used < slots THEN 'ok' ELSE 'problem' END;
  detail := format('%s of max_worker_processes %s in use', used, slots);
  hint := CASE WHEN used >= slots THEN 'Raise max_worker_processes and restart the server: every running study needs one.' END;
END
$$;
COMMENT ON FUNCTION mpc_internal.slots_check() IS 'row "worker slots" of mpc.node_status';

CREATE FUNCTION mpc_internal.peer_check(peer mpc_internal.peers, OUT status text, OUT detail text, OUT hint text) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  answer record;
  renew boolean := coalesce(peer.next_not_after, peer.not_after) < now() + interval '30 days';
BEGIN
  SELECT * INTO answer FROM mpc.ping_peer(peer.party);
  status := CASE WHEN answer.ok AND NOT renew THEN 'ok' ELSE 'problem' END;
  detail := CASE WHEN answer.ok THEN format('answers at %s; its certificate expires on %s', peer.url, peer.not_after)
            ELSE answer.cause END;
  hint := CASE WHEN answer.ok AND renew THEN 'Ask the peer for its next certificate: mpc.alter_peer(…, next_certificate => …) accepts both.'
               WHEN NOT answer.ok THEN 'Both nodes need each other''s certificate and url; mpc.node_status() on the peer''s node shows its side.' END;
END
$$;
COMMENT ON FUNCTION mpc_internal.peer_check(mpc_internal.peers) IS 'row of a peer in mpc.node_status';

CREATE FUNCTION mpc.node_status() RETURNS TABLE ("check" text, status text, detail text, hint text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  peer mpc_internal.peers%ROWTYPE;
BEGIN
  IF NOT mpc_internal.preloaded() THEN
    RETURN QUERY SELECT 'preload', 'problem', 'pg_mpc is not preloaded',
      'Add pg_mpc to the line shared_preload_libraries = ''pg_mpc'' of postgresql.conf and restart the server; the last assignment in the file wins.';
    RETURN;
  END IF;
  RETURN QUERY SELECT 'preload', 'ok', 'the server loaded pg_mpc at its start', NULL;
  RETURN QUERY SELECT 'party', CASE WHEN p IS NULL THEN 'problem' ELSE 'ok' END, coalesce(p, 'pg_mpc.party is not set'),
      CASE WHEN p IS NULL THEN 'Set pg_mpc.party = ''name'' in postgresql.conf and restart the server.' END
    FROM mpc_internal.configured_party() AS p;
  RETURN QUERY SELECT 'database', CASE WHEN d = current_database() THEN 'ok' ELSE 'problem' END,
      format('pg_mpc.database is %s', d),
      CASE WHEN d <> current_database() THEN 'Studies live in that database: connect there, or change the setting and restart the server.' END
    FROM mpc_internal.configured_database() AS d;
  RETURN QUERY SELECT 'certificate', c.* FROM mpc_internal.certificate_check() AS c;
  RETURN QUERY SELECT 'workers', w.* FROM mpc_internal.workers_check() AS w;
  RETURN QUERY SELECT 'worker slots', s.* FROM mpc_internal.slots_check() AS s;
  IF (mpc_internal.workers_check()).status = 'ok' THEN
    FOR peer IN SELECT * FROM mpc_internal.peers AS p ORDER BY p.party LOOP
      RETURN QUERY SELECT format('peer %s', peer.party), c.* FROM mpc_internal.peer_check(peer) AS c;
    END LOOP;
  END IF;
END
$$;
COMMENT ON FUNCTION mpc.node_status() IS
'checks this node from the preloading to its peers, a row per check: status ok or problem, detail with the cause, hint with what to do';
-- What: who may call and read what. Nothing is granted to PUBLIC; roles of the extension have no login of their own.
--       mpc_admin: peers and the state of the node; mpc_study: propose, approve, start, look at sources;
--       mpc_reader: views and results.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mpc FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA mpc FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mpc_internal FROM PUBLIC;

-- mpc_admin

GRANT EXECUTE ON FUNCTION mpc.add_peer(text, text, text), mpc.alter_peer(text, text, text, text), mpc.remove_peer(text) TO mpc_admin;
GRANT EXECUTE ON FUNCTION mpc.node_status(), mpc.verify_ledger() TO mpc_admin, mpc_study, mpc_reader;
GRANT EXECUTE ON FUNCTION mpc.export_ledger(boolean, bigint), mpc.compare_ledger(text, jsonb) TO mpc_admin, mpc_reader;

-- mpc_study

GRANT EXECUTE ON FUNCTION mpc.draft_study(text, jsonb), mpc.propose_study(text, jsonb), mpc.approve_study(text, text, regclass, text),
  mpc.reject_study(text, text), mpc.withdraw_approval(text), mpc.check_source(text, regclass, text) TO mpc_study;
GRANT EXECUTE ON FUNCTION mpc.explain_study(text) TO mpc_study, mpc_reader;

-- mpc.check_source runs as its caller and needs these; they read catalogs and the caller's own source only.
GRANT USAGE ON SCHEMA mpc_internal TO mpc_study;
GRANT EXECUTE ON FUNCTION mpc_internal.study_for_check(text), mpc_internal.columns_of(jsonb, text),
  mpc_internal.column_problem(oid, text, oid), mpc_internal.identifier_columns(jsonb, oid, text),
  mpc_internal.require_source(oid, oid), mpc_internal.require_binding(jsonb, text, oid, text[], oid),
  mpc_internal.normalised(text, jsonb), mpc_internal.required_matches(jsonb),
  mpc_internal.range_problem(float8, float8, float8, float8, integer), mpc_internal.check_identifier(regclass, text[], jsonb, text),
  mpc_internal.check_columns(regclass, text[], text), mpc_internal.base_type(oid, text),
  mpc_internal.float_of(regclass, text) TO mpc_study;

-- mpc_reader

GRANT EXECUTE ON FUNCTION mpc.coefficients(text), mpc.fit(text), mpc.transcript(text), mpc.predict(text, jsonb, float8) TO mpc_reader;
GRANT SELECT ON mpc.models TO mpc_reader;
GRANT SELECT ON mpc.studies, mpc.approvals, mpc.study_history, mpc.steps, mpc.ledger, mpc.source_uses,
  mpc.stat_study_progress TO mpc_reader, mpc_study;
GRANT SELECT ON mpc.parties TO mpc_reader, mpc_study, mpc_admin;
