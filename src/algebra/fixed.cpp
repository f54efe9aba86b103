// Names the phases of an analysis.
#include "algebra/fixed.h"

namespace pgmpc {

std::string phase_name(std::uint16_t phase) {
  switch (static_cast<Phase>(phase)) {
    case Phase::input:
      return "input";
    case Phase::moments:
      return "moments";
    case Phase::precheck:
      return "precheck";
    case Phase::root:
      return "root";
    case Phase::correlation:
      return "correlation";
    case Phase::thresholds:
      return "thresholds";
    case Phase::inverse:
      return "inverse";
    case Phase::solver:
      return "solver";
    case Phase::stop:
      return "stop";
    case Phase::refresh:
      return "refresh";
    case Phase::fit:
      return "fit";
    case Phase::validity:
      return "validity";
    case Phase::release:
      return "release";
    case Phase::penalty:
      return "penalty";
    case Phase::ridge:
      return "ridge";
    case Phase::grid:
      return "grid";
    case Phase::design:
      return "design";
  }
  return std::to_string(phase);
}

}  // namespace pgmpc
