-- The part of the next upgrade script that cannot be derived: changed tables, removed objects, data.
--
-- New columns are added at the end, so that dumps of new and of upgraded nodes have the same columns.
-- tools/lib/upgrade_script.py derives functions, views, comments and privileges. t/013_upgrade.pl compares the result
-- with a fresh install.
--
-- Invariants
-- Decisions of parties and entries of the ledger are never rewritten.

-- Rows of fits and coefficients stay where they are (58_old_results.sql).
DROP FUNCTION mpc_internal.belongs(jsonb, bigint, jsonb);
DROP FUNCTION mpc_internal.require_own_result(text, jsonb, bigint, jsonb);
DROP FUNCTION mpc_internal.settle_release(text, integer, text, jsonb, integer, text);
DROP FUNCTION mpc_internal.lambdas_in(jsonb);
DROP FUNCTION mpc_internal.one_lambda(text, integer, float8);

-- Their rows now have a named type.
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
