// Lists the fixed settings and sets them.
#include "pg/fixed_settings.h"

extern "C" {
#include "utils/guc.h"
}

namespace pgmpc::pg {
namespace {

constexpr struct {
  const char* name;
  const char* value;
} kFixedSettings[] = {
    {"search_path", "pg_catalog, pg_temp"},
    {"DateStyle", "ISO, MDY"},
    {"IntervalStyle", "postgres"},
    {"TimeZone", "UTC"},
    {"extra_float_digits", "1"},
    {"bytea_output", "hex"},
    {"xmlbinary", "base64"},
    {"lc_monetary", "C"},
    {"lc_numeric", "C"},
    {"lc_time", "C"},
    {"standard_conforming_strings", "on"},
    {"transform_null_equals", "off"},
    {"array_nulls", "on"},
    {"quote_all_identifiers", "off"},
    {"row_security", "on"},
};

void fix(GucAction action, GucSource source) {
  for (const auto& setting : kFixedSettings)
    (void)set_config_option(setting.name, setting.value, PGC_USERSET, source, action, true, 0, false);
}

}  // namespace

void fix_settings_in_nest_level() { fix(GUC_ACTION_SAVE, PGC_S_SESSION); }

void fix_settings_of_worker() { fix(GUC_ACTION_SET, PGC_S_OVERRIDE); }

}  // namespace pgmpc::pg
