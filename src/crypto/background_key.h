// Makes a Paillier key pair in a thread of its own from the start of an attempt, while the protocol thread reads,
// hashes and waits for peers.
// The thread does not start at the approval: the private key would then lie in memory for days.
//
// Invariants
// The thread blocks every signal and ends before the object does. What it leaves on its stack is cleansed. A key that
// is not taken is wiped.
#pragma once
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "crypto/paillier.h"

namespace pgmpc {

class BackgroundKey {
 public:
  // Starts the thread. bits: 2048, 3072 or 4096. rng must be safe to use from another thread.
  BackgroundKey(int bits, Rng& rng);
  ~BackgroundKey();
  BackgroundKey(const BackgroundKey&) = delete;
  BackgroundKey& operator=(const BackgroundKey&) = delete;

  struct Made {
    PaillierPrivateKey key;
    double seconds;  // the time that making the key took
  };
  // Waits for the key; may be called once. Throws Error(cancelled), or the error that making the key failed with.
  Made take(const CancelToken& cancel);

 private:
  void make(int bits, Rng& rng) noexcept;

  CancelToken stop_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::optional<Made> made_;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace pgmpc
