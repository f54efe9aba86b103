-- mpc.node_status of a node that has no certificate yet; what the workers say depends on when they are asked.
\x on
SELECT "check", status, detail, hint FROM mpc.node_status() WHERE "check" IN ('preload', 'party', 'database', 'certificate');
\x off
SELECT "check", status IN ('ok', 'warning', 'problem') AS checked, detail IS NOT NULL AS has_detail FROM mpc.node_status() WHERE "check" IN ('workers', 'worker slots');
SELECT status, detail = format('library and extension have version %s', extversion) AS named, hint FROM mpc.node_status(), pg_extension WHERE "check" = 'version' AND extname = 'pg_mpc';
-- every warning and every problem comes with a hint
SELECT "check" FROM mpc.node_status() WHERE status <> 'ok' AND hint IS NULL;
