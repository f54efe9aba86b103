# What: nodes in network namespaces of their own: partitions and healing (test/network). Needs root. Sourced by tools/check.
# shellcheck shell=bash

check_network() {
  if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
    skip "network namespaces need root"
    return 0
  fi
  need_packages iproute2
  tree || return 0
  run_python_test network partition "$private_bin"
}
