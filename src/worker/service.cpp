// Implements listener and coordinator as services.
#include "worker/service.h"

#include "pg/workers.h"
#include "worker/coordinator.h"
#include "worker/listener.h"

namespace pgmpc {
namespace {

// Longest busy-polling between two checks of signals, latch and the postmaster's death.
constexpr std::chrono::microseconds kMostBusyPoll{1000};

void log_current(const char* what) { pg::log_warning(std::string(what) + ": " + pg::current_error().message); }

template <typename T>
int step(void* object) {
  T* self = static_cast<T*>(object);
  try {
    self->loop().step(0);
    self->loop().run_busy_polling(kMostBusyPoll);
  } catch (...) {
    log_current("event failed");
  }
  return self->loop().timeout_ms();
}

template <typename T>
void settings_changed(void* object) {
  try {
    static_cast<T*>(object)->settings_changed();
  } catch (...) {
    log_current("could not apply the settings");
  }
}

template <typename T>
void latch_was_set(void* object) {
  try {
    static_cast<T*>(object)->latch_was_set();
  } catch (...) {
    log_current("could not supervise the engines");
  }
}

template <typename T>
bool open(Service* service) noexcept {
  try {
    T* object = new T();
    *service = {object, object->loop().fd(), step<T>, settings_changed<T>, latch_was_set<T>};
    return true;
  } catch (...) {
    log_current("could not start");
    return false;
  }
}

}  // namespace

bool open_listener(Service* service) noexcept { return open<Listener>(service); }
bool open_coordinator(Service* service) noexcept { return open<Coordinator>(service); }

}  // namespace pgmpc
