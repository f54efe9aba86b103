// What: from additive shares between the two controllers (step 6) to degree-1 sharings among all three (step 7).
// Source: pseudorandom secret sharing; layout of the security review 3.4: the third party's shares of both inputs come
//         from PRFs with each controller, so it receives nothing; one element travels in each direction between the
//         controllers.
#pragma once
#include <span>

#include "mpc/session.h"

namespace pgmpc {

// At controllers: own additive summand of each value (0 where the other holds the whole value). At the third party:
// additive.size() = count with any contents. One round. Values are processed as one message: callers stream blocks by
// giving each block its own part number (< 65536) under one label.
FpVector share_additive(Session& session, const GateLabel& label, std::uint16_t part, std::span<const Fp> additive);

}  // namespace pgmpc
