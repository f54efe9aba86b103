// Steps 1 to 8 of docs/protocol.md for one party, over an abstract channel. The same code runs three parties in one
// process (unit tests) and one party per engine (three servers).
//
// Terms
// The source is what a controller has read from its own table. An attempt is one run of a study; everything random is
// fresh in it. The observer is how the caller watches the run and decides when its steps begin.
//
// Invariants
// A run knows nothing of SQL. It destroys what docs/protocol.md says at the step that it says, also when it throws.
//
// Threads
// A run blocks its caller. It uses that thread and the pool.
//
// Errors
// A run aborts the channel when it throws, except for outcomes that all parties reach by themselves (run.h).
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
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

// The version of the messages of an attempt. Nodes with different versions do not start an attempt.
inline constexpr int kProtocolVersion = 3;

struct SourceColumn {
  std::string name;
  bool binary = false;          // SQL boolean, or the column of a level: holds only 0 and 1
  SecretVector<double> values;  // one per complete record
  std::int64_t nulls = 0;       // among all rows
  std::int64_t undeclared = 0;  // column of a level: rows whose value is none of the declared levels
};

// One controller's complete records. The reader drops and counts records with a missing value.
struct Source {
  std::vector<SourceColumn> columns;  // ControllerSpec::columns() order
  // The identifier of record r is the bytes identifier_ends[r-1] .. identifier_ends[r] of identifiers. It consists of
  // its normalised parts, each as u32 length and bytes.
  SecretBytes identifiers;
  std::vector<std::uint64_t> identifier_ends;
  std::int64_t rows = 0;       // all rows that were read
  std::int64_t with_null = 0;  // rows with a missing value in a column or a part
  std::int64_t dropped = 0;    // rows with a missing value or part, or a refused identifier
  std::int64_t refused = 0;    // of the dropped: refused by the form of a part
  // Empty, or one entry per record, where the reader keeps records with a missing value (NaN): 1 marks these.
  std::vector<std::uint8_t> incomplete;
  std::size_t records() const { return identifier_ends.size(); }
};

// What a party records about one finished step.
struct StepRow {
  std::string party;
  int step = 0;
  std::string name;                     // prepare, agree_key, scramble, push, match, mask, unmask, share, lasso
  std::string peer;                     // empty: both or none
  std::optional<std::int64_t> records;  // this node's own counts only (F5)
  std::optional<std::int64_t> bytes;
  double seconds = 0;
  // Processor time of this process since the previous row: in all, and in batches of the pool, where the kernels of
  // steps 2 to 6 run.
  double cpu_seconds = 0, kernel_seconds = 0;
  std::string data_status;  // personal, pseudonymised, anonymous, aggregate
  std::vector<std::string> destroyed;
};

// What this party sent in steps 7 and 8, by phase of the computation.
struct TrafficRow {
  std::string phase;
  std::int64_t rounds = 0, elements = 0, bytes_sent = 0;
};

// What a party holds after step 8. After a rehearsal only `matched` is set.
struct StudyResult {
  std::int64_t matched = 0;
  bool received = false;                 // whether this party is a recipient; else analyses hold what all learn
  std::vector<AnalysisResult> analyses;  // in the order of the spec
  std::int64_t rounds = 0, bytes_sent = 0;
  std::vector<TrafficRow> traffic;
};

// Callbacks of a run, called on its thread.
class StudyObserver {
 public:
  virtual ~StudyObserver() = default;
  // Called before each own step. It may wait: in step-by-step mode it waits for the SQL call of that step.
  virtual void before_step(int step, const std::string& name) {}
  virtual void after_step(const StepRow& row) {}
  // Counts that any reader of this node may see. total 0: unknown.
  virtual void progress(const std::string& phase, std::uint64_t done, std::uint64_t total) {}
  // Called after every round of steps 7 and 8. estimated: the total for a problem that converges as most do.
  virtual void round(std::int64_t done, std::int64_t estimated) {}
  virtual void matched(std::int64_t records) {}
  // Called at all three parties before anything of a result is opened. Returns when this node can store a result, or
  // throws.
  virtual void before_release() {}
};

// What a run needs from its caller. All references must live longer than the run.
struct StudyContext {
  const Spec& spec;
  std::string study;
  Channel& transport;
  Rng& rng;
  ThreadPool& pool;
  const CancelToken& cancel;
  StudyObserver& observer;
  std::uint64_t memory_limit = 0;                  // bytes of records that this party may hold at once; 0: no limit
  std::size_t table_memory = kPaillierTableBytes;  // bytes of the tables and pending records of one encryptor
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();  // before the source was read
  ReleasedNumbers numbers{};                                                       // of a controller
  // A rehearsal ends after the match count, without key pair, ciphertext or share. All parties of an attempt rehearse,
  // or none.
  bool rehearsal = false;
  std::string commitments{};  // of the controllers to their data, as this node knows them; part of the agreed digest
};

// Run one party. Its index is transport.self(). The source is consumed and wiped after encoding. Errors: data_exception
// and limit_exceeded for the source; refused, not_converged, protocol_violation, and what the channel throws.
StudyResult run_controller(const StudyContext& context, Source source);
StudyResult run_third_party(const StudyContext& context);

// Returns the digest of what the parties of an attempt agree on: the study, the commitments of the controllers to their
// data, and whether it is a rehearsal. Parties that differ in any of these have no keys in common.
Hash agreed_digest(ByteView study_digest, std::string_view commitments, bool rehearsal);

}  // namespace pgmpc
