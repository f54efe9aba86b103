// What: the settings pg_mpc.*. Plain getters, no PostgreSQL types: any file of the glue may ask.
// Terms: postmaster settings exist only when the library is preloaded; without it the getters give the defaults.
//        Paths name files, never contents: no secret is ever a setting.
#pragma once

namespace pgmpc::guc {

void Init();

const char* party();             // name of this node's party; "" when not set
const char* database();          // the one database that studies of this server live in
const char* listen_addresses();  // comma-separated, "*" for all
int port();
int max_studies();  // engines at one time
int max_peers();
const char* certificate_file();  // "" when not set; relative paths start at the data directory
const char* private_key_file();
const char* ca_file();
const char* crl_file();
int listener_memory_kb();
int step_timeout_ms();  // how long an awaited peer may make no progress
int memory_kb();        // bound of an engine's working memory
int table_memory_kb();  // of one encryptor
int threads();          // of one engine

}  // namespace pgmpc::guc
