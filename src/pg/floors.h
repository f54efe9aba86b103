// Defines the settings by which the administrator of a node limits what its studies may agree on. There is one per
// disclosure rule, named like the rule. This node refuses a spec that is looser than a setting; it never makes the spec
// stricter (extension/47_disclosure.sql).
#pragma once

namespace pgmpc::guc {

// Call once while the library is loaded.
void define_floors();

}  // namespace pgmpc::guc
