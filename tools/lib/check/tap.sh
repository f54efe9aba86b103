# What: the tests with three real servers, t/*.pl. Sourced by tools/check.
# They run in a copy, as the unprivileged user, with the private PostgreSQL tree first on the path.
# shellcheck shell=bash

# tap_environment NAME COMMAND...: runs it in the copy; NAME has a directory of its own there for its servers.
tap_environment() {
  local tests run=$scratch/tap/run/$1
  shift
  tests=$(dirname "$(dirname "$("$private_dir/pg_config" --pgxs)")")/test
  (cd "$scratch/tap" && as_unprivileged env PATH="$private_bin:$PATH" PG_REGRESS="$tests/regress/pg_regress" \
    TESTDIR="$run" TESTDATADIR="$run/tmp_check" TESTLOGDIR="$run/tmp_check/log" PG_TEST_PORT_DIR="$scratch/tap/run/ports" \
    ${PG_MPC_FROM:+"PG_MPC_FROM=$PG_MPC_FROM"} PG_MPC_FULL="${PG_MPC_FULL:-}" PGPORT=65432 LC_ALL=C.UTF-8 PERL5LIB="$tests/perl:$scratch/tap/t/lib" "$@")
}

prepare_tap() {
  tree || return 1
  rm -rf "$scratch/tap"
  mkdir "$scratch/tap"
  mkdir -p "$scratch/tap/tools" "$scratch/tap/test" "$scratch/tap/run/ports"
  cp -r t data "$scratch/tap/"
  cp -r tools/lib "$scratch/tap/tools/"
  cp -r test/vectors "$scratch/tap/test/"
  [ "$(id -u)" -ne 0 ] || chown -R "$(unprivileged_user)" "$scratch/tap"
}

# The tests mostly wait for each other's servers: two at a time. Those that were added last are the longest: they begin.
check_tap() {
  local test tests=() name ok bad
  prepare_tap || return 0
  for test in t/*.pl; do
    [[ -z ${PG_MPC_TAP:-} || $test == *$PG_MPC_TAP* ]] || continue
    tests=("$test" "${tests[@]}")
  done
  for test in "${tests[@]}"; do
    while [ "$(builtin jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
    run_tap_test "$test" &
  done
  wait
  for test in "${tests[@]}"; do
    name=$(basename "$test" .pl)
    read -r ok bad <"$scratch/$name.result"
    count "$ok" "$bad" 0
  done
}

# run_tap_test FILE: runs in the background; its result is a file.
run_tap_test() {
  local name status=0 ok bad
  name=$(basename "$1" .pl)
  as_unprivileged mkdir "$scratch/tap/run/$name"
  tap_environment "$name" prove -v "$1" >"$scratch/$name.log" 2>&1 || status=$?
  ok=$(grep -cE '^ok [0-9]+' "$scratch/$name.log" || true)
  bad=$(grep -cE '^not ok [0-9]+' "$scratch/$name.log" || true)
  [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
  echo "$ok $bad" >"$scratch/$name.result"
  say "$1: $ok passed, $bad failed"
  grep -E '^# measured' "$scratch/$name.log" >&2 || true
  [ "$bad" -eq 0 ] || show_tap_failure "$name"
  as_root rm -rf "$scratch/tap/run/$name"
}

# show_tap_failure NAME: what the test said, and the end of each server's log.
show_tap_failure() {
  local log
  grep -vE '^ok [0-9]+' "$scratch/$1.log" | tail -n 60 >&2
  for log in "$scratch/tap/run/$1"/tmp_check/log/*_*.log; do
    [ -f "$log" ] || continue
    say "--- $(basename "$log")"
    tail -n 25 "$log" >&2
  done
}
