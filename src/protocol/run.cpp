// Implements step rows, the handshake, and steps 7 and 8.
#include "protocol/run.h"

#include <time.h>

#include <optional>
#include <utility>

#include "algebra/fixed.h"
#include "base/cleansing_heap.h"
#include "base/error.h"
#include "base/mutants.h"
#include "base/witness.h"
#include "mpc/input.h"
#include "mpc/session.h"
#include "study/disclosure.h"
#include "study/explain_estimate.h"
#include "study/levels.h"
#include "study/step_facts.h"

namespace pgmpc {

namespace {
// Returns the rows per message of step 7.
std::size_t share_block(std::size_t columns) { return std::max<std::size_t>(1, kShareBlock / columns); }

GateLabel input_label(std::uint32_t block, std::uint16_t gate) {
  return {static_cast<std::uint16_t>(Phase::input), block, gate};
}

unsigned recipient_set(const Spec& spec) {
  unsigned set = 0;
  for (const std::string& party : spec.recipients) set |= 1u << spec.party_index(party);
  return set;
}

double process_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
}  // namespace

StudyResult run_and_end_channel(const StudyContext& context, const std::function<StudyResult()>& run) {
  try {
    return run();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::refused && error.code() != ErrorCode::not_converged) {
      context.transport.abort();
      throw;
    }
    try {
      context.transport.flush();
    } catch (const Error&) {
      // a peer has left already, which does not change the outcome
    }
    throw;
  } catch (...) {
    context.transport.abort();
    throw;
  }
}

StudyResult Run::with_sender_in_errors(const std::function<StudyResult()>& steps) const {
  try {
    return steps();
  } catch (const Error& error) {
    const int sender = sealed_ ? sealed_->latest_sender() : -1;
    if (sender < 0 || (error.code() != ErrorCode::protocol_violation && error.code() != ErrorCode::invalid_text)) throw;
    throw Error(ErrorCode::protocol_violation,
                "party " + spec_.party_name(sender) + " sent data that the protocol does not allow",
                error.message() + (error.detail().empty() ? "" : ": " + error.detail()), error.hint());
  }
}

Run::Run(const StudyContext& context)
    : context_(context),
      spec_(context.spec),
      self_(context.transport.self()),
      step_start_(std::chrono::steady_clock::now()),
      cpu_before_(process_cpu_seconds()),
      kernel_before_(context.pool.cpu_seconds()) {
  if (spec_.format != kSpecFormat)
    throw Error(ErrorCode::wrong_state, "the spec of the study has an old format",
                "format " + std::to_string(spec_.format) + "; studies run with format " + std::to_string(kSpecFormat),
                "propose it again: a new version gets the current defaults and needs new approvals");
  if (spec_.keep_shares) throw Error(ErrorCode::not_supported, "keep_shares true is not supported");
}

StepRow Run::begin_row(int number, const std::string& name) {
  do_what_sanitizers_find();
  step_start_ = std::chrono::steady_clock::now();
  bytes_before_ = context_.transport.bytes_sent();
  StepRow row;
  row.party = spec_.party_name(self_);
  row.step = number;
  row.name = name;
  row.data_status = data_status(number, self_ == kThirdParty);
  return row;
}

void Run::finish_row(StepRow& row) {
  cleanse_stack();
  row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - step_start_).count();
  row.bytes = static_cast<std::int64_t>(context_.transport.bytes_sent() - bytes_before_);
  const double cpu = process_cpu_seconds(), kernel = context_.pool.cpu_seconds();
  row.cpu_seconds = cpu - std::exchange(cpu_before_, cpu);
  row.kernel_seconds = kernel - std::exchange(kernel_before_, kernel);
  context_.observer.after_step(row);
}

void Run::destroyed(StepRow& row) const {
  row.destroyed = context_.rehearsal ? destroyed_in_rehearsal(row.name, self_ == kThirdParty)
                                     : destroyed_in(spec_, row.name, self_ == kThirdParty);
}

void Run::rehearsed(StepRow& row) {
  sealed_->wipe();
  row.data_status = "none";
  destroyed(row);
}

void Run::check_memory(std::uint64_t records, std::uint64_t bytes_per_record) const {
  const std::uint64_t limit = context_.memory_limit;
  if (limit == 0 || records <= limit / bytes_per_record) return;
  constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;
  throw Error(ErrorCode::limit_exceeded, "the records of the study do not fit into pg_mpc.memory",
              "about " + std::to_string(records * bytes_per_record / kMegabyte + 1) + " MB needed, " +
                  std::to_string(limit / kMegabyte) + " MB allowed",
              "raise pg_mpc.memory on this node and reload its configuration");
}

Hash agreed_digest(ByteView study_digest, std::string_view commitments, bool rehearsal) {
  Bytes agreed;
  Writer(agreed).raw(study_digest).sized(view_of(commitments));
  const Hash digest = sha256(agreed);
  if (!rehearsal) return digest;
  Bytes rehearsed;
  Writer(rehearsed).sized(view_of("pg_mpc rehearsal 1")).raw(digest);
  return sha256(rehearsed);
}

