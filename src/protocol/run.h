// What: what both roles of a run share: step rows with their times, sealing, and steps 7-8.
// Terms: run = one party's part in one attempt, as an object that owns its secrets.
#pragma once
#include <chrono>
#include <memory>

#include "analysis/run.h"
#include "crypto/sealed_channel.h"
#include "mpc/session.h"
#include "protocol/join.h"
#include "protocol/protocol.h"
#include "sharing/field.h"

namespace pgmpc {

class Run {
 public:
  explicit Run(const StudyContext& context);

 protected:
  // Times one step: before_step, body, after_step with what the body filled into the row.
  template <typename Body>
  void step(int number, const char* name, Body body) {
    context_.observer.before_step(number, name);
    StepRow row = begin_row(number, name);
    body(row);
    finish_row(row);
  }
  StepRow begin_row(int number, const char* name);
  void finish_row(StepRow& row);
  // The last thing that a step's body does: everything in its list (step_facts.h) has been destroyed.
  void destroyed(StepRow& row) const;
  // The same for the last step of a rehearsal, after which this party holds no data of the study.
  void rehearsed(StepRow& row);

  // Error(limit_exceeded) when so many records of this size do not fit the memory limit.
  void check_memory(std::uint64_t records, std::uint64_t bytes_per_record) const;

  // The handshake of the attempt: sealed keys, sid.
  void shake_hands();
  Channel& channel() { return *sealed_; }

  // Steps 7 and 8. additive: this party's summand of every value, column by column in joined order (empty columns of
  // `rows` entries at the third party); inputs: summands of what the owners share of each column; own: description of
  // own columns.
  void share_and_analyse(std::size_t rows, std::vector<FpVector> additive, ColumnInputs inputs,
                         std::vector<ColumnDescription> own);
  static StudyResult rehearsed_match(std::size_t matched) {
    StudyResult result;
    result.matched = static_cast<std::int64_t>(matched);
    return result;
  }
  StudyResult take_result() { return std::move(result_); }
  // Runs a party's steps; an error about what a peer sent names that peer.
  StudyResult naming_the_sender(const std::function<StudyResult()>& steps) const;

  const StudyContext& context_;
  const Spec& spec_;
  int self_;
  std::unique_ptr<SealedChannel> sealed_;
  StudyResult result_;

 private:
  std::vector<FpVector> share_columns(Session& session, std::size_t rows, std::vector<FpVector>& additive);
  std::vector<ColumnDescription> exchange_descriptions(std::vector<ColumnDescription> own);

  std::chrono::steady_clock::time_point step_start_;
  std::uint64_t bytes_before_ = 0;
  double cpu_before_, kernel_before_;
};

// Runs a party's part. A failure is told to the peers by an abort; an outcome that all three reach by themselves
// (refused by a rule, not converged) is not: the slower ones must still get the messages that tell them.
StudyResult leaving_properly(const StudyContext& context, const std::function<StudyResult()>& run);

}  // namespace pgmpc
