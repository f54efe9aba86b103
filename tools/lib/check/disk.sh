# What: a node whose disk is full (test/disk). Needs root: it mounts a small file system. Sourced by tools/check.
# shellcheck shell=bash

check_disk() {
  if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
    skip "mounting a file system needs root"
    return 0
  fi
  tree || return 0
  run_python_test disk full_disk "$private_bin"
}
