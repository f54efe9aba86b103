# Runs the tests with three real servers, t/*.pl. Sourced by tools/check.
# They run in a copy, as the unprivileged user, with the private PostgreSQL tree first in PATH.
# shellcheck shell=bash

# tap_environment COMMAND...: runs it in the copy.
tap_environment() {
  local tests
  tests=$(dirname "$(dirname "$("$private_dir/pg_config" --pgxs)")")/test
  (cd "$scratch/tap" && as_unprivileged env PATH="$private_bin:$PATH" PG_REGRESS="$tests/regress/pg_regress" \
    ${PG_MPC_FROM:+"PG_MPC_FROM=$PG_MPC_FROM"} PG_MPC_FULL="${PG_MPC_FULL:-}" PGPORT=65432 LANG=C.UTF-8 LC_ALL=C.UTF-8 PERL5LIB="$tests/perl:$scratch/tap/t/lib" "$@")
}

prepare_tap() {
  tree || return 1
  rm -rf "$scratch/tap"
  mkdir "$scratch/tap"
  mkdir -p "$scratch/tap/tools" "$scratch/tap/test"
  cp -r t data "$scratch/tap/"
  cp -r tools/lib "$scratch/tap/tools/"
  cp -r test/vectors "$scratch/tap/test/"
  [ "$(id -u)" -ne 0 ] || chown -R "$(unprivileged_user)" "$scratch/tap"
}

check_tap() {
  local test name status ok bad
  prepare_tap || return 0
  for test in t/*.pl; do
    [[ -z ${PG_MPC_TAP:-} || $test == *$PG_MPC_TAP* ]] || continue
    name=$(basename "$test" .pl) status=0
    tap_environment prove -v "$test" >"$scratch/$name.log" 2>&1 || status=$?
    ok=$(grep -cE '^ok [0-9]+' "$scratch/$name.log" || true)
    bad=$(grep -cE '^not ok [0-9]+' "$scratch/$name.log" || true)
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    count "$ok" "$bad" 0
    say "$test: $ok passed, $bad failed"
    grep -E '^# measured' "$scratch/$name.log" >&2 || true
    [ "$bad" -eq 0 ] || show_tap_failure "$name"
    rm -rf "$scratch/tap/tmp_check"
  done
}

# show_tap_failure NAME: prints the output of the test and the end of each server log.
show_tap_failure() {
  local log
  grep -vE '^ok [0-9]+' "$scratch/$1.log" | tail -n 60 >&2
  for log in "$scratch"/tap/tmp_check/log/"$1"_*.log; do
    [ -f "$log" ] || continue
    say "--- $(basename "$log")"
    tail -n 25 "$log" >&2
  done
}
