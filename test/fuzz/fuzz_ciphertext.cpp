// Fuzzes the check of foreign ciphertexts under a fixed public key. Ciphertexts that pass can be added, and their sum
// passes again.
#include <cstdlib>

#include "base/cancel.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "crypto/paillier.h"

namespace {
using namespace pgmpc;

// Returns a public key without a known private key: pseudorandom bytes, repeated until the decoder accepts them; h_s =
// 4.
PaillierPublicKey fixed_key() {
  Bytes encoded(1 + 2 + 256 + 512);
  encoded[0] = 1;
  encoded[1] = 8;  // 2048 bits
  encoded.back() = 4;
  std::uint64_t state = 1;
  for (;;) {
    for (std::size_t i = 3; i < 259; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      encoded[i] = static_cast<std::uint8_t>(state >> 56);
    }
    encoded[3] |= 0x80;
    encoded[258] |= 1;
    try {
      return PaillierPublicKey::decode(encoded);
    } catch (const Error&) {
    }
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const PaillierPublicKey key = fixed_key();
  static const PaillierEvaluator evaluator(key);
  static ThreadPool pool(1);
  const CancelToken cancel;
  const ByteView bytes(data, size);
  try {
    evaluator.check_ciphertexts(bytes, pool, cancel);
    Bytes sums(size);
    evaluator.add(bytes, bytes, sums, pool, cancel);
    evaluator.check_ciphertexts(sums, pool, cancel);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::protocol_violation) std::abort();
  }
  return 0;
}
