// Runs this node's part of one attempt, from the job to the result.
//
// Invariants
// After read() the server is not called any more. Losing the coordinator cancels the attempt. The outcome is sent to
// the coordinator as an event.
//
// Security
// Every secret is held by objects of the protocol thread. Their destructors destroy it before join() returns.
//
// Threads
// The protocol thread is the one thread that runs protocol/protocol.h. The main thread is the worker's. It is the only
// one that calls the server (to read the source) and that receives signals.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/cancel.h"
#include "ipc/local_socket.h"
#include "protocol/protocol.h"
#include "study/pace.h"
#include "worker/message.h"

namespace pgmpc {

class Engine {
 public:
  // Asks the coordinator for the job. lifeline_fd hangs up when the postmaster dies. progress() returns a count that
  // grows while the protocol thread or its pool works. Error(internal) when the coordinator does not answer.
  Engine(std::string attempt, CancelToken& cancel, std::uint64_t (*progress)(), int lifeline_fd);
  ~Engine();
  bool needs_source() const { return !third_party_; }
  void read();                              // main thread, with a database connection
  void start();                             // starts the protocol thread
  int done_fd() const { return done_fd_; }  // readable when the protocol thread has ended or makes no progress
  // True in the second case. The thread cannot be joined, and the process must end without destroying this object.
  bool stalled() const { return stalled_; }
  pg::ErrorFields stall() const;
  bool join();  // waits for the protocol thread; true when the study was released here
  // Sends the failure to the coordinator. left: the peer because of which the attempt ends; empty: none, or unknown.
  void report_failure(const pg::ErrorFields& error, const std::string& left = "") noexcept;

 private:
  class Observer;

  void run() noexcept;
  Json run_protocol();
  int party_that_left();  // index; -1: unknown
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
  // The peer because of which the attempt ends, as the coordinator or the channel says. Protocol thread only.
  std::string left_;
  bool third_party_ = false, manual_ = false, rehearsal_ = false, released_ = false;
  std::string commitments_;
  Source source_;
  std::thread thread_;
};

}  // namespace pgmpc
