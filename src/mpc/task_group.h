// Runs several parts of one computation in the same network rounds.
// Each task is ordinary blocking code on the session. When every live task waits for a round, their messages travel
// together: one message per peer.
//
// Terms
// task 0: the code that made the group; only it uses the channel.
// live: spawned and not finished.
//
// Invariants
// Exactly one task runs at a time. The order depends only on the calls below, so the same tasks meet in the same rounds
// at all three parties, and done() may steer the computation. Which tasks exist must depend on public values only.
//
// Threads
// All tasks run on the thread of task 0, each on a stack of its own (base/fiber.h). An analysis switches tasks some
// five hundred times, without waking a thread.
//
// Errors
// An exception of a task ends the group. It is rethrown in task 0 at its next round or join.
#pragma once
#include <functional>
#include <memory>

#include "mpc/session.h"

namespace pgmpc {

class TaskGroup {
 public:
  struct Task;
  using Handle = std::shared_ptr<Task>;

  explicit TaskGroup(Session& session);
  // Ends unfinished tasks by unwinding them. The session then runs its rounds alone again.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Adds a task. It starts when the caller next waits. Any task may spawn.
  Handle spawn(std::function<void()> body);
  // Returns whether the task has finished. If it can continue without another round, it does so first.
  bool done(const Handle& task);
  // Waits until the task has finished. Other tasks and rounds continue meanwhile.
  void join(const Handle& task);
  // A result that some task will produce: join() waits until fulfil() has been called.
  Handle promise();
  void fulfil(const Handle& promise);
  // Unwinds the task now. No party sends its messages of the coming round.
  void cancel(const Handle& task);

 private:
  friend class Session;
  struct State;
  void exchange(Exchange& round);  // called by Session::exchange in the running task
  std::unique_ptr<State> state_;
};

}  // namespace pgmpc
