// Defines the settings pg_mpc.* when the library is loaded.
//
// Invariants
// Every setting is one row of a table below, or of pg/floors.cpp. The context of a row says when it may change.
#include "pg/guc.h"

#include "pg/compat.h"
#include "pg/floors.h"

namespace pgmpc::guc {

namespace {

char* party_value = nullptr;
char* database_value = nullptr;
char* listen_addresses_value = nullptr;
char* certificate_file_value = nullptr;
char* private_key_file_value = nullptr;
char* ca_file_value = nullptr;
char* crl_file_value = nullptr;
int port_value = 7443;
int max_studies_value = 8;
int max_peers_value = 16;
int step_timeout_value = 5 * 60 * 1000;
int memory_value = 256 * 1024;
int table_memory_value = 64 * 1024;
int threads_value = 2;
int listener_memory_value = 256 * 1024;
int approval_lifetime_value = 30 * 24 * 60;
int min_matched_value = 100;
int early_attempts_value = 50;

// A party name is [a-z][a-z0-9_]{0,62}. An empty name means that this server is not a node yet.
bool check_party(char** value, void** extra, GucSource source) {
  const char* name = *value;
  if (name[0] == '\0') return true;
  bool valid = name[0] >= 'a' && name[0] <= 'z' && strlen(name) <= 63;
  for (const char* c = name; valid && *c; ++c)
    valid = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_';
  if (!valid)
    GUC_check_errdetail("A party name has 1 to 63 lowercase letters, digits or underscores and begins with a letter.");
  return valid;
}

struct StringSetting {
  const char* name;
  const char* description;
  char** value;
  const char* initial;
  GucContext context;
  int flags;
  GucStringCheckHook check;
};

struct IntSetting {
  const char* name;
  const char* description;
  int* value;
  int initial, least, greatest;
  GucContext context;
  int flags;
};

const StringSetting string_settings[] = {
    {"pg_mpc.party", "Name of the party whose node this server is.", &party_value, "", PGC_POSTMASTER, 0, check_party},
    {"pg_mpc.database", "Database that holds the studies of this node.", &database_value, "postgres", PGC_POSTMASTER, 0,
     nullptr},
    {"pg_mpc.listen_addresses", "Addresses on which the node accepts HTTPS from its peers.", &listen_addresses_value,
     "localhost", PGC_POSTMASTER, GUC_LIST_INPUT, nullptr},
    {"pg_mpc.certificate_file", "File with the certificate that identifies this node.", &certificate_file_value, "",
     PGC_SIGHUP, 0, nullptr},
    {"pg_mpc.private_key_file", "File with the private key of this node's certificate.", &private_key_file_value, "",
     PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr},
    {"pg_mpc.ca_file", "File with certificates that the peers' certificates must also chain to (optional).",
     &ca_file_value, "", PGC_SIGHUP, 0, nullptr},
    {"pg_mpc.crl_file", "File with revocation lists of the authorities in pg_mpc.ca_file (optional).", &crl_file_value,
     "", PGC_SIGHUP, 0, nullptr},
};

const IntSetting int_settings[] = {
    {"pg_mpc.port", "Port on which the node accepts HTTPS from its peers.", &port_value, 7443, 1, 65535, PGC_POSTMASTER,
     0},
    {"pg_mpc.max_studies", "Studies that may run on this node at the same time.", &max_studies_value, 8, 1, 64,
     PGC_POSTMASTER, 0},
    {"pg_mpc.max_peers", "Peers that this node may know.", &max_peers_value, 16, 2, 256, PGC_POSTMASTER, 0},
    {"pg_mpc.step_timeout", "Time without progress of the awaited peer after which a step fails.", &step_timeout_value,
     5 * 60 * 1000, 100, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS},
    {"pg_mpc.memory", "Working memory of one running study; more data goes to an encrypted, unlinked file.",
     &memory_value, 256 * 1024, 16 * 1024, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB},
    {"pg_mpc.listener_memory", "Messages of one peer that the listener holds until an engine has taken them.",
     &listener_memory_value, 256 * 1024, 32 * 1024, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB},
    {"pg_mpc.table_memory", "Working memory of Paillier encryption: more makes it faster for many records.",
     &table_memory_value, 64 * 1024, 1024, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB},
    {"pg_mpc.approval_lifetime",
     "How long a proposal waits for its approvals, and how long an approval of this node holds.",
     &approval_lifetime_value, 30 * 24 * 60, 1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN},
    {"pg_mpc.min_matched", "Smallest disclosure.min_matched of a study that this node takes part in.",
     &min_matched_value, 100, 1, INT_MAX, PGC_SIGHUP, 0},
    {"pg_mpc.early_attempts",
     "Attempts with the same parties that may end before the match within a day (0: any number).",
     &early_attempts_value, 50, 0, INT_MAX, PGC_SIGHUP, 0},
    {"pg_mpc.threads", "Threads that compute for one running study.", &threads_value, 2, 1, 64, PGC_SIGHUP, 0},
};

// The server refuses to define postmaster settings after its start.
bool definable(GucContext context) { return context != PGC_POSTMASTER || process_shared_preload_libraries_in_progress; }

}  // namespace

void Init() {
  for (const StringSetting& s : string_settings) {
    if (definable(s.context))
      DefineCustomStringVariable(s.name, s.description, nullptr, s.value, s.initial, s.context, s.flags, s.check,
                                 nullptr, nullptr);
  }
  for (const IntSetting& s : int_settings) {
    if (definable(s.context))
      DefineCustomIntVariable(s.name, s.description, nullptr, s.value, s.initial, s.least, s.greatest, s.context,
                              s.flags, nullptr, nullptr, nullptr);
  }
  define_floors();
  // Without preload, postmaster settings of the configuration file stay unknown names and must not be refused.
  if (process_shared_preload_libraries_in_progress) MarkGUCPrefixReserved("pg_mpc");
}

namespace {
const char* text_or(const char* value, const char* fallback) { return value ? value : fallback; }
}  // namespace

const char* party() { return text_or(party_value, ""); }
const char* database() { return text_or(database_value, "postgres"); }
const char* listen_addresses() { return text_or(listen_addresses_value, "localhost"); }
int port() { return port_value; }
int max_studies() { return max_studies_value; }
int max_peers() { return max_peers_value; }
const char* certificate_file() { return text_or(certificate_file_value, ""); }
const char* private_key_file() { return text_or(private_key_file_value, ""); }
const char* ca_file() { return text_or(ca_file_value, ""); }
const char* crl_file() { return text_or(crl_file_value, ""); }
int step_timeout_ms() { return step_timeout_value; }
int memory_kb() { return memory_value; }
int table_memory_kb() { return table_memory_value; }
int threads() { return threads_value; }
int listener_memory_kb() { return listener_memory_value; }

}  // namespace pgmpc::guc
