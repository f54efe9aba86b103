// What: what module.cpp needs to know of the background workers.
#pragma once

namespace pgmpc::worker {

// Registers the static workers when the server preloads pg_mpc; nothing otherwise, nor in a binary upgrade.
void Init();

}  // namespace pgmpc::worker
