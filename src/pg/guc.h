// Reads the settings pg_mpc.*: plain getters without PostgreSQL types, for any file of the glue.
//
// Terms
// Postmaster settings exist only when the library is preloaded; otherwise the getters return the defaults.
//
// Security
// Paths name files, never contents. No setting holds a secret.
#pragma once

namespace pgmpc::guc {

// Defines all settings; called when the server loads the library.
void Init();

const char* party();             // name of this node's party; "" when not set
const char* database();          // the one database that holds the studies of this server
const char* listen_addresses();  // comma-separated, "*" for all
int port();
int max_studies();  // engines at the same time
int max_peers();
const char* certificate_file();  // "" when not set; relative paths start at the data directory
const char* private_key_file();
const char* ca_file();
const char* crl_file();
int listener_memory_kb();
int step_timeout_ms();  // how long an awaited peer may make no progress
int memory_kb();        // limit of an engine's working memory
int table_memory_kb();  // tables of one encryptor
int threads();          // compute threads of one engine

}  // namespace pgmpc::guc
