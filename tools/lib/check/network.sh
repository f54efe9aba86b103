# Tests network partitions between nodes in network namespaces (test/network). Needs root. Sourced by tools/check.
# shellcheck shell=bash

check_network() {
  root_or_skip "network namespaces need root" || return 0
  need_packages iproute2
  tree || return 0
  run_python_test network partition "$private_bin"
}
