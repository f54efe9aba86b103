// Separates the static workers' main functions (PostgreSQL) from their C++ objects.
//
// Terms
// A service is a listener or coordinator behind plain functions.
//
// Invariants
// No function throws or raises, and none is called from a signal handler. A service exists until the process exits and
// is never destroyed; the operating system reclaims its memory and sockets.
#pragma once

namespace pgmpc {

struct Service {
  void* object;
  int fd;  // readable when step() has something to do
  // Runs one round of the event loop. Returns the milliseconds until the next round is due (-1: none is).
  int (*step)(void* object);
  void (*settings_changed)(void* object);
  void (*latch_was_set)(void* object);
};

// False: the reason has been logged, and the worker should exit to be restarted.
bool open_listener(Service* service) noexcept;
bool open_coordinator(Service* service) noexcept;

}  // namespace pgmpc
