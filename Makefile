# PGXS build of the extension. CMake builds the core into static libraries that do not depend on PostgreSQL. This file
# compiles the glue (src/module.cpp, src/pg, src/udf, src/worker) and links both.
#   make [PG_CONFIG=...]        the module, the install script and the upgrade script
#   make install [DESTDIR=...]
#   make installcheck           regression tests of the installed extension in a temporary, preloaded instance
EXTENSION = pg_mpc
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" pg_mpc.control)
MODULE_big = pg_mpc
CORE_BUILD = build-core
CORE_OPTIONS =

OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/module.cpp src/pg/*.cpp src/udf/*.cpp src/worker/*.cpp)))
# The newest released version, from which the upgrade script built here leads to the version under development. The
# scripts of released versions never change (tools/release).
RELEASED = $(shell ls extension/released | sed -n 's/^pg_mpc--\(.*\)\.sql$$/\1/p' | sort -V | tail -n 1)
UPGRADE = pg_mpc--$(RELEASED)--$(EXTVERSION).sql
DATA = $(sort $(wildcard extension/released/pg_mpc--*.sql extension/upgrade/pg_mpc--*.sql))
DATA_built = pg_mpc--$(EXTVERSION).sql $(UPGRADE)
EXTRA_CLEAN = $(CORE_BUILD) $(OBJS:.o=.d) .server_version results tmp_check

# No -fvisibility=hidden here: before PostgreSQL 16 PGDLLEXPORT is empty, so the magic block would be hidden too.
# The version script hides all other symbols.
PG_CPPFLAGS = -Isrc -DPG_MPC_VERSION='"$(EXTVERSION)"'
PG_CXXFLAGS = -std=gnu++20 -Wextra -Wshadow -Wno-register -Wno-unused-parameter -MMD -MP
SHLIB_LINK = -Wl,--version-script=src/exports.map -Wl,--start-group $$(ls $(CORE_BUILD)/libpgmpc_*.a) -Wl,--end-group \
	-lcurl -lssl -lcrypto -lgmp -lstdc++ -lpthread -lm

# clang would compile bitcode without our C++ standard, and the hot loops are in the core.
override with_llvm = no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
NO_INSTALLCHECK = 1
include $(PGXS)

-include $(OBJS:.o=.d)

$(MODULE_big).so: $(CORE_BUILD)/core.stamp src/exports.map

# A failed configuration (a missing package) is repeated. The stamp changes only when an archive has changed, so that an
# up-to-date core does not relink the module.
$(CORE_BUILD)/core.stamp: FORCE
	@test -f $(CORE_BUILD)/build.ninja || test -f $(CORE_BUILD)/Makefile || rm -rf $(CORE_BUILD)/CMakeCache.txt $(CORE_BUILD)/CMakeFiles
	@test -f $(CORE_BUILD)/CMakeCache.txt || cmake -S . -B $(CORE_BUILD) $$(command -v ninja >/dev/null && echo -G Ninja) \
		-DPG_MPC_TESTING=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo $(CORE_OPTIONS)
	@cmake --build $(CORE_BUILD) --parallel $$(nproc)
	@if ! test -f $@ || test -n "$$(find $(CORE_BUILD) -maxdepth 1 -name "*.a" -newer $@)"; then touch $@; fi

# Compares contents instead of times, so that a removed source file disappears too.
pg_mpc--$(EXTVERSION).sql: FORCE
	@cat $(sort $(wildcard extension/*.sql)) | cmp -s - $@ || cat $(sort $(wildcard extension/*.sql)) > $@

$(UPGRADE): pg_mpc--$(EXTVERSION).sql extension/released/pg_mpc--$(RELEASED).sql extension/upgrade/next.sql tools/lib/upgrade_script.py
	python3 tools/lib/upgrade_script.py extension/released/pg_mpc--$(RELEASED).sql $< extension/upgrade/next.sql > $@.part
	mv $@.part $@

# Objects that contain the version.
src/module.o src/worker/listener.o src/worker/coordinator.o src/udf/study_node.o: pg_mpc.control

# Rebuilds objects that were built for another version of the server.
$(OBJS): .server_version
.server_version: FORCE
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@

installcheck:
	tools/regress '$(bindir)' '$(pgxsdir)'

.PHONY: FORCE installcheck
