// What: how a benchmark program says what it measured: one JSON object per line on standard output.
// Terms: ratio = how many times better than the baseline measured in the same run; null where none runs.
// Names given as program arguments choose what runs: a name, or the beginning of one up to a dot; none: everything.
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

  // True when the benchmark is asked for, by its name, a prefix of it, or anything below it.
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

// The main function of a benchmark program.
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

// Processor time of this thread: on a busy machine it says what a body costs, not how long it had to wait.
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
