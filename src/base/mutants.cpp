#include "base/mutants.h"

#ifdef PG_MPC_TESTING
#include <cstdlib>
#include <limits>
#include <string_view>
#include <thread>

namespace pgmpc {

Mutant mutant_of_environment() noexcept {
  const char* wanted = std::getenv("PG_MPC_MUTANT");
  const std::string_view name = wanted == nullptr ? "" : wanted;
  if (name == "reads_past_block") return Mutant::reads_past_block;
  if (name == "overflows") return Mutant::overflows;
  if (name == "races") return Mutant::races;
  return Mutant::none;
}

// Commits the error of the active mutant. volatile keeps the compiler from noticing or removing it.
void do_what_sanitizers_find() noexcept {
  if (mutant(Mutant::reads_past_block)) {
    volatile std::size_t behind = 16;
    const Bytes block(16);
    [[maybe_unused]] volatile std::uint8_t read = block.data()[behind];
  }
  if (mutant(Mutant::overflows)) {
    volatile int largest = std::numeric_limits<int>::max();
    [[maybe_unused]] volatile int sum = largest + 1;
  }
  if (mutant(Mutant::races)) {
    volatile int number = 0;
    std::thread other([&] { number = 1; });
    number = 2;
    other.join();
  }
}

}  // namespace pgmpc
#endif
