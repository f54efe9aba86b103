-- What: the part of the next upgrade script that is written by hand: changed tables (new columns at the end, so that
--       dumps of new and of upgraded nodes fit each other), removed objects, data. Functions, views, comments and rights
--       follow by themselves (tools/lib/upgrade_script.py); t/013_upgrade.pl compares the result with a fresh install.
-- Invariants: what parties decided and what the ledger holds is never rewritten.

ALTER TABLE mpc_internal.approvals ADD COLUMN source_records bigint;

-- Attempts reserve what they may take from the budget of a source.
ALTER TABLE mpc_internal.source_uses DROP CONSTRAINT source_uses_outcome_check;
ALTER TABLE mpc_internal.source_uses ADD CONSTRAINT source_uses_outcome_check
  CHECK (outcome IN ('running', 'released', 'refused', 'ended'));

DROP FUNCTION mpc_internal.record_use(text, text, text);
DROP FUNCTION mpc_internal.require_budget(jsonb, oid);
DROP FUNCTION mpc_internal.earlier_cohorts(oid);
DROP FUNCTION mpc_internal.source_digest(text, text, oid, text[], oid);
