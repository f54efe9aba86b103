// Turns additive shares between the two controllers (step 6) into degree-1 sharings among all three parties (step 7).
// The third party's shares of both inputs come from PRFs with each controller, so it receives nothing. One element
// travels in each direction between the controllers.
//
// Source
// Pseudorandom secret sharing (Cramer, Damgard, Ishai, TCC 2005); docs/design/lasso.md, "Field, shares, roles".
#pragma once
#include <span>
#include <vector>

#include "mpc/session.h"

namespace pgmpc {

// columns: vectors of any lengths. At a controller they hold its additive summand of each value (0 where the other one
// holds the whole value). At the third party they have the same lengths and any contents. One round for all of them. At
// most 65536 columns per label; callers that stream blocks of rows give each block its own label.
std::vector<FpVector> share_additive(Session& session, const GateLabel& label,
                                     std::span<const std::span<const Fp>> columns);

}  // namespace pgmpc
