// Declares what module.cpp needs of the background workers.
#pragma once

namespace pgmpc::worker {

// Registers the static workers while the server preloads pg_mpc. No effect otherwise, nor in a binary upgrade.
void Init();

}  // namespace pgmpc::worker
