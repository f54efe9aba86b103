// What: the part of the study spec that says what is computed: analyses, or its short form analysis.
#pragma once
#include <string>

#include "study/spec.h"
#include "study/spec_reader.h"

namespace pgmpc {

// Needs the format, the precision and min_lambda of the spec, which come before it.
void read_analysis(Spec& spec, const SpecReader& root);

// Where the only analysis of the document stands.
std::string analysis_pointer(const Spec& spec, const SpecReader& root);

}  // namespace pgmpc
