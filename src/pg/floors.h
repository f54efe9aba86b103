// Settings by which the administrator of a node bounds what its studies may agree on: one per disclosure rule, named
// like the rule. A spec looser than a setting is refused by this node, never made stricter
// (extension/47_disclosure.sql).
#pragma once

namespace pgmpc::guc {

void define_floors();

}  // namespace pgmpc::guc
