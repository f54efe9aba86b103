// Fuzzes comparison keys of a hostile dealer, at points that are field elements. Any bytes of the right size are keys
// that can be evaluated and give numbers below the modulus. Keys of another size are an Error.
// Input: domain, width, gates, points, then the values to evaluate at and the keys.
#include <cstdlib>

#include "base/error.h"
#include "mpc/dcf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgmpc;
  if (size < 4) return 0;
  const DcfShape shape{1 + data[0] % 126, 1 + data[1] % 4};
  const std::size_t gates = 1 + data[2] % 4, points = 1 + data[3] % 3;
  ByteView rest(data + 4, size - 4);
  SecretVector<u128> xs(gates * points);
  for (u128& x : xs) {
    if (rest.size() < kFpBytes) return 0;
    x = load(rest.data()).v & ((static_cast<u128>(1) << shape.domain) - 1);
    rest = rest.subspan(kFpBytes);
  }
  const Bytes public_key(16, 7);
  Dcf dcf(public_key);
  try {
    const FpVector shares = dcf.evaluate(shape, data[0] >> 7, rest, xs, static_cast<int>(points));
    if (rest.size() != gates * shape.key_bytes()) std::abort();
    if (shares.size() != xs.size() * static_cast<std::size_t>(shape.width)) std::abort();
    for (const Fp& share : shares)
      if (share.v >= kPrime) std::abort();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::protocol_violation || rest.size() == gates * shape.key_bytes()) std::abort();
  }
  return 0;
}
