// Implements crypto/background_key.h.
#include "crypto/background_key.h"

#include <signal.h>

#include <chrono>

#include "base/cleansing_heap.h"
#include "base/witness.h"

namespace pgmpc {

namespace {
constexpr std::chrono::milliseconds kPollPause{50};  // between two polls of the cancel token
}

BackgroundKey::BackgroundKey(int bits, Rng& rng) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the thread inherits the full mask
  try {
    thread_ = std::thread([this, bits, &rng] { make(bits, rng); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BackgroundKey::~BackgroundKey() {
  stop_.cancel();
  thread_.join();
  if (made_) made_->key.wipe();
}

void BackgroundKey::make(int bits, Rng& rng) noexcept {
  const auto start = std::chrono::steady_clock::now();
  std::optional<Made> made;
  std::exception_ptr failure;
  try {
    made = Made{PaillierPrivateKey::generate(bits, rng, stop_), 0.0};
    witness("private prime", view_of(made->key.p()));
    witness("private prime", view_of(made->key.q()));
    made->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  } catch (...) {
    failure = std::current_exception();
  }
  cleanse_stack();
  const std::lock_guard lock(mutex_);
  made_ = std::move(made);
  failure_ = failure;
  done_.notify_all();
}

BackgroundKey::Made BackgroundKey::take(const CancelToken& cancel) {
  std::unique_lock lock(mutex_);
  while (!done_.wait_for(lock, kPollPause, [this] { return made_ || failure_; })) cancel.check();
  if (failure_) std::rethrow_exception(failure_);
  Made made = std::move(*made_);
  made_.reset();
  return made;
}

}  // namespace pgmpc
