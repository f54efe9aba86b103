# Runs the SQL regression tests in a temporary, preloaded instance. Sourced by tools/check.
# shellcheck shell=bash

# count_pg_regress LOG STATUS WHAT: counts the results in the output of pg_regress, which is TAP from PostgreSQL 16 on.
count_pg_regress() {
  local log=$1 status=$2 what=$3 ok bad
  ok=$(grep -cE '^(test )?.*\.\.\. +ok( |$)|^ok [0-9]+' "$log" || true)
  bad=$(grep -cE '\.\.\. +FAILED|^not ok [0-9]+' "$log" || true)
  [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
  [ "$((ok + bad))" -gt 0 ] || bad=1
  [ "$bad" -eq 0 ] || tail -n 200 "$log" >&2
  say "$what: $ok passed, $bad failed"
  count "$ok" "$bad" 0
}

check_regress() {
  local status=0
  tree || return 0
  make -s installcheck PG_CONFIG="$private_dir/pg_config" >"$scratch/regress.log" 2>&1 || status=$?
  count_pg_regress "$scratch/regress.log" "$status" regress
}
