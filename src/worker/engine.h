// What: the engine: this node's part of one attempt, from the job to the result.
// Terms: protocol thread = the one thread that runs protocol/protocol.h; main thread = the worker's, the only one that
//        calls the server (reading the source) and takes signals.
// Invariants: after read_source the server is not called any more; every secret lives in the protocol thread's
//             objects and is destroyed by their destructors before join() returns; the outcome goes to the coordinator
//             as an event; losing the coordinator cancels the attempt.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/cancel.h"
#include "ipc/local_socket.h"
#include "protocol/pace.h"
#include "protocol/protocol.h"
#include "worker/message.h"

namespace pgmpc {

class Engine {
 public:
  // Asks the coordinator for the job. lifeline_fd: hangs up when the postmaster dies.
  // progress: grows while the protocol thread or its pool gets anywhere.
  Engine(std::string attempt, CancelToken& cancel, std::uint64_t (*progress)(), int lifeline_fd);
  ~Engine();
  bool needs_source() const { return !third_party_; }
  void read();                              // main thread, with a database connection
  void start();                             // starts the protocol thread
  int done_fd() const { return done_fd_; }  // readable when the protocol thread has ended, or has gone astray
  // Then it cannot be joined: the process has to end without destroying this object.
  bool stalled() const { return stalled_; }
  pg::Fault stall() const;
  bool join();  // true when the study was released here
  // left: the peer because of which the attempt ends; empty: none, or unknown.
  void report_failure(const pg::Fault& fault, const std::string& left = "") noexcept;

 private:
  class Observer;

  void run() noexcept;
  Json run_protocol();
  int party_that_left();  // index, -1: unknown
  void send(const Json& event);

  std::string attempt_;
  CancelToken& cancel_;
  std::uint64_t (*progress_)();
  std::atomic<bool> stalled_{false};
  int lifeline_fd_, done_fd_ = -1;
  LocalConnection coordinator_;
  const PaceClock::time_point begun_ = PaceClock::now();
  Json job_;
  Spec spec_;
  // The peer because of which the attempt ends, as the coordinator or the channel says; protocol thread.
  std::string left_;
  bool third_party_ = false, manual_ = false, rehearsal_ = false, released_ = false;
  Source source_;
  std::thread thread_;
};

}  // namespace pgmpc
