// What: a Paillier key pair made in a thread of its own, from the start of an attempt on, while the protocol thread
// reads
//       and hashes and waits for peers. Not from the approval on: the private key would then lie in memory for days.
// Invariants: the thread blocks every signal and ends before the object does; what it leaves on its stack is cleansed;
// a
//             key that nobody takes is wiped.
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
  // rng must be thread-safe, as all of ours are.
  BackgroundKey(int bits, Rng& rng);
  ~BackgroundKey();
  BackgroundKey(const BackgroundKey&) = delete;
  BackgroundKey& operator=(const BackgroundKey&) = delete;

  struct Made {
    PaillierPrivateKey key;
    double seconds;  // that making it took
  };
  // Waits for the key; once. Error(cancelled), or what making it failed with.
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
