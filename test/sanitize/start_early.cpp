// What: a library that is loaded beside the runtimes of sanitizers, before a server that was built without them, and
//       has them start in time.
// Why:  AddressSanitizer and ThreadSanitizer start with the first allocation. In a server that is one of libp11-kit
//       (through libpq, libldap and libgnutls), made within newlocale(), which holds the lock of the locale; the start
//       looks up symbols that are not there, dlerror() translates its message, takes the same lock, and the lock is
//       broken or waited for: the server, or its next setlocale() or bindtextdomain(), waits for ever.
//       UndefinedBehaviorSanitizer starts with its first finding, and reads its options in /proc/self/environ, which
//       the server has overwritten by then (there it shows its title).
// Invariants: linked with -z initfirst, so that its constructor comes before those of all other libraries; loaded
//             before UndefinedBehaviorSanitizer, which otherwise asks itself for default options.
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {
void* volatile allocated;  // volatile: or the compiler drops the pair of calls
std::array<char, 4096> options;
}  // namespace

// So early getenv() finds nothing yet.
[[gnu::constructor]] static void start_early(int, char**, char** environment) {
  allocated = std::malloc(1);
  std::free(allocated);
  constexpr std::string_view kName = "UBSAN_OPTIONS=";
  for (; *environment != nullptr; ++environment)
    if (std::string_view(*environment).starts_with(kName))
      std::strncpy(options.data(), *environment + kName.size(), options.size() - 1);
}

// Asked by the runtime when it starts.
extern "C" [[gnu::visibility("default")]] const char* __ubsan_default_options() { return options.data(); }
