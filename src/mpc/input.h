// What: from additive shares between the two controllers (step 6) to degree-1 sharings among all three (step 7).
// Source: pseudorandom secret sharing; layout (docs/design/lasso.md, "Field, shares, roles"): the third party's shares
// of both inputs come
//         from PRFs with each controller, so it receives nothing; one element travels in each direction between the
//         controllers.
#pragma once
#include <span>
#include <vector>

#include "mpc/session.h"

namespace pgmpc {

// columns: vectors of any lengths; at controllers the own additive summand of each value (0 where the other holds the
// whole value), at the third party vectors of the same lengths with any contents. One round for all of them. At most
// 65536 columns per label; callers that stream blocks of rows give each block its own label.
std::vector<FpVector> share_additive(Session& session, const GateLabel& label,
                                     std::span<const std::span<const Fp>> columns);

}  // namespace pgmpc
