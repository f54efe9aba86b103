#include "mpc/task_group.h"

#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/cleansing_heap.h"
#include "base/error.h"

namespace pgmpc {

namespace {
struct Unwind {};  // thrown inside a cancelled task
constexpr int kNobody = -1, kTurn = -2;
}  // namespace

struct TaskGroup::Task {
  enum class Status { runnable, in_round, joining, finished };
  int id = 0;
  Status status = Status::runnable;
  Exchange* round = nullptr;  // while in_round
  Handle target;              // while joining
  bool cancelled = false;
  std::condition_variable turn;  // the baton has come: each task waits for itself, so that passing wakes one thread
  std::function<void()> body;
  std::thread thread;
};

struct TaskGroup::State {
  Session& session;
  std::mutex mutex;
  std::condition_variable unwound;  // a cancelled task has finished
  std::vector<Handle> tasks;        // by id; finished ones stay until the end
  int baton = 0;                    // id of the running task; kTurn: task 0 does the network round
  std::exception_ptr failure;

  explicit State(Session& s) : session(s) {}

  // Passes the baton on from a task that has just blocked or finished.
  void advance(int after) {
    for (;;) {
      for (const Handle& task : tasks)
        if (task->id > after && task->status == Task::Status::runnable) return pass(task->id);
      bool woken = false;
      for (const Handle& task : tasks)
        if (task->status == Task::Status::joining && task->target->status == Task::Status::finished) {
          task->status = Task::Status::runnable;
          task->target.reset();
          woken = true;
        }
      if (!woken) return pass(kTurn);
      after = kNobody;
    }
  }

  void pass(int to) {
    baton = to;
    if (to == kNobody)
      unwound.notify_all();
    else
      tasks[to == kTurn ? 0 : static_cast<std::size_t>(to)]->turn.notify_one();
  }

  // Blocks the running task until it has the baton again.
  void wait_turn(std::unique_lock<std::mutex>& lock, Task& self) {
    for (;;) {
      self.turn.wait(lock, [&] { return baton == self.id || (self.id == 0 && (baton == kTurn || failure)); });
      if (self.cancelled) throw Unwind{};
      if (self.id == 0 && failure) std::rethrow_exception(failure);
      if (baton == self.id) return;
      network_round(lock);
    }
  }

  // All live tasks wait: their messages, in the order of their ids, make one message per peer. Only in task 0's thread.
  void network_round(std::unique_lock<std::mutex>& lock) {
    std::vector<Task*> waiting;
    for (const Handle& task : tasks)
      if (task->status == Task::Status::in_round) waiting.push_back(task.get());
    if (waiting.empty()) throw Error(ErrorCode::internal, "all tasks of a group wait for each other");
    Exchange all;
    for (Task* task : waiting) {
      session.book_traffic(*task->round);
      for (int peer = 0; peer < kParties; ++peer) {
        Bytes& out = task->round->out[peer];
        all.out[peer].insert(all.out[peer].end(), out.begin(), out.end());
        all.expected[peer] += task->round->expected[peer];
      }
    }
    lock.unlock();
    session.exchange_now(all);
    lock.lock();
    std::array<std::size_t, kParties> at{};
    for (Task* task : waiting) {
      for (int peer = 0; peer < kParties; ++peer) {
        const auto first = all.in[peer].begin() + static_cast<std::ptrdiff_t>(at[peer]);
        at[peer] += task->round->expected[peer];
        task->round->in[peer].assign(first, all.in[peer].begin() + static_cast<std::ptrdiff_t>(at[peer]));
      }
      task->status = Task::Status::runnable;
      task->round = nullptr;
    }
    advance(kNobody);
  }

  void run(const Handle& task) noexcept {
    {
      std::unique_lock lock(mutex);
      task->turn.wait(lock, [&] { return baton == task->id; });
    }
    try {
      if (!task->cancelled) task->body();
    } catch (const Unwind&) {
      // cancelled: nothing to report
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
    task->body = nullptr;
    cleanse_stack();
    std::lock_guard lock(mutex);
    task->status = Task::Status::finished;
    if (task->cancelled)
      pass(kNobody);  // back to whoever cancelled
    else if (failure)
      pass(0);
    else
      advance(task->id);
  }

  // The calling task holds the baton `own`; unwinds another one and takes the baton back.
  void unwind(std::unique_lock<std::mutex>& lock, const Handle& task, int own) {
    if (task->status != Task::Status::finished) {
      task->cancelled = true;
      pass(task->id);
      unwound.wait(lock, [&] { return task->status == Task::Status::finished; });
      baton = own;
    }
    lock.unlock();
    if (task->thread.joinable()) task->thread.join();
    lock.lock();
  }
};

TaskGroup::TaskGroup(Session& session) : state_(std::make_unique<State>(session)) {
  state_->tasks.push_back(std::make_shared<Task>());
  session.group_ = this;
}

TaskGroup::~TaskGroup() {
  state_->session.group_ = nullptr;
  std::unique_lock lock(state_->mutex);
  // Newest first: a task may still use what an older one lent it.
  for (std::size_t i = state_->tasks.size(); i-- > 1;) {
    const Handle task = state_->tasks[i];
    state_->unwind(lock, task, 0);
  }
}

TaskGroup::Handle TaskGroup::spawn(std::function<void()> body) {
  auto task = std::make_shared<Task>();
  task->body = std::move(body);
  std::lock_guard lock(state_->mutex);
  task->id = static_cast<int>(state_->tasks.size());
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    task->thread = std::thread([state = state_.get(), task] { state->run(task); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  state_->tasks.push_back(task);
  return task;
}

bool TaskGroup::done(const Handle& task) const {
  std::lock_guard lock(state_->mutex);
  return task->status == Task::Status::finished;
}

void TaskGroup::join(const Handle& task) {
  std::unique_lock lock(state_->mutex);
  if (task->status == Task::Status::finished) return;
  Task& self = *state_->tasks.at(static_cast<std::size_t>(state_->baton));
  self.status = Task::Status::joining;
  self.target = task;
  state_->advance(self.id);
  state_->wait_turn(lock, self);
}

void TaskGroup::cancel(const Handle& task) {
  std::unique_lock lock(state_->mutex);
  state_->unwind(lock, task, state_->baton);
}

void TaskGroup::exchange(Exchange& round) {
  std::unique_lock lock(state_->mutex);
  Task& self = *state_->tasks.at(static_cast<std::size_t>(state_->baton));
  self.status = Task::Status::in_round;
  self.round = &round;
  state_->advance(self.id);
  state_->wait_turn(lock, self);
}

}  // namespace pgmpc
