# Runs every libFuzzer target of test/fuzz for a bounded time on its corpus, under ASan and UBSan. Sourced by tools/check.
# shellcheck shell=bash

check_fuzz() {
  # All targets together take about two minutes, in the full run half an hour.
  local targets=(test/fuzz/*.cpp) total=130 seconds source name corpus work
  [ -z "${PG_MPC_FULL:-}" ] || total=1800
  seconds=$((total / ${#targets[@]}))
  need_packages "${clang_packages[@]}"
  configure_core build-fuzz -DPG_MPC_FUZZ=ON -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang \
    -DCMAKE_BUILD_TYPE=Sanitize "-DCMAKE_CXX_FLAGS_SANITIZE=-O1 -g1" \
    -DPG_MPC_SANITIZE=fuzzer-no-link,address,undefined || return 0
  for source in "${targets[@]}"; do
    name=$(basename "$source" .cpp)
    corpus=test/fuzz/corpus/${name#fuzz_}
    work=$scratch/corpus_$name
    mkdir -p "$work"
    [ ! -d "$corpus" ] || cp -r "$corpus/." "$work/"
    check "fuzz $name, $seconds s" "build-fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
      -artifact_prefix="$scratch/" "$work"
  done
}
