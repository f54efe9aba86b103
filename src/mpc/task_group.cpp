#include "mpc/task_group.h"

#include <algorithm>
#include <exception>
#include <vector>

#include "base/cleansing_heap.h"
#include "base/error.h"
#include "base/fiber.h"

namespace pgmpc {

namespace {
struct Unwind {};  // thrown inside a cancelled task
constexpr int kNobody = -1;
}  // namespace

struct TaskGroup::Task {
  enum class Status { runnable, in_round, joining, watching, promised, finished };
  int id = 0;
  Status status = Status::runnable;
  Exchange* round = nullptr;  // while in_round
  Handle target;              // while joining or watching
  // Whether the wait of this task is over: the target has finished, or (watching) finished or blocked.
  bool over() const {
    return (status == Status::joining && target->status == Status::finished) ||
           (status == Status::watching && target->status != Status::runnable);
  }
  bool cancelled = false;
  Task* canceller = nullptr;  // continues when this task has unwound
  std::function<void()> body;
  std::unique_ptr<Fiber> fiber;
};

struct TaskGroup::State {
  Session& session;
  std::vector<Handle> tasks;  // by id; finished ones stay until the group ends
  Task* running = nullptr;
  bool round_due = false;  // task 0 is entered to run the network round
  std::exception_ptr failure;

  explicit State(Session& s) : session(s) {}

  // The task that continues after one that has just blocked or finished. Null: none can before the network round.
  Task* next_after(int after) {
    for (;;) {
      for (const Handle& task : tasks)
        if (task->id > after && task->status == Task::Status::runnable) return task.get();
      bool woken = false;
      for (const Handle& task : tasks)
        if (task->over()) {
          task->status = Task::Status::runnable;
          task->target.reset();
          woken = true;
        }
      if (!woken) return nullptr;
      after = kNobody;
    }
  }

  // Makes `next` (null: task 0, for the network round) the running task. The caller then enters the returned fiber.
  Fiber& hand_over(Task* next) {
    round_due = next == nullptr;
    running = round_due ? tasks[0].get() : next;
    return *running->fiber;
  }

  void go_to(Task* next, Task& from) {
    Fiber& fiber = hand_over(next);
    if (running != &from) fiber.enter(*from.fiber);
  }

  // Blocks the running task until it is its turn again.
  void wait_turn(Task& self) {
    for (go_to(next_after(self.id), self);; go_to(next_after(kNobody), self)) {
      if (self.cancelled) throw Unwind{};
      if (self.id == 0 && failure) std::rethrow_exception(failure);
      if (!round_due) return;
      network_round();
    }
  }

  void wait_for(const Handle& task, Task::Status how) {
    Task& self = *running;
    self.status = how;
    self.target = task;
    wait_turn(self);
  }

  // Runs when all live tasks wait, only in task 0. Their messages, in the order of their ids, make one message per
  // peer.
  void network_round() {
    std::vector<Task*> waiting;
    for (const Handle& task : tasks)
      if (task->status == Task::Status::in_round) waiting.push_back(task.get());
    if (waiting.empty()) throw Error(ErrorCode::internal, "all tasks of a group wait for each other");
    for (Task* task : waiting) session.book_traffic(*task->round);
    if (waiting.size() == 1)
      session.exchange_now(*waiting[0]->round);
    else
      joint_round(waiting);
    for (Task* task : waiting) {
      task->status = Task::Status::runnable;
      task->round = nullptr;
    }
  }

  void joint_round(const std::vector<Task*>& waiting) {
    Exchange all;
    for (int peer = 0; peer < kParties; ++peer) {
      Bytes& message = all.out[peer];
      message = std::move(waiting[0]->round->out[peer]);
      std::size_t size = message.size();
      for (Task* task : waiting) {
        size += task == waiting[0] ? 0 : task->round->out[peer].size();
        all.expected[peer] += task->round->expected[peer];
      }
      message.reserve(size + kMessageRoom);
      for (Task* task : waiting) {
        if (task == waiting[0]) continue;
        const Bytes& out = task->round->out[peer];
        message.insert(message.end(), out.begin(), out.end());
      }
    }
    session.exchange_now(all);
    std::array<std::size_t, kParties> at{};
    for (Task* task : waiting)
      for (int peer = 0; peer < kParties; ++peer) {
        const auto first = all.in[peer].begin() + static_cast<std::ptrdiff_t>(at[peer]);
        at[peer] += task->round->expected[peer];
        task->round->in[peer].assign(first, all.in[peer].begin() + static_cast<std::ptrdiff_t>(at[peer]));
      }
  }

  // Runs a spawned task from start to end on its own stack. Returns the fiber that continues.
  Fiber* run(Task& task) noexcept {
    try {
      if (!task.cancelled) task.body();
    } catch (const Unwind&) {
      // cancelled: nothing to report
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
    task.body = nullptr;
    cleanse_stack();
    task.status = Task::Status::finished;
    if (task.cancelled) return &hand_over(task.canceller);
    return &hand_over(failure ? tasks[0].get() : next_after(task.id));
  }

  // Unwinds a task that is not running, then returns.
  void unwind(Task& task) {
    if (task.status != Task::Status::finished) {
      Task& self = *running;
      task.cancelled = true;
      task.canceller = &self;
      go_to(&task, self);
    }
    task.fiber.reset();
  }
};

TaskGroup::TaskGroup(Session& session) : state_(std::make_unique<State>(session)) {
  state_->tasks.push_back(std::make_shared<Task>());
  state_->running = state_->tasks[0].get();
  state_->running->fiber = std::make_unique<Fiber>();
  session.group_ = this;
}

TaskGroup::~TaskGroup() {
  state_->session.group_ = nullptr;
  // Newest first: a task may still use objects of an older one.
  for (std::size_t i = state_->tasks.size(); i-- > 1;) {
    const Handle task = state_->tasks[i];
    state_->unwind(*task);
  }
}

TaskGroup::Handle TaskGroup::spawn(std::function<void()> body) {
  for (const Handle& old : state_->tasks)
    if (old->status == Task::Status::finished) old->fiber.reset();
  auto task = std::make_shared<Task>();
  task->body = std::move(body);
  task->id = static_cast<int>(state_->tasks.size());
  task->fiber = std::make_unique<Fiber>([state = state_.get(), raw = task.get()] { return state->run(*raw); });
  state_->tasks.push_back(task);
  return task;
}

bool TaskGroup::done(const Handle& task) {
  if (task->status == Task::Status::runnable) state_->wait_for(task, Task::Status::watching);
  return task->status == Task::Status::finished;
}

void TaskGroup::join(const Handle& task) {
  if (task->status != Task::Status::finished) state_->wait_for(task, Task::Status::joining);
}

TaskGroup::Handle TaskGroup::promise() {
  auto promised = std::make_shared<Task>();
  promised->status = Task::Status::promised;
  return promised;
}

void TaskGroup::fulfil(const Handle& promise) { promise->status = Task::Status::finished; }

void TaskGroup::cancel(const Handle& task) { state_->unwind(*task); }

void TaskGroup::exchange(Exchange& round) {
  Task& self = *state_->running;
  self.status = Task::Status::in_round;
  self.round = &round;
  state_->wait_turn(self);
}

}  // namespace pgmpc
