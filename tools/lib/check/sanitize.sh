# Runs tests under sanitizers. Sourced by tools/check.
#
# The unit tests and whole studies between three servers run under AddressSanitizer with UndefinedBehaviorSanitizer. The
# parts with threads (thread pool, network, task groups) run under ThreadSanitizer. The full run takes every unit test and
# whole studies through both. The constant-time test of the IFMA kernel runs under MemorySanitizer, and a server under
# memcheck.
# shellcheck shell=bash
. tools/lib/check/unit.sh
. tools/lib/check/regress.sh
. tools/lib/check/memcheck.sh

# The programs with threads or fibers, with their tests that use them. The other tests would only repeat the first part.
thread_tests=('base *' 'net *' 'mpc TaskGroup.*')

check_sanitize() {
  # -O1 and line tables only halve the compile time without losing findings.
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

# check_whole_study BUILD KIND RUNTIME...: runs studies between three servers with the module of that build, in a private
# tree; kind and libraries are arguments of test/sanitize/whole_study.py. The first library must be loaded first.
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

# run_thread_tests OPTION...: runs each program of thread_tests in a process of its own.
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

# thread_test PROGRAM FILTER: also fails when the filter selects no test.
thread_test() {
  "$1" --gtest_brief=1 --gtest_filter="$2" | tee "$scratch/thread_test.log" &&
    grep -qE '^\[  PASSED  \] [1-9]' "$scratch/thread_test.log"
}

# run_constant_time_test: tests the IFMA kernel under MemorySanitizer, because valgrind cannot run AVX-512 (the portable
# kernel runs under valgrind with the unit tests). Does nothing on a processor without the instructions.
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
