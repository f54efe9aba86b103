# Runs the blocks of docs/quickstart.md on three machines with Debian clusters (test/quickstart). Needs root. Sourced by
# tools/check.
# shellcheck shell=bash

check_quickstart() {
  root_or_skip "namespaces of mounts, processes and networks need root" || return 0
  if ! as_root unshare --mount --propagation unchanged true 2>/dev/null; then
    skip "this system lets root make no mount namespace"
    return 0
  fi
  need_packages iproute2 mount
  tree || return 0
  run_python_test quickstart quickstart "$PWD" "$(pg_major)"
}
