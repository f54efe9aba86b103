# Runs the attacks of the second security review on three nodes, each with one rule on and the others off (test/attacks).
# shellcheck shell=bash

check_attacks() {
  need_packages python3-numpy
  tree || return 0
  run_python_test attacks attacks "$private_bin"
  # Figures of all attacks, also of those that failed.
  grep -E '^(ok [0-9]+|figure:)' "$scratch/attacks.log" >&2 || true
}
