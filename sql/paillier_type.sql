-- The Paillier types and functions.
SET search_path = public, mpc;
CREATE TABLE test_keys AS SELECT 'a' AS name, * FROM paillier_keygen(2048) UNION ALL SELECT 'b', * FROM paillier_keygen(2048);
SELECT name, left(public_key::text, 10) AS public, left(private_key::text, 10) AS private, length(public_key::text) - 4 AS public_digits FROM test_keys ORDER BY 1;
SELECT count(DISTINCT public_key::text) AS different FROM test_keys;
-- Text and binary forms round-trip.
SELECT bool_and(public_key::text::paillier_public_key::text = public_key::text) AS public,
       bool_and(private_key::text::paillier_private_key::text = private_key::text) AS private FROM test_keys;
CREATE TABLE copies (LIKE test_keys);
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir /paillier.copy
COPY test_keys TO :'file' WITH (FORMAT binary);
COPY copies FROM :'file' WITH (FORMAT binary);
SELECT count(*) FROM test_keys k JOIN copies c ON k.public_key::text = c.public_key::text AND k.private_key::text = c.private_key::text;
SELECT public_key AS pk, private_key AS sk FROM test_keys WHERE name = 'a' \gset
SELECT public_key AS pk_b, private_key AS sk_b FROM test_keys WHERE name = 'b' \gset
-- Encryption and decryption are exact, whatever the sign and the number of digits.
CREATE TEMP TABLE numbers (value numeric, scale int);
INSERT INTO numbers VALUES (0, 0), (1, 0), (-1, 0), (0, 5), (1.2, 1), (3.20, 1), (-4.1, 3), (0.000001, 6), (-0.5, 1), (1e300, 2), (-123456789012345678901234567890.123456789, 9), (7, 300), (12.5, 1);
SELECT scale, trim_scale(value) AS value, trim_scale(paillier_decrypt(:'sk', paillier_encrypt(:'pk', value, scale))) = trim_scale(value) AS exact,
       scale(paillier_decrypt(:'sk', paillier_encrypt(:'pk', value, scale))) = numbers.scale AS places FROM numbers WHERE scale < 100 AND value < 1e50;
SELECT count(*) FROM numbers WHERE paillier_decrypt(:'sk', paillier_encrypt(:'pk', value, scale)) <> value;
-- Ciphertexts are fresh, and each row has its own randomness.
SELECT count(DISTINCT paillier_encrypt(:'pk', 5)::text) FROM generate_series(1, 10);
-- Operators.
SELECT paillier_decrypt(:'sk', paillier_encrypt(:'pk', 1.5, 2) + paillier_encrypt(:'pk', 2.25, 2)) AS plus,
       paillier_decrypt(:'sk', paillier_encrypt(:'pk', 1.5, 2) - paillier_encrypt(:'pk', 2.25, 2)) AS minus,
       paillier_decrypt(:'sk', paillier_encrypt(:'pk', 1.5, 2) * 3) AS times,
       paillier_decrypt(:'sk', (-3) * paillier_encrypt(:'pk', 1.5, 2)) AS times_negative,
       paillier_decrypt(:'sk', paillier_encrypt(:'pk', 1.5, 2) * 0) AS times_zero;
SELECT f, paillier_decrypt(:'sk', paillier_encrypt(:'pk', -2) * f) AS product
  FROM unnest(ARRAY[9223372036854775807, -9223372036854775808, 1, -1]) AS f;
-- Rerandomising changes the ciphertext and not the value.
SELECT c::text <> paillier_rerandomize(:'pk', c)::text AS changed, paillier_decrypt(:'sk', paillier_rerandomize(:'pk', c * 2)) AS value
  FROM paillier_encrypt(:'pk', 21) AS c;
-- Ciphertexts: text, binary, storage.
CREATE TABLE test_ciphertexts AS SELECT i, paillier_encrypt(:'pk', i * 1.5, 1) AS c FROM generate_series(1, 5) AS i;
SELECT i, left(c::text, 6) AS head, length(c::text) - 4 AS digits, paillier_decrypt(:'sk', c::text::paillier_ciphertext) AS value FROM test_ciphertexts ORDER BY i;
CREATE TABLE ciphertext_copies (LIKE test_ciphertexts);
COPY test_ciphertexts TO :'file' WITH (FORMAT binary);
COPY ciphertext_copies FROM :'file' WITH (FORMAT binary);
SELECT i, paillier_decrypt(:'sk', c) AS value FROM ciphertext_copies ORDER BY i;
SELECT typname, typstorage FROM pg_type WHERE typname LIKE 'paillier%' ORDER BY 1;
SELECT proname, provolatile, proparallel, proisstrict FROM pg_proc WHERE proname ~ '^paillier_(keygen|encrypt|decrypt|rerandomize)$' ORDER BY 1;
-- Larger keys.
SELECT bits, paillier_decrypt(k.private_key, paillier_encrypt(k.public_key, -17.5, 1) * 2) AS value, length(paillier_encrypt(k.public_key, 1)::text)
  FROM (VALUES (3072)) AS b(bits), LATERAL paillier_keygen(bits) AS k;
-- Key generation can be cancelled.
SET statement_timeout = '20ms';
SELECT paillier_keygen(4096) FROM generate_series(1, 100);
RESET statement_timeout;
DROP TABLE copies, ciphertext_copies;
