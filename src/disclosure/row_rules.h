// The disclosure rules over the joined records, as the spec has them, and the message of a refusal by one of them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace pgmpc {

// Message of every refusal by a disclosure rule, whichever it was.
inline constexpr const char* kRulesRefused = "a disclosure rule of the agreed spec refused the study";

// Disclosure rules over the joined rows (spec: disclosure.*), and what a refusal by them says.
struct RowRules {
  std::int64_t min_level_count = 10;
  double max_dominance = 0.5;
  // Of the joint design (design.h), off unless set: leverage 1 and a VIF of 0.
  double max_leverage = 1;
  double max_vif = 0;
  std::vector<std::size_t> must_vary{};  // outcomes of models
  std::string refusal_detail{}, refusal_hint{};
};

}  // namespace pgmpc
