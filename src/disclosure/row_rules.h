// Defines the disclosure rules over the joined records, as the spec has them, and the message of a refusal by one.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace pgmpc {

// Message of every refusal by a disclosure rule, whichever rule it was.
inline constexpr const char* kRulesRefused = "a disclosure rule of the agreed spec refused the study";

// Disclosure rules over the joined rows (spec: disclosure.*), and the texts of a refusal.
struct RowRules {
  std::int64_t min_level_count = 10;
  double max_dominance = 0.5;
  // Rules over the joint design (joint_design.h). The defaults, leverage 1 and VIF 0, turn them off.
  double max_leverage = 1;
  double max_vif = 0;
  std::vector<std::size_t> must_vary{};  // indices of the models' outcomes among the joined columns
  std::string refusal_detail{}, refusal_hint{};
};

}  // namespace pgmpc
