// What both roles of a run share: step rows with their times, encryption of messages, and steps 7 and 8.
//
// Terms
// A run is one party's part in one attempt, as an object that owns its secrets.
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
  // Runs and times one step: before_step, the body, then after_step with the row that the body has filled in.
  template <typename Body>
  void step(int number, const std::string& name, Body body) {
    context_.observer.before_step(number, name);
    StepRow row = begin_row(number, name);
    body(row);
    finish_row(row);
  }
  StepRow begin_row(int number, const std::string& name);
  void finish_row(StepRow& row);
  // Writes the list of step_facts.h to the row. A step's body calls it last, after everything in the list has been
  // destroyed.
  void destroyed(StepRow& row) const;
  // The same for the last step of a rehearsal. It also destroys the keys of the attempt, so this party holds no data of
  // the study afterwards.
  void rehearsed(StepRow& row);

  // Throws Error(limit_exceeded) when so many records of this size do not fit into the memory limit.
  void check_memory(std::uint64_t records, std::uint64_t bytes_per_record) const;

  // Runs the handshake of the attempt, which creates the encrypted channel.
  void shake_hands();
  Channel& channel() { return *sealed_; }

  // Runs steps 7 and 8. additive: this party's summand of every value, one vector of `rows` entries per joined column
  // (zeros at the third party). inputs: summands of the owners' inputs for each column. own: descriptions of own
  // columns.
  void share_and_analyse(std::size_t rows, std::vector<FpVector> additive, ColumnInputs inputs,
                         std::vector<ColumnDescription> own);
  static StudyResult rehearsed_match(std::size_t matched) {
    StudyResult result;
    result.matched = static_cast<std::int64_t>(matched);
    return result;
  }
  StudyResult take_result() { return std::move(result_); }
  // Runs a party's steps. An error about a message of a peer gets the name of that peer.
  StudyResult with_sender_in_errors(const std::function<StudyResult()>& steps) const;

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

// Runs a party's part and ends the channel in the right way when it throws. A failure aborts the channel, so that the
// peers notice. Outcomes that all three parties reach by themselves (refused, not_converged) do not: they flush the
// channel, because slower parties still need the messages to reach the same outcome.
StudyResult run_and_end_channel(const StudyContext& context, const std::function<StudyResult()>& run);

}  // namespace pgmpc
