# Searches all files and all memory of three nodes for the secrets of a study after every step (test/erasure). Needs root,
# because engines are not dumpable. Sourced by tools/check.
# shellcheck shell=bash

# witness_tree: makes a second private tree, whose module writes its secrets into files for the test.
witness_tree() {
  tree || return 1
  witness_dir=$scratch/pg_witness
  local log=$scratch/witness.log
  mkdir -p build-witness
  # Only the core differs. The lock is the one of tools/private_pg.
  flock .build.lock make -s -j"$(jobs)" PG_CONFIG="$private_dir/pg_config" CORE_BUILD=build-core-witness \
    CORE_OPTIONS=-DPG_MPC_WITNESS=ON MODULE_big=build-witness/pg_mpc build-witness/pg_mpc.so >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    say "not ok: the build for the erasure test fails"
    count 0 1 0
    return 1
  }
  mkdir -p "$witness_dir"
  cp -a "$private_dir/." "$witness_dir/"
  witness_bin=$witness_dir${private_bin#"$private_dir"}
  cp build-witness/pg_mpc.so "$("$witness_bin/pg_config" --pkglibdir)/pg_mpc.so"
}

# no_witness_in_production: checks that the production module cannot write secrets into files.
no_witness_in_production() {
  ! grep -q PG_MPC_WITNESS "$("$private_bin/pg_config" --pkglibdir)/pg_mpc.so" &&
    grep -q PG_MPC_WITNESS "$("$witness_bin/pg_config" --pkglibdir)/pg_mpc.so"
}

# no_shared_memory: checks that the module calls no function for named or dynamic shared memory.
no_shared_memory() {
  local called
  called=$(nm -D --undefined-only "$("$private_bin/pg_config" --pkglibdir)/pg_mpc.so") || return 1
  grep -q errfinish <<<"$called" && ! grep -E ' (dsm_|dsa_|shm_|Shmem|RequestAddinShmem|shmget|memfd_create)' <<<"$called"
}

check_erasure() {
  local test
  root_or_skip "the erasure test reads the memory of engines and needs root" || return 0
  witness_tree || return 0
  check "the scanner builds" g++ -std=c++20 -O2 -Wall -Wextra -o "$scratch/scan" test/erasure/scan.cpp
  check "the module that users get has no witness" no_witness_in_production
  check "the module asks for no shared memory" no_shared_memory
  for test in erasure crash; do
    [[ $test == *"${PG_MPC_ERASURE:-}"* ]] || continue
    run_python_test erasure "$test" "$witness_bin" "$scratch/scan"
  done
}
