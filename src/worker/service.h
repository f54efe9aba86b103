// What: the seam between the static workers' main functions (PostgreSQL) and their C++ objects.
// Terms: service = a listener or coordinator behind plain functions.
// Invariants: no function throws or raises; none is called from a signal handler; a service lives until the process
//             exits and is never destroyed (the operating system takes it back, with its sockets).
#pragma once

namespace pgmpc {

struct Service {
  void* object;
  int fd;  // readable when step() has something to do
  // One round of the event loop. Returns how many milliseconds may pass until the next one (-1: any).
  int (*step)(void* object);
  void (*settings_changed)(void* object);
  void (*latch_was_set)(void* object);
};

// False: the reason has been logged; the worker should exit and be restarted.
bool open_listener(Service* service) noexcept;
bool open_coordinator(Service* service) noexcept;

}  // namespace pgmpc
