// Fuzzes the data frame decoder. What it accepts is reproduced byte for byte by the encoder. Everything else is an
// Error.
#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "transport/data_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgmpc;
  ByteView bytes(data, size);
  try {
    DataFrame frame = decode_data_frame(bytes);
    Bytes again = encode_data_frame(frame.header, frame.payload);
    if (!std::ranges::equal(again, bytes)) std::abort();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_text) std::abort();
  }
  return 0;
}