void Run::shake_hands() {
  const Hash digest =
      agreed_digest(from_hex(study_digest(context_.study, spec_)), context_.commitments, context_.rehearsal);
  sealed_ = std::make_unique<SealedChannel>(context_.transport, digest, context_.rng);
}

std::vector<ColumnDescription> Run::exchange_descriptions(std::vector<ColumnDescription> own) {
  std::array<std::vector<ColumnDescription>, 2> of;
  for (int peer = 0; peer < kParties; ++peer)
    if (peer != self_ && self_ != kThirdParty) channel().send(peer, 7, encode_descriptions(own));
  for (int controller = 0; controller < 2; ++controller)
    of[controller] = controller == self_
                         ? std::move(own)
                         : decode_descriptions(channel().receive(controller, 7), column_count(spec_, controller));
  std::vector<ColumnDescription> joined;
  for (const JoinedColumn& column : joined_columns(spec_)) {
    joined.push_back(of[column.party][column.local]);
    // The rules for levels are about two-valued columns only.
    if (column.party != self_ && level_of(column.name) && !joined.back().binary)
      throw Error(ErrorCode::protocol_violation, "a peer's column of a level is not two-valued",
                  "column " + column.name + " of party " + spec_.party_name(column.party));
  }
  return joined;
}

// Shares the values in blocks of rows of all columns. Each block takes one round, with messages of a few megabytes.
std::vector<FpVector> Run::share_columns(Session& session, std::size_t rows, std::vector<FpVector>& additive) {
  std::vector<FpVector> shares(additive.size());
  const std::size_t block = share_block(additive.size());
  for (std::size_t first = 0; first < rows; first += block) {
    const std::size_t count = std::min(block, rows - first);
    std::vector<std::span<const Fp>> part;
    for (const FpVector& column : additive) part.emplace_back(column.data() + first, count);
    const auto made = share_additive(session, input_label(static_cast<std::uint32_t>(first / block), 1), part);
    for (std::size_t column = 0; column < made.size(); ++column)
      shares[column].insert(shares[column].end(), made[column].begin(), made[column].end());
    context_.observer.progress("share", first + count, rows);
  }
  for (FpVector& column : additive) column.wipe();
  return shares;
}

void Run::share_and_analyse(std::size_t rows, std::vector<FpVector> additive, ColumnInputs inputs,
                            std::vector<ColumnDescription> own) {
  AnalysesRequest request;
  JoinedRecords& records = request.records;
  SessionKeys keys;
  keys.sid = sealed_->sid();
  for (int peer = 0; peer < kParties; ++peer)
    if (peer != self_) {
      keys.pair[peer] = sealed_->pairwise_key(peer, "pg_mpc sharing");
      witness("pairwise key", keys.pair[peer].view());
    }
  std::optional<Session> session(std::in_place, channel(), 7, std::move(keys), context_.rng, context_.cancel);
  session->name_phases(phase_name);
  const std::int64_t estimated = static_cast<std::int64_t>(rows / share_block(additive.size()) + 2) +
                                 estimate_analyses(spec_, {}).rounds.value_or(0);
  session->on_round([&, estimated] { context_.observer.round(session->transcript().rounds, estimated); });
  step(7, "share", [&](StepRow& row) {
    records.described = exchange_descriptions(std::move(own));
    records.columns = share_columns(*session, rows, additive);
    const std::span<const Fp> all_inputs[] = {inputs.means, inputs.steps, inputs.inverse_steps};
    for (const FpVector& column : records.columns) witness_values("Shamir share", column);
    std::vector<FpVector> shared = share_additive(*session, input_label(0, 2), all_inputs);
    records.inputs = {std::move(shared[0]), std::move(shared[1]), std::move(shared[2])};
    for (FpVector* input : {&inputs.means, &inputs.steps, &inputs.inverse_steps}) input->wipe();
    channel().flush();
    row.records = static_cast<std::int64_t>(rows);
    destroyed(row);
  });
  step(8, analysis_step(spec_), [&](StepRow& row) {
    session->set_step(8);
    records.attributes = spec_.attribute_count();
    for (const AnalysisEntry& entry : spec_.analyses)
      request.tasks.push_back({entry.name, entry.analysis, entry.columns});
    request.rules = row_rules(spec_);
    request.precision = spec_.precision;
    request.recipients = recipient_set(spec_);
    request.before_release = [this] { context_.observer.before_release(); };
    result_.analyses = run_analyses(*session, std::move(request), context_.cancel,
                                    [&](const char* phase, std::uint64_t done, std::uint64_t total) {
                                      context_.observer.progress(phase, done, total);
                                    });
    result_.matched = static_cast<std::int64_t>(rows);
    result_.received = (recipient_set(spec_) >> self_ & 1) != 0;
    result_.rounds = session->transcript().rounds;
    result_.bytes_sent = static_cast<std::int64_t>(context_.transport.bytes_sent());
    for (const auto& [phase, traffic] : session->transcript().phases)
      result_.traffic.push_back(
          {session->phase_name(phase), traffic.rounds, traffic.elements_sent, traffic.bytes_sent});
    channel().flush();
    session.reset();
    sealed_->wipe();
    row.records = static_cast<std::int64_t>(rows);
    destroyed(row);
  });
}

}  // namespace pgmpc
