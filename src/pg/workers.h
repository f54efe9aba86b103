// Registers, watches and ends PostgreSQL background workers.
//
// Terms
// An engine is the dynamic worker of one attempt. Its attempt id is in bgw_extra.
//
// Invariants
// No engine or log function raises, so that they can be called from C++ code with live destructors. A handle is valid
// until forget_engine.
#pragma once
#include <string>

namespace pgmpc::pg {

struct EngineHandle;
enum class EngineStatus { starting, running, stopped };

// Registers listener and coordinator. Call it only while shared_preload_libraries is processed.
void register_static_workers();

// Starts an engine. Returns nullptr when no worker slot is free. The calling process is signalled, which sets its
// latch, when the engine starts or stops.
EngineHandle* start_engine(const std::string& attempt, const std::string& study) noexcept;
// *pid is the process id of a running engine, else 0.
EngineStatus engine_status(EngineHandle* handle, int* pid) noexcept;
// Sends SIGTERM: the engine cancels itself, destroys its secrets and exits.
void terminate_engine(EngineHandle* handle) noexcept;
void forget_engine(EngineHandle* handle) noexcept;

// Write lines to the server log, at LOG and WARNING level.
void log_line(const std::string& line) noexcept;
void log_warning(const std::string& line) noexcept;

}  // namespace pgmpc::pg
