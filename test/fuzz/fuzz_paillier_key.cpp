// Fuzzes the decoders of Paillier keys. What they accept is reproduced byte for byte by the encoder. Everything else is
// an Error whose detail has at most 200 bytes, so that it does not repeat the key. The first byte selects the decoder.
#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "crypto/paillier.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgmpc;
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  try {
    if (data[0] & 1) {
      if (!std::ranges::equal(PaillierPublicKey::decode(bytes).encode(), bytes)) std::abort();
    } else if (!std::ranges::equal(PaillierPrivateKey::decode(bytes).encode(), bytes)) {
      std::abort();
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_text || error.detail().size() > 200) std::abort();
  }
  return 0;
}
