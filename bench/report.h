// Reports what a benchmark program has measured: one JSON object per line on standard output.
//
// Terms
// The ratio says how many times better the value is than the baseline of the same run. It is null without a baseline.
//
// Use
// Program arguments select benchmarks by name, or by the beginning of a name up to a dot. Without arguments all run.
#pragma once
#include <time.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmpc::bench {

class Selection {
 public:
  Selection(int argc, char** argv) : names_(argv + 1, argv + argc) {}

  // Tells whether an argument selects the benchmark: its name, a prefix up to a dot, or a name below it.
  bool wants(std::string_view name) const {
    if (names_.empty()) return true;
    for (const std::string& asked : names_) {
      if (name == asked || below(name, asked) || below(asked, name)) return true;
    }
    return false;
  }

 private:
  static bool below(std::string_view name, std::string_view group) {
    return name.size() > group.size() && name.starts_with(group) && name[group.size()] == '.';
  }
  std::vector<std::string> names_;
};

// The main function of a benchmark program. Returns its exit code.
inline int run_selected(const char* program, int argc, char** argv, const std::function<void(const Selection&)>& run) {
  try {
    run(Selection(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program, error.what());
    return 1;
  }
}

struct Baseline {
  std::string name;
  double value = 0;
};

enum class Better { more, less };

inline void report(const std::string& name, double value, const std::string& unit, const Baseline& baseline,
                   Better better) {
  const double ratio = better == Better::more ? value / baseline.value : baseline.value / value;
  std::printf(
      "{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"baseline\":\"%s\",\"baseline_value\":%.6g,\"ratio\":%.4g}\n",
      name.c_str(), value, unit.c_str(), baseline.name.c_str(), baseline.value, ratio);
  std::fflush(stdout);
}

inline void report(const std::string& name, double value, const std::string& unit) {
  std::printf(
      "{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"baseline\":null,\"baseline_value\":null,\"ratio\":null}\n",
      name.c_str(), value, unit.c_str());
  std::fflush(stdout);
}

inline double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Returns the processor time of this thread, which excludes waiting on a busy machine.
inline double cpu_seconds_of(const std::function<void()>& body) {
  auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double start = now();
  body();
  return now() - start;
}

}  // namespace pgmpc::bench
