// Converts C++ exceptions to ErrorFields.
#include "pg/error_fields.h"

#include <new>

#include "pg/errcodes.h"
#include "pg/guard.h"

namespace pgmpc::pg {

bool is_temporary(const std::string& sqlstate) {
  return sqlstate == "55P03" || sqlstate == "XX000" || sqlstate.starts_with("40") || sqlstate.starts_with("53") ||
         sqlstate.starts_with("57") || sqlstate.starts_with("58");
}

ErrorFields error_fields(const Error& error) {
  return {sqlstate_text(sqlstate_of(error)), error.message(), error.detail(), error.hint()};
}

ErrorFields current_error() {
  try {
    throw;
  } catch (const ErrorFieldsException& error) {
    return error.fields();
  } catch (const Error& error) {
    return error_fields(error);
  } catch (const std::bad_alloc&) {
    return {"53200", "out of memory", "", ""};
  } catch (const std::exception& error) {
    return {"XX000", error.what(), "", ""};
  } catch (...) {
    return {"XX000", "an exception of unknown type reached a worker", "", ""};
  }
}

}  // namespace pgmpc::pg
