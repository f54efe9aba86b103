// What: registering, watching and ending PostgreSQL background workers, callable from C++ code with live destructors.
// Terms: engine = the dynamic worker of one attempt; its attempt id travels in bgw_extra.
// Invariants: no function raises; a handle is valid until forget_engine.
#pragma once
#include <string>

namespace pgmpc::pg {

struct EngineHandle;
enum class EngineStatus { starting, running, stopped };

// Registers listener and coordinator. Only while shared_preload_libraries is processed.
void register_static_workers();

// nullptr when no worker slot is free. The calling process gets a signal (its latch) when the engine starts or stops.
EngineHandle* start_engine(const std::string& attempt, const std::string& study) noexcept;
EngineStatus engine_status(EngineHandle* handle, int* pid) noexcept;
// SIGTERM: the engine cancels itself, destroys its secrets and exits.
void terminate_engine(EngineHandle* handle) noexcept;
void forget_engine(EngineHandle* handle) noexcept;

// Lines in the server log. Never ERROR.
void log_line(const std::string& line) noexcept;
void log_warning(const std::string& line) noexcept;

}  // namespace pgmpc::pg
