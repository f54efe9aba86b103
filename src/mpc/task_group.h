// What: several parts of one computation in the same network rounds. Each task is ordinary blocking code on the
// session;
//       whenever every live task waits for a round, their messages travel together: one message per peer.
// Terms: task 0 = whoever made the group (it alone touches the channel); live = spawned and not finished.
// Invariants: exactly one task runs at a time, in an order that depends on nothing but the calls below, so the same
//             tasks meet in the same rounds at all three parties; done() may therefore steer the computation.
//             Which tasks exist must depend on public values only. All tasks run on the thread of task 0, each on a
//             stack of its own (base/fiber.h): some five hundred turns per analysis cost no wake-up of a thread.
// Errors: an exception of a task ends the group: it is rethrown in task 0 at its next round or join.
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
  // Ends unfinished tasks (they unwind) and gives the session back.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts at the next point where the caller waits. Any task may spawn.
  Handle spawn(std::function<void()> body);
  // Whether the task has finished. If it can go on without another round, it does so first.
  bool done(const Handle& task);
  // Waits until the task has finished; other tasks and rounds go on meanwhile.
  void join(const Handle& task);
  // What some task brings about: join() waits until it has been fulfilled.
  Handle promise();
  void fulfil(const Handle& promise);
  // Unwinds the task now. Its messages of the coming round are not sent, by any party.
  void cancel(const Handle& task);

 private:
  friend class Session;
  struct State;
  void exchange(Exchange& round);  // from Session::exchange, in the running task
  std::unique_ptr<State> state_;
};

}  // namespace pgmpc
