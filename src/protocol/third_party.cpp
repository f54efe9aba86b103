// Implements steps 4 to 6 of the independent third party (docs/protocol.md), then the common steps 7 and 8.
//
// Invariants
// Hashes exist in memory only. Ciphertexts of unmatched records are dropped block by block, and every block is treated
// alike (rule F6). Both directions use one secret order (rule F20). A match count below the minimum leaves this class
// in no form (rule F7). Masks and fresh randomness are multiplied into the ciphertexts; nothing is decrypted.
#include <algorithm>

#include "base/error.h"
#include "base/mutants.h"
#include "crypto/paillier.h"
#include "linkage/match.h"
#include "linkage/packing.h"
#include "linkage/pseudonymise.h"
#include "protocol/run.h"
#include "study/disclosure.h"
#include "study/pace.h"

namespace pgmpc {

namespace {
class ThirdParty : public Run {
 public:
  explicit ThirdParty(const StudyContext& context) : Run(context) {}

  StudyResult run() {
    return with_sender_in_errors([&] { return run_steps(); });
  }

 private:
  StudyResult run_steps() {
    step(1, "prepare", [](StepRow&) {});
    shake_hands();
    receive_hashes();
    if (context_.rehearsal) {
      step(4, "match", [&](StepRow& row) { rehearse_match(row); });
      return rehearsed_match(matched_);
    }
    step(4, "match", [&](StepRow& row) { match(row); });
    receive_masks();
    step(6, "unmask", [&](StepRow& row) { unmask(row); });
    std::vector<FpVector> nothing;
    const std::size_t columns = joined_columns(spec_).size();
    for (std::size_t j = 0; j < columns; ++j) nothing.emplace_back(matched_);
    share_and_analyse(matched_, std::move(nothing), {FpVector(columns), FpVector(columns), FpVector(columns)}, {});
    return take_result();
  }

  // The push of one controller, then its ciphertexts of matched records in the secret order.
  struct Side {
    PaceClock::time_point began{};  // of its push
    bool announced = false;         // the number of records is known
    bool too_many = false;
    std::size_t records = 0, received = 0;
    std::size_t record_bytes = 0;
    std::unique_ptr<PaillierEvaluator> evaluator;
    std::unique_ptr<PaillierRerandomizer> rerandomizer;
    Bytes stored;
  };

  // Receives pushed hashes as they arrive, alternating between the sides while both have some. So neither controller
  // waits for the other (rule B12). In step-by-step mode only step 4 itself waits for its SQL call.
  void receive_hashes() {
    const auto missing = [&](int side) {
      return !sides_[side].announced || sides_[side].received < sides_[side].records;
    };
    int turn = 0;
    while (mutant(Mutant::reads_one_side_first) && missing(0)) receive_pushed(0);
    while (missing(0) || missing(1)) {
      // The side whose turn it is comes first, if a message of it has arrived.
      int side = missing(turn) ? channel().await(1u << turn, 4, PaceClock::time_point::min()) : -1;
      if (side < 0)
        side = channel().await((missing(0) ? 1u : 0u) | (missing(1) ? 2u : 0u), 4, PaceClock::time_point::max());
      receive_pushed(side);
      turn = 1 - side;
    }
    pushed_ = PaceClock::now();
  }

  void receive_pushed(int side) {
    Side& s = sides_[side];
    Bytes message = channel().receive(side, 4);
    if (!s.announced) {
      s.began = PaceClock::now();
      s.announced = true;
      s.records = decode_record_count(message);
      s.too_many = !fits_half(s.records);
      return;
    }
    const std::size_t count = std::min(kHashBlock, s.records - s.received);
    if (message.size() != count * kHashBytes)
      throw Error(ErrorCode::protocol_violation, "a block of hashed identifiers has the wrong size");
    s.received += count;
    if (!sides_[side].too_many) table_.append(side, message);
    cleanse(message.data(), message.size());
  }

