-- Running studies: answers of a node without peers (TAP tests run studies).
\set VERBOSITY terse
\set SHOW_CONTEXT never
-- the coordinator answers, and detects the extension without a restart
SELECT mpc_internal.coordinator_status() ->> 'party' AS party, mpc_internal.coordinator_status() ->> 'extension' AS extension,
       mpc_internal.coordinator_status() ->> 'engines' AS engines;
SELECT * FROM mpc.stat_study_progress;
-- unknown studies and peers
SELECT mpc.start_study('nowhere');
SELECT * FROM mpc.run_study('nowhere');
CALL mpc.run('nowhere');
CALL mpc.run(NULL);
SELECT mpc.rehearse('nowhere');
SELECT mpc.wait_for_study('nowhere');
SELECT mpc.wait_for_study('nowhere', '-1 s');
SELECT mpc.cancel_study('nowhere');
SELECT * FROM mpc.prepare('nowhere');
SELECT * FROM mpc.lasso('nowhere');
SELECT * FROM mpc.ping_peer('nowhere');
SELECT mpc.start_study(NULL) IS NULL AS strict;
-- without a snapshot only outside of a transaction block
BEGIN;
CALL mpc.run('nowhere');
ROLLBACK;
-- step functions accept names of steps only
SELECT * FROM mpc_internal.request_step('nowhere', 'dance', current_user::regrole);
