// Bounds that several rooms share.
#pragma once

namespace pgmpc {

// Statistical distance that everything opened in one attempt may have from values that depend on the result only; an
// attempt that would exceed it is refused (docs/rules.md, F13).
inline constexpr double kMostExposure = 0x1p-24;

}  // namespace pgmpc