  // Each side has its own half of the memory. What the other side pushes does not change it (rule B5).
  bool fits_half(std::size_t records) const {
    const std::uint64_t limit = context_.memory_limit;
    if (mutant(Mutant::joint_memory_limit))
      return limit == 0 || sides_[0].records + sides_[1].records <= limit / (2 * kHashBytes);
    return limit == 0 || records <= limit / 2 / (2 * kHashBytes);
  }

  // Tells both controllers at the same time, which counts from the first push (pace.h). A controller with too many
  // records is informed last, because it ends its run at once.
  void announce(bool refused, std::size_t found, PaceClock::duration matching) {
    const auto first = std::min(sides_[0].began, sides_[1].began);
    channel().await(0, 4,
                    first + announcement_delay(pushed_ - first + matching, spec_.expected_records, spec_.key_bits));
    for (const bool too_many : {false, true}) {
      for (int side = 0; side < 2; ++side)
        if (sides_[side].too_many == too_many) channel().send(side, 4, encode_announcement({refused, too_many, found}));
      if (refused) channel().flush();
    }
  }

  // Returns one bit for all reasons to refuse. No party learns which reason it was.
  bool is_expected(std::int64_t found) const {
    const std::int64_t required = mutant(Mutant::announces_any_count) ? 1 : spec_.required_matches();
    const bool enough = found >= std::max<std::int64_t>(1, required);
    return enough &&
           (!spec_.expect_matched || (found >= spec_.expect_matched->first && found <= spec_.expect_matched->second));
  }

  // Matches the hashes and announces the count. Throws when the match is refused.
  void match_hashes(StepRow& row) {
    const auto begin = PaceClock::now();
    const bool too_many = sides_[0].too_many || sides_[1].too_many;
    const std::size_t found = too_many ? 0 : table_.match(context_.rng);
    const bool refused = !is_expected(static_cast<std::int64_t>(found));
    announce(refused, found, PaceClock::now() - begin);
    if (too_many) refuse_size();
    if (refused) {
      table_.wipe();
      throw disclosure_refusal(spec_);
    }
    matched_ = found;
    row.records = static_cast<std::int64_t>(matched_);
  }

  void rehearse_match(StepRow& row) {
    match_hashes(row);
    table_.wipe();
    context_.observer.matched(static_cast<std::int64_t>(matched_));
    channel().flush();
    rehearsed(row);
  }

  void match(StepRow& row) {
    match_hashes(row);
    std::uint64_t record_bytes = 32 * joined_columns(spec_).size();
    for (int side = 0; side < 2; ++side)
      record_bytes +=
          SlotLayout(spec_.key_bits, column_count(spec_, side)).ciphertexts_per_record() * spec_.key_bits / 4;
    check_memory(matched_, record_bytes);
    context_.observer.matched(static_cast<std::int64_t>(matched_));
    for (int side = 0; side < 2; ++side) receive_ciphertexts(side);
    destroyed(row);
  }

  [[noreturn]] void refuse_size() {
    table_.wipe();
    const Side& s = sides_[sides_[0].too_many ? 0 : 1];
    throw Error(
        ErrorCode::limit_exceeded,
        "the records of party " + spec_.party_name(sides_[0].too_many ? 0 : 1) + " do not fit into pg_mpc.memory",
        std::to_string(s.records) + " records; each controller may use half of " +
            std::to_string(context_.memory_limit >> 20) + " MB",
        "raise pg_mpc.memory on this node and reload its configuration");
  }

