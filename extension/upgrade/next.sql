-- What: the part of the next upgrade script that is written by hand: changed tables (new columns at the end, so that
--       dumps of new and of upgraded nodes fit each other), removed objects, data. Functions, views, comments and rights
--       follow by themselves (tools/lib/upgrade_script.py); t/013_upgrade.pl compares the result with a fresh install.
-- Invariants: what parties decided and what the ledger holds is never rewritten.

-- Rows of fits and coefficients stay where they are (58_old_results.sql).
DROP FUNCTION mpc_internal.belongs(jsonb, bigint, jsonb);
DROP FUNCTION mpc_internal.require_own_result(text, jsonb, bigint, jsonb);
DROP FUNCTION mpc_internal.settle_release(text, integer, text, jsonb, integer, text);
DROP FUNCTION mpc_internal.lambdas_in(jsonb);
DROP FUNCTION mpc_internal.one_lambda(text, integer, float8);

-- Their rows have a type with a name now.
DROP FUNCTION mpc_internal.request_run(text, oid);
DROP FUNCTION mpc_internal.request_step(text, text, oid);
DROP FUNCTION mpc_internal.run_study(oid, text);
DROP FUNCTION mpc.run_study(text);
DROP FUNCTION mpc_internal.run_step(oid, text, text);
DROP FUNCTION mpc.prepare(text);
DROP FUNCTION mpc.agree_key(text);
DROP FUNCTION mpc.scramble(text);
DROP FUNCTION mpc.push(text);
DROP FUNCTION mpc.match(text);
DROP FUNCTION mpc.mask(text);
DROP FUNCTION mpc.unmask(text);
DROP FUNCTION mpc.share(text);
DROP FUNCTION mpc.lasso(text);
