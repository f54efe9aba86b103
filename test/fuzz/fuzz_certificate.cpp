// Fuzzes the reader of peers' certificates (mpc.add_peer). An accepted certificate has a fingerprint. Everything else
// is an Error whose detail has at most 200 bytes, so that it does not repeat the text.
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "net/certificate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgmpc;
  try {
    const Certificate certificate = parse_certificate({reinterpret_cast<const char*>(data), size});
    if (certificate.fingerprint.size() != 64) std::abort();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_text || error.detail().size() > 200) std::abort();
  }
  return 0;
}
