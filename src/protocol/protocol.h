// What: steps 1-8 of docs/protocol.md for one party, over an abstract channel. The same code runs three parties in one
//       process (unit tests) and one party per engine (three servers).
// Terms: source = what a controller read from its own table; attempt = one run of a study, everything random fresh;
//        observer = how the caller watches and paces the run.
// Invariants: blocking; runs on one thread plus the pool; knows nothing of SQL; destroys what docs/protocol.md says at
// the
//             step it says, also when it throws; aborts the channel when it throws.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analysis/relation.h"
#include "base/cancel.h"
#include "base/channel.h"
#include "base/rng.h"
#include "base/secret.h"
#include "base/thread_pool.h"
#include "crypto/keyed_hash.h"
#include "crypto/paillier.h"
#include "study/disclosure.h"
#include "study/spec.h"

namespace pgmpc {

// Of the messages of an attempt. Nodes with different versions do not start one.
inline constexpr int kProtocolVersion = 3;

struct SourceColumn {
  std::string name;
  bool binary = false;          // SQL boolean: holds 0 and 1
  SecretVector<double> values;  // one per complete record
  std::int64_t nulls = 0;       // among all rows
};

// One controller's complete records (those with a missing value are dropped and counted by the reader).
struct Source {
  std::vector<SourceColumn> columns;  // ControllerSpec::columns() order
  // Identifier of record r: bytes identifier_ends[r-1] .. identifier_ends[r] of identifiers; the parts of one
  // identifier, already normalised, each as u32 length + bytes.
  SecretBytes identifiers;
  std::vector<std::uint64_t> identifier_ends;
  std::int64_t rows = 0;       // read, whatever became of them
  std::int64_t with_null = 0;  // of the rows: in a column or a part
  std::int64_t dropped = 0;    // a value or a part is missing, or the identifier is refused:
  std::int64_t refused = 0;    // by its form; among the dropped
  // Empty, or 1 per record that has a missing value (NaN), where the reader keeps those.
  std::vector<std::uint8_t> incomplete;
  std::size_t records() const { return identifier_ends.size(); }
};

struct StepRow {
  std::string party;
  int step = 0;
  std::string name;                     // prepare, agree_key, scramble, push, match, mask, unmask, share, lasso
  std::string peer;                     // empty: both or none
  std::optional<std::int64_t> records;  // this node's own counts only (F5)
  std::optional<std::int64_t> bytes;
  double seconds = 0;
  // Processor time of this process since the row before: all of it, and that of the pool's batches (the kernels of
  // steps 2-6 run there).
  double cpu_seconds = 0, kernel_seconds = 0;
  std::string data_status;  // personal, pseudonymised, anonymous, aggregate
  std::vector<std::string> destroyed;
};

// What this party sent in steps 7 and 8, by phase of the computation.
struct TrafficRow {
  std::string phase;
  std::int64_t rounds = 0, elements = 0, bytes_sent = 0;
};

// What a party holds after step 8. After a rehearsal: matched only.
struct StudyResult {
  std::int64_t matched = 0;
  bool received = false;                 // this party is a recipient; else analyses hold what all parties learn
  std::vector<AnalysisResult> analyses;  // in the order of the spec
  std::int64_t rounds = 0, bytes_sent = 0;
  std::vector<TrafficRow> traffic;
};

class StudyObserver {
 public:
  virtual ~StudyObserver() = default;
  // Called before each own step; may wait (manual mode waits for the SQL call of that step).
  virtual void before_step(int step, const std::string& name) {}
  virtual void after_step(const StepRow& row) {}
  // Counts that any reader of this node may see; total 0 = unknown.
  virtual void progress(const std::string& phase, std::uint64_t done, std::uint64_t total) {}
  // After every round of steps 7 and 8; estimated for a problem that converges as most do.
  virtual void round(std::int64_t done, std::int64_t estimated) {}
  virtual void matched(std::int64_t records) {}
  // Before anything of a result is opened, at all three parties: returns when this node can store one, or throws.
  virtual void before_release() {}
};

struct StudyContext {
  const Spec& spec;
  std::string study;
  Channel& transport;
  Rng& rng;
  ThreadPool& pool;
  const CancelToken& cancel;
  StudyObserver& observer;
  std::uint64_t memory_limit = 0;                  // bytes of records this party may hold at once; 0 = no limit
  std::size_t table_memory = kPaillierTableBytes;  // bytes of the tables and records under way of one encryptor
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();  // before the source was read
  ReleasedNumbers numbers{};                                                       // of a controller
  // Ends after the match count: no key pair, no ciphertext, no share. All parties of an attempt rehearse, or none.
  bool rehearsal = false;
};

// party index from the transport's self(). The source is consumed (wiped after encoding).
StudyResult run_controller(const StudyContext& context, Source source);
StudyResult run_third_party(const StudyContext& context);

// What the parties of a rehearsal agree on in place of the digest of a study: none of them finds common keys with a
// party that runs the study.
Hash rehearsal_digest(ByteView digest);

// Names of the steps of a role in the order in which they run by hand.
const std::vector<std::pair<int, std::string>>& steps_of(bool third_party);

}  // namespace pgmpc
