#include "base/thread_pool.h"

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/cleansing_heap.h"

namespace pgmpc {

namespace {

std::uint64_t thread_nanoseconds() noexcept {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// One for_ranges call. An atomic counter hands out the ranges.
struct Job {
  std::size_t count = 0, grain = 1;
  const CancelToken* cancel = nullptr;
  const std::function<void(std::size_t, std::size_t)>* body = nullptr;
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t>* cpu = nullptr;
  std::mutex mutex;
  std::exception_ptr failure;

  void work() noexcept {
    const std::uint64_t begin = thread_nanoseconds();
    take_ranges();
    cpu->fetch_add(thread_nanoseconds() - begin, std::memory_order_relaxed);
  }

  void take_ranges() noexcept {
    for (;;) {
      std::size_t begin = next.fetch_add(grain);
      if (begin >= count) return;
      try {
        cancel->check();
        (*body)(begin, std::min(count, begin + grain));
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next.store(count);
      }
    }
  }
};
}  // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable wake, done;
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> cpu{0};
  Job* job = nullptr;
  std::uint64_t generation = 0;
  int busy = 0;
  bool stop = false;

  void run() {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return stop || generation != seen; });
      if (stop) return;
      seen = generation;
      Job* current = job;
      if (current == nullptr) continue;
      ++busy;
      lock.unlock();
      current->work();
      cleanse_stack();
      lock.lock();
      if (--busy == 0) done.notify_all();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // new threads inherit the full mask
  try {
    for (int i = 1; i < threads; ++i) state_->threads.emplace_back([s = state_.get()] { s->run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    {
      std::lock_guard lock(state_->mutex);
      state_->stop = true;
    }
    state_->wake.notify_all();
    for (auto& t : state_->threads) t.join();
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  for (auto& t : state_->threads) t.join();
}

int ThreadPool::threads() const noexcept { return static_cast<int>(state_->threads.size()) + 1; }

double ThreadPool::cpu_seconds() const noexcept {
  return static_cast<double>(state_->cpu.load(std::memory_order_relaxed)) * 1e-9;
}

void ThreadPool::for_ranges(std::size_t count, std::size_t grain, const CancelToken& cancel,
                            const std::function<void(std::size_t, std::size_t)>& body) {
  Job job;
  job.count = count;
  job.grain = std::max<std::size_t>(grain, 1);
  job.cancel = &cancel;
  job.body = &body;
  job.cpu = &state_->cpu;
  {
    std::lock_guard lock(state_->mutex);
    state_->job = &job;
    ++state_->generation;
  }
  state_->wake.notify_all();
  job.work();
  {
    std::unique_lock lock(state_->mutex);
    state_->job = nullptr;  // a thread that wakes late finds no job
    state_->done.wait(lock, [&] { return state_->busy == 0; });
  }
  if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace pgmpc
