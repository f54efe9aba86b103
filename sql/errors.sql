-- Every refusal has a SQLSTATE and names the error, but never shows a value.
SET search_path = public, mpc;
SELECT public_key AS pk, private_key AS sk FROM test_keys WHERE name = 'a' \gset
SELECT public_key AS pk_b, private_key AS sk_b FROM test_keys WHERE name = 'b' \gset
-- state_of runs a statement and returns SQLSTATE and message: positions in the source stay out of the expected file.
CREATE FUNCTION pg_temp.state_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  detail text; hint text;
BEGIN
  EXECUTE statement;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n', sqlstate || ': ' || sqlerrm, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
-- Keys
SELECT pg_temp.state_of('SELECT mpc.paillier_keygen(1024)');
SELECT pg_temp.state_of('SELECT mpc.paillier_keygen(-1)');
SELECT pg_temp.state_of('SELECT ''''::mpc.paillier_public_key');
SELECT pg_temp.state_of('SELECT ''pp2:00''::mpc.paillier_public_key');
SELECT pg_temp.state_of('SELECT ''pp1:0g''::mpc.paillier_public_key');
SELECT pg_temp.state_of('SELECT ''pp1:000''::mpc.paillier_public_key');
SELECT pg_temp.state_of('SELECT ''pp1:''::mpc.paillier_public_key');
SELECT pg_temp.state_of('SELECT ''pp1:0108''::mpc.paillier_public_key');
SELECT pg_temp.state_of('SELECT ''pp1:010800''::mpc.paillier_public_key');
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_public_key', :'sk'));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_public_key', :'pk' || '00'));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_public_key', overlay(:'pk' placing '0' from 522 for 1)));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_private_key', :'sk' || '00'));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_private_key', overlay(:'sk' placing '00' from 265 for 2)));
-- Ciphertexts
SELECT pg_temp.state_of('SELECT ''pc1:01''::mpc.paillier_ciphertext');
SELECT paillier_encrypt(:'pk', 1)::text AS c \gset
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_ciphertext', overlay(:'c' placing '02' from 5 for 2)));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_ciphertext', overlay(:'c' placing 'ffff' from 7 for 4)));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_ciphertext', left(:'c', 10 + 512) || repeat('00', 512)));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_ciphertext', left(:'c', 10 + 512) || repeat('ff', 512)));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_ciphertext', left(:'c', 10 + 512) || repeat('00', 256) || substr(:'c', 11, 512)));
SELECT pg_temp.state_of(format('SELECT %L::mpc.paillier_ciphertext', left(:'c', 10) || repeat('0', 512) || right(:'c', 1024)));
-- Values
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, 1.25, 1)', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, 0.1)', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, ''NaN'')', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, ''-Infinity'')', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, 1, -1)', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, 1, 1001)', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, 1, 1000)', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, 2::numeric ^ 2047)', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, -(10::numeric ^ 10000))', :'pk'));
SELECT pg_temp.state_of(format('SELECT mpc.paillier_encrypt(%L, 2::numeric ^ 2046 - 1)', :'pk'));
-- The names of the keys are random: only their shape is shown. Mixed keys and scales are named.
CREATE FUNCTION pg_temp.shape_of(statement text) RETURNS text LANGUAGE sql AS $$
  SELECT regexp_replace(pg_temp.state_of(statement), '[0-9a-f]{16}', '<key>', 'g')
$$;
SELECT pg_temp.shape_of(format('SELECT mpc.paillier_encrypt(%L, 1) + mpc.paillier_encrypt(%L, 1)', :'pk', :'pk_b'));
SELECT pg_temp.shape_of(format('SELECT mpc.paillier_encrypt(%L, 1) - mpc.paillier_encrypt(%L, 1)', :'pk', :'pk_b'));
SELECT pg_temp.shape_of(format('SELECT mpc.paillier_encrypt(%L, 1, 2) + mpc.paillier_encrypt(%L, 1, 3)', :'pk', :'pk'));
SELECT pg_temp.shape_of(format('SELECT mpc.paillier_decrypt(%L, mpc.paillier_encrypt(%L, 1))', :'sk_b', :'pk'));
SELECT pg_temp.shape_of(format('SELECT mpc.paillier_rerandomize(%L, mpc.paillier_encrypt(%L, 1))', :'pk_b', :'pk'));
SELECT pg_temp.shape_of(format('SELECT mpc.sum(c) FROM unnest(ARRAY[mpc.paillier_encrypt(%L, 1), mpc.paillier_encrypt(%L, 1)]) AS c', :'pk', :'pk_b'));
-- Shamir
SELECT pg_temp.state_of('SELECT mpc.shamir_split(1, 0, 3)');
SELECT pg_temp.state_of('SELECT mpc.shamir_split(1, 4, 3)');
SELECT pg_temp.state_of('SELECT mpc.shamir_split(1, 2, 256)');
SELECT pg_temp.state_of('SELECT mpc.shamir_split(1, 2, 2000000000)');
SELECT pg_temp.state_of('SELECT mpc.shamir_split(1.5, 2, 3)');
SELECT pg_temp.state_of('SELECT mpc.shamir_split(''NaN'', 2, 3)');
SELECT pg_temp.state_of('SELECT mpc.shamir_split(2::numeric ^ 126, 2, 3)');
SELECT pg_temp.state_of('SELECT mpc.shamir_split(1, 2, 3, 39)');
SELECT pg_temp.state_of('SELECT mpc.shamir_combine(0, 1)');
SELECT pg_temp.state_of('SELECT mpc.shamir_combine(256, 1)');
SELECT pg_temp.state_of('SELECT mpc.shamir_combine(1, 1.5)');
SELECT pg_temp.state_of('SELECT mpc.shamir_combine(1, ''Infinity'')');
SELECT pg_temp.state_of('SELECT mpc.shamir_combine(1, 1, -1)');
SELECT pg_temp.state_of('SELECT mpc.shamir_combine(1 + i % 255, 1) FROM generate_series(1, 256) AS i');
SELECT pg_temp.state_of('SELECT mpc.shamir_combine(party, share + party - 1) FROM mpc.shamir_split(1, 2, 4)');
SELECT pg_temp.state_of('SELECT mpc.shamir_combine(party, share + (party % 2)) FROM mpc.shamir_split(1, 2, 4)');
-- A refused statement leaves the session usable.
SELECT mpc.paillier_decrypt(:'sk', mpc.paillier_encrypt(:'pk', 1));
-- Settings check their values.
SET pg_mpc.party = 'other';
SET pg_mpc.step_timeout = '1s';
SELECT name, setting, unit, context FROM pg_settings WHERE name LIKE 'pg\_mpc.%' AND name <> 'pg_mpc.database' ORDER BY 1;
DROP TABLE test_keys, test_ciphertexts, test_sums;
-- A function that is declared without the columns of its row.
CREATE FUNCTION pg_temp.no_row(integer) RETURNS record LANGUAGE c AS '$libdir/pg_mpc', 'pg_mpc_paillier_keygen';
SELECT pg_temp.state_of('SELECT pg_temp.no_row(2048)');
