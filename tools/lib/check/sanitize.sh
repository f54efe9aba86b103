# What: the unit tests and whole studies between three servers under AddressSanitizer with UndefinedBehaviorSanitizer, the
#       parts with threads (thread pool, network, task groups) under ThreadSanitizer (the full run takes every unit test
#       and whole studies through both), the constant-time test of the IFMA kernel under MemorySanitizer, and a server under memcheck.
#       Sourced by tools/check.
# shellcheck shell=bash
. tools/lib/check/unit.sh
. tools/lib/check/regress.sh
. tools/lib/check/memcheck.sh

# The programs with threads or fibers, with the tests of each that have them: the others would only repeat the first half.
thread_tests=('base *' 'net *' 'mpc TaskGroup.*')

check_sanitize() {
  # -O1 and line tables only: half the time to compile, and the same findings.
  local options=(-DPG_MPC_TESTING=ON -DCMAKE_BUILD_TYPE=Sanitize '-DCMAKE_CXX_FLAGS_SANITIZE=-O1 -g1')
  export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  if configure_core build-asan "${options[@]}" -DPG_MPC_SANITIZE=address,undefined \
    "-DPG_MPC_MODULE=$(pg_config_path)"; then
    run_ctest build-asan
    check_whole_study build-asan address libasan.so libubsan.so libstdc++.so
  fi
  options+=(-DPG_MPC_SANITIZE=thread)
  if [ -n "${PG_MPC_FULL:-}" ]; then
    if configure_core build-tsan "${options[@]}" "-DPG_MPC_MODULE=$(pg_config_path)"; then
      run_ctest build-tsan
      check_whole_study build-tsan thread libtsan.so libstdc++.so
    fi
  else
    run_thread_tests "${options[@]}"
  fi
  run_constant_time_test
  check_memcheck
  unset ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
}

# check_whole_study BUILD KIND RUNTIME...: studies between three servers whose module is the one of that build, in a tree of
# their own; kind and libraries as test/sanitize/whole_study.py takes them. The first library must come first of all.
check_whole_study() {
  local build=$1 kind=$2 dir=$scratch/pg_$2 library runtime=() bin libraries
  shift 2
  tree || return 0
  cp -a "$private_dir" "$dir"
  bin=$dir${private_bin#"$private_dir"}
  libraries=$("$bin/pg_config" --pkglibdir)
  cp "$build/pg_mpc.so" "$build/start_early.so" "$libraries/"
  for library in "$@"; do
    runtime+=("$(realpath "$(g++ -print-file-name="$library")")")
  done
  run_python_test sanitize whole_study "$bin" "$kind" "${runtime[0]}" "$libraries/start_early.so" "${runtime[@]:1}"
}

# run_thread_tests OPTION...: each program of thread_tests, a process of its own.
run_thread_tests() {
  local each name filter core_targets=()
  for each in "${thread_tests[@]}"; do
    core_targets+=("test_${each%% *}")
  done
  configure_core build-tsan "$@" || return 0
  for each in "${thread_tests[@]}"; do
    name=${each%% *} filter=${each#* }
    check "thread sanitizer, layer $name" thread_test "build-tsan/test_$name" "$filter"
  done
}

# thread_test PROGRAM FILTER: fails too when the filter no longer names a test.
thread_test() {
  "$1" --gtest_brief=1 --gtest_filter="$2" | tee "$scratch/thread_test.log" &&
    grep -qE '^\[  PASSED  \] [1-9]' "$scratch/thread_test.log"
}

# run_constant_time_test: the IFMA kernel under MemorySanitizer, because valgrind cannot run AVX-512 (the portable kernel
# runs under valgrind with the unit tests). Where the processor lacks the instructions there is nothing to test.
run_constant_time_test() {
  local core_targets=(ctime_paillier)
  if ! grep -qw avx512ifma /proc/cpuinfo; then
    say "no AVX512-IFMA here: its constant-time test does not apply"
    return 0
  fi
  need_packages "${clang_packages[@]}"
  configure_core build-msan -DPG_MPC_TESTING=ON -DPG_MPC_SANITIZE=memory -DCMAKE_CXX_COMPILER=clang++ \
    -DCMAKE_BUILD_TYPE=Sanitize '-DCMAKE_CXX_FLAGS_SANITIZE=-O1 -g1' || return 0
  run_ctest build-msan -R ctime
}
