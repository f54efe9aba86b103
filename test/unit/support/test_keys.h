// The Paillier keys of the tests, read from test/vectors so that no test waits for key generation. The keys are public
// and protect nothing.
#pragma once
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "crypto/paillier.h"

namespace pgmpc {

inline Bytes test_vector(const std::string& file) {
  std::ifstream in(std::string(PG_MPC_SOURCE_DIR) + "/test/vectors/" + file);
  std::string hex;
  if (!(in >> hex)) throw std::runtime_error("cannot read test/vectors/" + file);
  return from_hex(hex);
}

// Returns a key that is validated once and then kept. name: "a" or "b". bits: 2048, 3072 or 4096.
inline const PaillierPrivateKey& test_key(const std::string& name = "a", int bits = 2048) {
  const auto load = [](const std::string& which, int size) {
    return PaillierPrivateKey::decode(test_vector("paillier_" + std::to_string(size) + "_" + which + ".key"));
  };
  static std::map<std::pair<std::string, int>, PaillierPrivateKey> keys;
  const auto at = std::make_pair(name, bits);
  if (!keys.contains(at)) keys.emplace(at, load(name, bits));
  return keys.at(at);
}

}  // namespace pgmpc
