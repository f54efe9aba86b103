// Implements linkage/pseudonymise.h. The hashed message is "text" (the type tag) and the parts, each preceded by its
// length.
#include "linkage/pseudonymise.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace pgmpc {

namespace {

constexpr std::size_t kGrain = 1024;
constexpr std::uint8_t kTypeTag[] = {0, 0, 0, 4, 't', 'e', 'x', 't'};

SecretArray<32> add_mod_2_256(const SecretArray<32>& a, const SecretArray<32>& b) {
  SecretArray<32> sum;
  unsigned carry = 0;
  for (int i = 31; i >= 0; --i) {
    carry += static_cast<unsigned>(a.data()[i]) + b.data()[i];
    sum.data()[i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  return sum;
}

ByteView identifier_of(ByteView identifiers, std::span<const std::uint64_t> ends, std::size_t record) {
  const std::uint64_t begin = record == 0 ? 0 : ends[record - 1];
  if (ends[record] < begin || ends[record] > identifiers.size())
    throw Error(ErrorCode::internal, "identifier bounds out of order");
  return identifiers.subspan(begin, ends[record] - begin);
}

SecretBytes hash_all(const JointKey& key, ByteView identifiers, std::span<const std::uint64_t> ends, ThreadPool& pool,
                     const CancelToken& cancel) {
  const KeyedHasher hasher(key.view());
  SecretBytes hashes(ends.size() * kHashBytes);
  pool.for_ranges(ends.size(), kGrain, cancel, [&](std::size_t begin, std::size_t end) {
    SecretBytes message;
    for (std::size_t r = begin; r < end; ++r) {
      const ByteView identifier = identifier_of(identifiers, ends, r);
      message.assign(std::begin(kTypeTag), std::end(kTypeTag));
      message.insert(message.end(), identifier.begin(), identifier.end());
      hasher.hash(view_of(message), std::span<std::uint8_t, 32>(hashes.data() + r * kHashBytes, kHashBytes));
    }
  });
  return hashes;
}

}  // namespace

JointKey::JointKey(const SecretArray<32>& half_0, const SecretArray<32>& half_1, const Hash& sid) {
  const SecretArray<32> sum = add_mod_2_256(half_0, half_1);
  const SecretBytes derived = hkdf(sum.view(), sid, "pg_mpc join v1", 32);
  std::copy(derived.begin(), derived.end(), key_.data());
}

JointKey::JointKey(Rng& rng) { rng.fill(key_.span()); }

Hash JointKey::check_value() const { return keyed_hash(key_.view(), pgmpc::view_of("check")); }

Pseudonyms pseudonymise(const JointKey& key, ByteView identifiers, std::span<const std::uint64_t> ends,
                        ThreadPool& pool, const CancelToken& cancel) {
  const std::size_t n = ends.size();
  if (n >= std::numeric_limits<std::uint32_t>::max())
    throw Error(ErrorCode::limit_exceeded, "the source has too many records");
  const SecretBytes unsorted = hash_all(key, identifiers, ends, pool, cancel);
  const auto at = [&unsorted](std::uint32_t row) { return unsorted.data() + row * kHashBytes; };

  Pseudonyms out;
  out.rows.resize(n);
  std::iota(out.rows.begin(), out.rows.end(), 0u);
  std::sort(out.rows.begin(), out.rows.end(), [&at](std::uint32_t a, std::uint32_t b) {
    const int order = std::memcmp(at(a), at(b), kHashBytes);
    return order != 0 ? order < 0 : a < b;
  });
  out.hashes.resize(n * kHashBytes);
  for (std::size_t i = 0; i < n; ++i) {
    std::memcpy(out.hashes.data() + i * kHashBytes, at(out.rows[i]), kHashBytes);
    if (i > 0 && std::memcmp(at(out.rows[i - 1]), at(out.rows[i]), kHashBytes) == 0) ++out.duplicates;
  }
  return out;
}

std::uint64_t count_duplicates(ByteView identifiers, std::span<const std::uint64_t> ends, Rng& rng, ThreadPool& pool,
                               const CancelToken& cancel) {
  return pseudonymise(JointKey(rng), identifiers, ends, pool, cancel).duplicates;
}

}  // namespace pgmpc
