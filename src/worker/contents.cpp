// Implements the digests of persons and the commitments of columns.
#include "worker/contents.h"

#include <cmath>

namespace pgmpc {

SourceContents::SourceContents(std::string counterpart, std::vector<std::string> columns)
    : key_(source_key()), hasher_(view_of(key_)), counterpart_(std::move(counterpart)) {
  for (std::string& name : columns) columns_.push_back({std::move(name), {}, 0});
}

void SourceContents::add(const Source& part, const Take& take) {
  constexpr std::string_view kPurpose = "pg_mpc person 1";
  SecretBytes identifier;
  SecretVector<double> values(columns_.size());
  for (std::size_t r = 0; r < part.records(); r++) {
    const std::uint64_t begin = r == 0 ? 0 : part.identifier_ends[r - 1];
    identifier.assign(kPurpose.begin(), kPurpose.end());
    identifier.insert(identifier.end(), part.identifiers.begin() + static_cast<std::ptrdiff_t>(begin),
                      part.identifiers.begin() + static_cast<std::ptrdiff_t>(part.identifier_ends[r]));
    // The first half identifies the person at this node. The second half, which is stored nowhere, keys the hashes of
    // the person's values.
    Hash person;
    hasher_.hash(view_of(identifier), person);
    for (std::size_t c = 0; c < columns_.size(); c++) {
      Column& column = columns_[c];
      values[c] = part.columns[c].values[r];
      if (std::isnan(values[c])) continue;
      adder_.add(column.sum, digest_of_pair(person, values[c]));
      ++column.values;
    }
    take({person.data(), kPersonBytes}, {values.data(), values.size()});
    cleanse(person.data(), person.size());
  }
}

std::vector<Hash> SourceContents::commitments() const {
  std::vector<Hash> out;
  for (const Column& column : columns_)
    out.push_back(
        keyed_hash_of_sum(view_of(key_), "pg_mpc column 2", {counterpart_, column.name}, column.values, column.sum));
  return out;
}

Hash commitment_of(std::string_view text) {
  Bytes message;
  Writer(message).sized(view_of("pg_mpc commitment 1")).sized(view_of(text));
  return keyed_hash(view_of(source_key()), message);
}

}  // namespace pgmpc
