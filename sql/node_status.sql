-- mpc.node_status of a node that has no certificate yet; the answers of the workers depend on the time.
\x on
SELECT "check", status, detail, hint FROM mpc.node_status() WHERE "check" IN ('preload', 'party', 'database', 'certificate');
\x off
SELECT "check", status IN ('ok', 'warning', 'problem') AS checked, detail IS NOT NULL AS has_detail FROM mpc.node_status() WHERE "check" IN ('workers', 'worker slots');
SELECT status, detail = format('library and extension have version %s', extversion) AS named, hint FROM mpc.node_status(), pg_extension WHERE "check" = 'version' AND extname = 'pg_mpc';
-- every warning and every problem comes with a hint
SELECT "check" FROM mpc.node_status() WHERE status <> 'ok' AND hint IS NULL;
-- rows about the server and the database
SELECT "check", status, detail, hint FROM mpc.node_status() WHERE "check" IN ('standby', 'encoding', 'read-only');
ALTER DATABASE regression SET default_transaction_read_only = on;
\c -
SELECT status, detail, hint FROM mpc.node_status() WHERE "check" = 'read-only';
SET default_transaction_read_only = off;
ALTER DATABASE regression RESET default_transaction_read_only;
CREATE DATABASE regression_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';
\c regression_ascii
CREATE EXTENSION pg_mpc;
SELECT status, detail, hint FROM mpc.node_status() WHERE "check" = 'encoding';
\c regression
DROP DATABASE regression_ascii;
