# Runs the isolation specs (concurrent sessions on one node) in a temporary, preloaded instance. Sourced by tools/check.
# shellcheck shell=bash
. tools/lib/check/regress.sh

check_isolation() {
  local specs=() spec status=0 tests program run
  for spec in test/isolation/specs/*.spec; do
    [ ! -f "$spec" ] || specs+=("$(basename "$spec" .spec)")
  done
  if [ ${#specs[@]} -eq 0 ]; then
    say "isolation: no specs in this version"
    return 0
  fi
  tree || return 0
  tests=$("$private_dir/pg_config" --pgxs)
  program=$(dirname "$(dirname "$tests")")/test/isolation/pg_isolation_regress
  run=$scratch/isolation
  cp -r test/isolation "$run"
  # Studies are in the database that pg_isolation_regress makes.
  sed "s/^pg_mpc.database.*/pg_mpc.database = 'isolation_regression'/" test/regress/preload.conf >"$run/preload.conf"
  [ "$(id -u)" -ne 0 ] || chown -R "$(unprivileged_user)" "$run"
  (cd "$run" && as_unprivileged env PATH="$private_bin:$PATH" "$program" --bindir="$private_bin" --inputdir=. \
    --outputdir=. --temp-instance=instance --temp-config=preload.conf --load-extension=pg_mpc "${specs[@]}") \
    >"$scratch/isolation.log" 2>&1 || status=$?
  [ "$status" -eq 0 ] || cat "$scratch/isolation/regression.diffs" >&2
  count_pg_regress "$scratch/isolation.log" "$status" isolation
}
