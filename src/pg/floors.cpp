// Defines the settings that limit what a study of this node may agree on.
#include "pg/floors.h"

#include "pg/compat.h"

namespace pgmpc::guc {

namespace {

constexpr double kOff = -1;

struct Floor {
  const char* name;
  const char* description;
  double value;
};

// One limit is elsewhere: pg_mpc.min_matched is older and has a default (pg/guc.cpp).
Floor floors[] = {
    {"pg_mpc.max_parameter_ratio", "Largest disclosure.max_parameter_ratio of a study of this node (-1: any).", kOff},
    {"pg_mpc.min_level_count", "Smallest disclosure.min_level_count of a study of this node (-1: any).", kOff},
    {"pg_mpc.max_dominance", "Largest disclosure.max_dominance of a study of this node (-1: any).", kOff},
    {"pg_mpc.model_budget", "Largest disclosure.model_budget of a study of this node (-1: any).", kOff},
    {"pg_mpc.min_cohort_change", "Smallest disclosure.min_cohort_change of a study of this node (-1: any).", kOff},
    {"pg_mpc.min_lambda", "Smallest disclosure.min_lambda of a study of this node (-1: any, or none).", kOff},
    {"pg_mpc.max_leverage", "Largest disclosure.max_leverage of a study of this node (-1: any).", kOff},
    {"pg_mpc.max_vif", "Largest disclosure.max_vif of a study of this node (-1: any).", kOff},
    {"pg_mpc.max_columns", "Largest disclosure.max_columns of a study of this node (-1: any).", kOff},
    {"pg_mpc.versions", "Largest disclosure.versions of a study of this node (-1: any).", kOff},
    {"pg_mpc.released_numbers", "Largest disclosure.released_numbers of a study of this node (-1: any).", kOff},
};
bool own_moments = true;
char* precision = nullptr;

bool check_precision(char** value, void** extra, GucSource source) {
  if ((*value)[0] == '\0' || strcmp(*value, "statistical") == 0 || strcmp(*value, "coarse") == 0) return true;
  GUC_check_errdetail("It is \"statistical\", \"coarse\" or empty.");
  return false;
}

}  // namespace

void define_floors() {
  for (Floor& floor : floors)
    DefineCustomRealVariable(floor.name, floor.description, nullptr, &floor.value, kOff, kOff, 1e15, PGC_SIGHUP, 0,
                             nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("pg_mpc.own_moments", "Whether a study of this node may have disclosure.own_moments true.",
                           nullptr, &own_moments, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("pg_mpc.precision",
                             "Finest release.precision of a study of this node: statistical or coarse (empty: any).",
                             nullptr, &precision, "", PGC_SIGHUP, 0, check_precision, nullptr, nullptr);
}

}  // namespace pgmpc::guc
