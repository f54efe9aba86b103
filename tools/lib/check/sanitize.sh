# What: the unit tests under AddressSanitizer with UndefinedBehaviorSanitizer, and those of the layers that use
#       threads under ThreadSanitizer. Sourced by tools/check.
# shellcheck shell=bash
. tools/lib/check/unit.sh

check_sanitize() {
  export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  if configure_core build-asan -DPG_MPC_TESTING=ON -DPG_MPC_SANITIZE=address,undefined; then
    run_ctest build-asan
  fi
  if configure_core build-tsan -DPG_MPC_TESTING=ON -DPG_MPC_SANITIZE=thread; then
    if [ -n "${PG_MPC_FULL:-}" ]; then
      run_ctest build-tsan
    else
      run_thread_tests
    fi
  fi
  unset ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
}

# run_thread_tests: the programs test_base and test_net, each a process of its own.
run_thread_tests() {
  local name
  for name in base net; do
    [ -x "build-tsan/test_$name" ] || continue
    check "thread sanitizer, layer $name" "build-tsan/test_$name" --gtest_brief=1
  done
}
