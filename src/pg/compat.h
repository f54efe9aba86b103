// Includes PostgreSQL; no other file includes postgres.h.
//
// Standard C++ headers come first because the server's port.h redefines the printf family. Differences between server
// versions are handled here and nowhere else.
//
// Users
// Files of src/pg, src/udf, src/worker and src/module.cpp include this header. Headers of other projects (OpenSSL,
// JSON) come before it. A file that includes it keeps no C++ object with a destructor alive across a call of the server
// that can raise an error; pg/guard.h has the two crossings.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

extern "C" {
// The server's headers need postgres.h before them, so it must not be sorted.
// clang-format off
#include "postgres.h"
// clang-format on
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
}
