// Shares encoded columns among three parties, as the join does.
#pragma once
#include <array>
#include <vector>

#include "analysis/shared_figures.h"
#include "base/rng.h"
#include "linkage/encoding.h"
#include "sharing/shamir.h"

namespace pgmpc::bench {

// Returns what each party holds. All columns count as attributes.
inline std::array<JoinedRecords, kParties> share_records(const std::vector<EncodedColumn>& columns) {
  std::array<JoinedRecords, kParties> records;
  const auto share = [&](i128 value, auto place) {
    const FpVector shares = shamir_split(Fp::from_signed(value), 2, kParties, system_rng());
    for (std::size_t party = 0; party < kParties; ++party) place(records[party]).push_back(shares[party]);
  };
  for (const EncodedColumn& column : columns) {
    for (JoinedRecords& of : records) {
      of.columns.emplace_back();
      of.described.push_back({column.exponent, column.binary});
      of.attributes = columns.size();
    }
    for (const auto value : column.values)
      share(value, [](JoinedRecords& of) -> FpVector& { return of.columns.back(); });
    share(column.scaled_mean, [](JoinedRecords& of) -> FpVector& { return of.inputs.means; });
    share(column.step, [](JoinedRecords& of) -> FpVector& { return of.inputs.steps; });
    share(column.inverse_step, [](JoinedRecords& of) -> FpVector& { return of.inputs.inverse_steps; });
  }
  return records;
}

inline std::vector<FpVector> copy_of(const std::vector<FpVector>& columns) {
  std::vector<FpVector> out;
  for (const FpVector& column : columns) out.push_back(column.clone());
  return out;
}

inline ColumnInputs copy_of(const ColumnInputs& inputs) {
  return {inputs.means.clone(), inputs.steps.clone(), inputs.inverse_steps.clone()};
}

}  // namespace pgmpc::bench