  void receive_ciphertexts(int side) {
    Side& s = sides_[side];
    const PaillierPublicKey key = PaillierPublicKey::decode(channel().receive(side, 4));
    if (key.bits() != spec_.key_bits)
      throw Error(ErrorCode::protocol_violation, "a peer's public key has the wrong size");
    const SlotLayout layout(spec_.key_bits, column_count(spec_, side));
    s.record_bytes = layout.ciphertexts_per_record() * key.ciphertext_size();
    s.evaluator = std::make_unique<PaillierEvaluator>(key);
    s.rerandomizer = std::make_unique<PaillierRerandomizer>(
        key, context_.rng, EncryptorSize{context_.table_memory, matched_ * layout.ciphertexts_per_record()});
    s.stored.resize(matched_ * s.record_bytes);
    const auto& positions = table_.positions_by_row(side);
    const std::size_t block = records_per_block(s.record_bytes);
    for (std::size_t first = 0; first < s.records; first += block) {
      const std::size_t count = std::min(block, s.records - first);
      const Bytes message = channel().receive(side, 4);
      if (message.size() != count * s.record_bytes)
        throw Error(ErrorCode::protocol_violation, "a block of ciphertexts has the wrong size");
      s.evaluator->check_ciphertexts(message, context_.pool, context_.cancel);
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t position = positions[first + i];
        if (position != MatchTable::kUnmatched)
          std::copy_n(message.begin() + static_cast<std::ptrdiff_t>(i * s.record_bytes), s.record_bytes,
                      s.stored.begin() + static_cast<std::ptrdiff_t>(position * s.record_bytes));
      }
    }
  }

  // Multiplies the masks of each controller into the other one's ciphertexts as they arrive. This party's own
  // randomness goes in first, while the controllers are still computing their masks.
  void receive_masks() {
    for (int sender = 0; sender < 2; ++sender) {
      Side& s = sides_[1 - sender];
      const std::size_t block = records_per_block(s.record_bytes);
      const std::size_t each = s.record_bytes / (static_cast<std::size_t>(spec_.key_bits) / 4);
      const std::size_t group = std::max<std::size_t>(1, s.rerandomizer->records_at_once() / each / block) * block;
      for (std::size_t first = 0; first < matched_; first += block) {
        if (first % group == 0) {
          const std::size_t count = std::min(group, matched_ - first);
          s.rerandomizer->rerandomize({s.stored.data() + first * s.record_bytes, count * s.record_bytes}, context_.pool,
                                      context_.cancel);
        }
        const std::size_t size = std::min(block, matched_ - first) * s.record_bytes;
        const Bytes masks = channel().receive(sender, 5);
        if (masks.size() != size) throw Error(ErrorCode::protocol_violation, "a block of masks has the wrong size");
        s.evaluator->check_ciphertexts(masks, context_.pool, context_.cancel);
        const std::span<std::uint8_t> sums(s.stored.data() + first * s.record_bytes, size);
        s.evaluator->add(sums, masks, sums, context_.pool, context_.cancel);
        context_.observer.progress("add masks", first + size / s.record_bytes, matched_);
      }
      s.rerandomizer.reset();
    }
  }

  void unmask(StepRow& row) {
    // Blocks alternate between the controllers, so that both decrypt at the same time.
    std::size_t done[2] = {0, 0};
    while (done[0] < matched_ || done[1] < matched_)
      for (int side = 0; side < 2; ++side) {
        const Side& s = sides_[side];
        const std::size_t count = std::min(records_per_block(s.record_bytes), matched_ - done[side]);
        if (count == 0) continue;
        const auto at = s.stored.begin() + static_cast<std::ptrdiff_t>(done[side] * s.record_bytes);
        channel().send(side, 6, Bytes(at, at + static_cast<std::ptrdiff_t>(count * s.record_bytes)));
        done[side] += count;
      }
    channel().flush();
    for (Side& s : sides_) {
      cleanse(s.stored.data(), s.stored.size());
      s.stored = Bytes();
    }
    table_.wipe();
    row.records = static_cast<std::int64_t>(matched_);
    destroyed(row);
  }

  MatchTable table_;
  Side sides_[2];
  PaceClock::time_point pushed_{};
  std::size_t matched_ = 0;
};
}  // namespace

StudyResult run_third_party(const StudyContext& context) {
  return run_and_end_channel(context, [&] { return ThirdParty(context).run(); });
}

}  // namespace pgmpc
