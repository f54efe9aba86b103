# Tests a node whose disk is full (test/disk). Needs root, because it mounts a small file system. Sourced by tools/check.
# shellcheck shell=bash

check_disk() {
  root_or_skip "mounting a file system needs root" || return 0
  tree || return 0
  run_python_test disk full_disk "$private_bin"
}
