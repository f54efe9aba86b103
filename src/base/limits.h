// Numbers that several rooms share: sizes, widths and bounds, each with one name.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pgmpc {

// Study: bytes of a spec, attributes of both controllers together, outcomes of one, analyses.
inline constexpr std::size_t kMaxSpecBytes = 64 * 1024;
inline constexpr std::size_t kMaxAttributes = 200;
inline constexpr std::size_t kMaxOutcomes = 20;
inline constexpr std::size_t kMaxAnalyses = 20;

// Records that a controller may push.
inline constexpr std::uint64_t kMostRecords = std::uint64_t{1} << 31;

// Bytes of a keyed hash of an identifier.
inline constexpr std::size_t kHashBytes = 32;

// Fixed point of joined columns, fractional bits: values, owners' means, steps of two-valued columns.
inline constexpr int kDataBits = 24;
inline constexpr int kMeanBits = 36;
inline constexpr int kMeanBound = 60;  // bits of a mean over the joined records, kMeanBits of them fractional
inline constexpr int kStepBits = 30;
// Of |e|, where a column has the scale 2^e.
inline constexpr int kMaxExponent = 256;

// Statistical distance that everything opened in one attempt may have from values that depend on the result only; an
// attempt that would exceed it is refused (docs/rules.md, F13).
inline constexpr double kMostExposure = 0x1p-24;

}  // namespace pgmpc
