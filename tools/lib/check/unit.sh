# Runs the unit tests of the core, in a build with test hooks. Sourced by tools/check.
# shellcheck shell=bash

# run_ctest DIR OPTION...: runs the tests of a build directory and counts each of them.
run_ctest() {
  local dir=$1 result log
  shift
  result=$scratch/$(basename "$dir").xml log=$scratch/$(basename "$dir").ctest
  ctest --test-dir "$dir" --parallel "$(nproc)" --output-on-failure --output-junit "$result" "$@" >"$log" 2>&1 || true
  local numbers
  if ! numbers=$(python3 tools/lib/check/junit_counts.py "$result"); then
    tail -n 40 "$log" >&2
    say "not ok: the tests of $dir did not run"
    count 0 1 0
    return
  fi
  local ok bad left
  read -r ok bad left <<<"$numbers"
  [ "$bad" -eq 0 ] || grep -vE '^ *[0-9]+/[0-9]+ Test.*Passed|^ *Start' "$log" | head -n 200 >&2
  count "$ok" "$bad" 0
  while [ "$left" -gt 0 ]; do
    skip "a unit test of $dir: $(grep -m1 -o 'Skipped.*' "$log" || echo 'see ctest')"
    left=$((left - 1))
  done
  say "$dir: $ok passed, $bad failed"
}

check_unit() {
  configure_core build-check -DPG_MPC_TESTING=ON || return 0
  run_ctest build-check
}
