# Runs a whole server under valgrind's memcheck (postmaster, workers and backends) with regression tests: the functions of
# cryptography, peers, proposals, explain_study and check_source. Any report of memcheck fails, except those listed in
# test/memcheck/postgresql.supp. Normally the Paillier functions run once (test/memcheck/sql); the full run has their
# regression tests. Sourced by tools/lib/check/sanitize.sh.
# shellcheck shell=bash

memcheck_tests=(install keyed_hash shamir paillier parties study_state study_explain check_source)
memcheck_tests_full=(install keyed_hash shamir paillier_type paillier_agg errors parties study_state study_errors
  study_explain check_source disclosure)

# start_under_memcheck DIR: starts the server of DIR/data, whose processes log to DIR/report.PID.
# valgrind cannot run AVX-512, so the kernel is the one for AVX2, or the portable one where the processor has no AVX2.
start_under_memcheck() {
  local dir=$1 kernel=1
  ! grep -qw avx2 /proc/cpuinfo || kernel=avx2
  cat >"$dir/postgres" <<END
#!/bin/sh
exec env PG_MPC_PORTABLE=$kernel valgrind --quiet --leak-check=no --log-file='$dir/report.%p' \\
  --suppressions='$dir/postgresql.supp' '$private_bin/postgres' "\$@"
END
  chmod 0755 "$dir/postgres"
  as_unprivileged "$private_bin/initdb" -D "$dir/data" -U postgres -A trust --locale=C.UTF-8 -E UTF8 -N >/dev/null
  cat test/regress/preload.conf - <<END | as_unprivileged tee -a "$dir/data/postgresql.conf" >/dev/null
listen_addresses = ''
unix_socket_directories = '$dir'
port = 65433
fsync = off
END
  as_unprivileged "$private_bin/pg_ctl" start -w -t 120 -s -p "$dir/postgres" -D "$dir/data" -l "$dir/log"
}

# run_under_memcheck DIR TEST...
run_under_memcheck() {
  local dir=$1 pgxs
  shift
  pgxs=$(dirname "$(dirname "$("$private_dir/pg_config" --pgxs)")")
  as_unprivileged "$private_bin/createdb" -h "$dir" -p 65433 -U postgres regression
  (cd "$dir" && as_unprivileged env PATH="$private_bin:$PATH" "$pgxs/test/regress/pg_regress" --bindir="$private_bin" \
    --inputdir=. --outputdir=. --use-existing --host="$dir" --port=65433 --user=postgres --dbname=regression "$@")
}

# no_memcheck_report DIR: every process has a log, and all are empty.
no_memcheck_report() {
  local logs=("$1"/report.*)
  [ "${#logs[@]}" -ge 10 ] || { echo "only ${#logs[@]} processes ran under memcheck"; return 1; }
  [ -z "$(cat "${logs[@]}")" ] || { cat "${logs[@]}" | head -n 200; return 1; }
}

check_memcheck() {
  local dir=$scratch/backend status=0 tests=("${memcheck_tests[@]}")
  tree || return 0
  [ -z "${PG_MPC_FULL:-}" ] || tests=("${memcheck_tests_full[@]}")
  mkdir "$dir"
  cp -r sql expected test/memcheck/postgresql.supp "$dir/"
  cp test/memcheck/sql/* "$dir/sql/"
  cp test/memcheck/expected/* "$dir/expected/"
  [ "$(id -u)" -ne 0 ] || chown -R "$(unprivileged_user)" "$dir"
  check "a server starts under memcheck" start_under_memcheck "$dir"
  run_under_memcheck "$dir" "${tests[@]}" >"$dir.log" 2>&1 || status=$?
  [ "$status" -eq 0 ] || cat "$dir/regression.diffs" >>"$dir.log" || true
  as_unprivileged "$private_bin/pg_ctl" stop -w -t 120 -s -m fast -D "$dir/data" || true
  count_pg_regress "$dir.log" "$status" "regress under memcheck"
  check "memcheck reports nothing" no_memcheck_report "$dir"
}
