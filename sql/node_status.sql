-- mpc.node_status of a node that has no certificate yet; what the workers say depends on when they are asked.
\x on
SELECT "check", status, detail, hint FROM mpc.node_status() WHERE "check" IN ('preload', 'party', 'database', 'certificate');
\x off
SELECT "check", status IN ('ok', 'problem') AS checked, detail IS NOT NULL AS has_detail FROM mpc.node_status() WHERE "check" IN ('workers', 'worker slots');
-- every problem comes with a hint
SELECT "check" FROM mpc.node_status() WHERE status = 'problem' AND hint IS NULL;
