// Converts C++ exceptions to faults.
#include "pg/fault.h"

#include <new>

#include "pg/errcodes.h"
#include "pg/guard.h"

namespace pgmpc::pg {

bool is_temporary(const std::string& sqlstate) {
  return sqlstate == "55P03" || sqlstate == "XX000" || sqlstate.starts_with("40") || sqlstate.starts_with("53") ||
         sqlstate.starts_with("57") || sqlstate.starts_with("58");
}

Fault fault_of(const Error& error) {
  return {sqlstate_text(sqlstate_of(error)), error.message(), error.detail(), error.hint()};
}

Fault current_fault() {
  try {
    throw;
  } catch (const FaultError& error) {
    return error.fault();
  } catch (const Error& error) {
    return fault_of(error);
  } catch (const std::bad_alloc&) {
    return {"53200", "out of memory", "", ""};
  } catch (const std::exception& error) {
    return {"XX000", error.what(), "", ""};
  } catch (...) {
    return {"XX000", "an exception of unknown type reached a worker", "", ""};
  }
}

}  // namespace pgmpc::pg
