// Gives the version of this library: default_version of pg_mpc.control, the one place where it is written.
//
// Terms
// The library is pg_mpc.so as the server has loaded it. The extension is the SQL objects of a database, in the version
// that pg_extension names. A library works with the SQL of the previous version until ALTER EXTENSION pg_mpc UPDATE.
#pragma once
#include <string>

#ifndef PG_MPC_VERSION
#error "PG_MPC_VERSION is set by the Makefile"
#endif

namespace pgmpc::pg {

inline constexpr char kLibraryVersion[] = PG_MPC_VERSION;

// Describes the problem when the extension has another version than the library; empty when they agree.
inline std::string version_problem(const std::string& extension) {
  if (extension == kLibraryVersion) return "";
  return "extension pg_mpc has version " + extension + " in this database, the library that the server has loaded " +
         "has version " + kLibraryVersion;
}

inline constexpr char kVersionHint[] =
    "Run ALTER EXTENSION pg_mpc UPDATE in the database of this node; if the library is the older one, install the new "
    "package and restart the server first.";

}  // namespace pgmpc::pg
