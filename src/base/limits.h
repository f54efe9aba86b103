// Bounds that several directories share.
#pragma once

namespace pgmpc {

// The largest statistical distance between everything opened in one attempt and values that depend on the result only.
// An attempt that would exceed it is refused (rule F13).
inline constexpr double kMostExposure = 0x1p-24;

}  // namespace pgmpc
