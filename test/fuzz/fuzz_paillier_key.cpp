// Fuzzes the decoders of Paillier keys: what they accept, encoding reproduces byte for byte; everything else is an
// Error without the key's bytes in it. The first byte chooses the decoder.
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
