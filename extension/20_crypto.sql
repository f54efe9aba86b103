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
