// Implements steps 1 to 6 of a data controller (docs/protocol.md), then the common steps 7 and 8.
//
// Invariants
// Data errors are found in step 1, before anything is sent (rule F8). Each step destroys its own secrets: the joint key
// after hashing, clear values after encryption, hashed identifiers and ciphertexts after the push, the private key
// after decryption.
#include <algorithm>

#include "base/error.h"
#include "base/mutants.h"
#include "base/witness.h"
#include "crypto/background_key.h"
#include "crypto/paillier.h"
#include "linkage/encoding.h"
#include "linkage/packing.h"
#include "linkage/pseudonymise.h"
#include "protocol/run.h"
#include "study/disclosure.h"
#include "study/pace.h"

namespace pgmpc {

namespace {
class Controller : public Run {
 public:
  Controller(const StudyContext& context, Source source) : Run(context), source_(std::move(source)), other_(1 - self_) {
    if (makes_key_pair()) own_key_.emplace(spec_.key_bits, context.rng);
  }

  StudyResult run() {
    return with_sender_in_errors([&] { return run_steps(); });
  }

 private:
  StudyResult run_steps() {
    step(1, "prepare", [&](StepRow& row) { prepare(row); });
    step(2, "agree_key", [&](StepRow& row) { agree_key(row); });
    if (context_.rehearsal) {
      step(4, "push", [&](StepRow& row) { rehearse_push(row); });
      return rehearsed_match(matched_);
    }
    step(3, "scramble", [&](StepRow& row) { scramble(row); });
    step(4, "push", [&](StepRow& row) { push(row); });
    step(5, "mask", [&](StepRow& row) { mask(row); });
    step(6, "unmask", [&](StepRow& row) { unmask(row); });
    share_and_analyse(matched_, joined_summands(), summands(), described());
    return take_result();
  }

  bool makes_key_pair() const { return !context_.rehearsal || mutant(Mutant::rehearsal_makes_keys); }

  void prepare(StepRow& row) {
    const ControllerSpec& own = spec_.controllers[self_];
    if (source_.records() == 0)
      throw Error(ErrorCode::data_exception, "the source has no complete record",
                  std::to_string(source_.dropped) + " records have a missing value and were dropped",
                  "mpc.check_source counts the missing values of each column");
    if (source_.records() > kMostRecords)
      throw Error(ErrorCode::limit_exceeded, "the source has too many records",
                  std::to_string(source_.records()) + " records, at most " + std::to_string(kMostRecords),
                  "bind a view of fewer records");
    // Bytes of a record: its ciphertexts, then its clear and encoded values, hashes, masks and shares.
    const SlotLayout layout(spec_.key_bits, source_.columns.size());
    check_memory(source_.records(),
                 layout.ciphertexts_per_record() * spec_.key_bits / 4 + 64 * joined_columns(spec_).size());
    const std::uint64_t duplicates = count_duplicates(view_of(source_.identifiers), source_.identifier_ends,
                                                      context_.rng, context_.pool, context_.cancel);
    if (duplicates != 0)
      throw Error(ErrorCode::data_exception, "the source has duplicate identifiers",
                  std::to_string(duplicates) + " records repeat the identifier of another record",
                  "bind a view that has one record per identifier");
    for (SourceColumn& column : source_.columns) {
      std::optional<int> fixed;
      if (auto at = own.scale_exponents.find(column.name); at != own.scale_exponents.end()) fixed = at->second;
      columns_.push_back(encode_source_column(column.name, column.values, column.binary, fixed));
      column.values.wipe();
    }
    row.records = static_cast<std::int64_t>(source_.records());
    if (context_.rehearsal) {
      columns_.clear();  // wiped: a rehearsal only checks the values
      destroyed(row);
    }
    first_message_at_ = context_.began + next_power(PaceClock::now() - context_.began, kSmallestStart);
  }

  void agree_key(StepRow& row) {
    context_.transport.await(0, 2, first_message_at_);
    shake_hands();
    SecretArray<32> own, other;
    context_.rng.fill(own.span());
    witness("half of the joint key", own.view());
    channel().send(other_, 2, Bytes(own.view().begin(), own.view().end()));
    Bytes received = channel().receive(other_, 2);
    if (received.size() != own.size())
      throw Error(ErrorCode::protocol_violation, "the other controller's half of the joint key has the wrong size");
    std::copy(received.begin(), received.end(), other.data());
    cleanse(received.data(), received.size());
    JointKey key(self_ == 0 ? own : other, self_ == 0 ? other : own, sealed_->sid());
    witness("joint key", key.view());
    const Hash check = key.check_value();
    channel().send(other_, 2, Bytes(check.begin(), check.end()));
    if (!equal_constant_time(channel().receive(other_, 2), check))
      throw Error(ErrorCode::protocol_violation, "the controllers' joint keys differ");
    pseudonyms_ =
        pseudonymise(key, view_of(source_.identifiers), source_.identifier_ends, context_.pool, context_.cancel);
    for (std::size_t r = 0; r < pseudonyms_.rows.size(); ++r)
      witness("hashed identifier", view_of(pseudonyms_.hashes).subspan(r * kHashBytes, kHashBytes));
    source_.identifiers.wipe();
    key.wipe();
    row.records = static_cast<std::int64_t>(source_.records());
    destroyed(row);
  }

  void scramble(StepRow& row) {
    context_.observer.progress("keygen", 0, 1);
    StepRow keygen = row;
    BackgroundKey::Made made = own_key_->take(context_.cancel);
    own_key_.reset();
    key_ = std::make_unique<PaillierPrivateKey>(std::move(made.key));
    keygen.name = "keygen";
    keygen.seconds = made.seconds;
    context_.observer.after_step(keygen);
    const SlotLayout layout(spec_.key_bits, columns_.size());
    record_bytes_ = layout.ciphertexts_per_record() * key_->public_key().ciphertext_size();
    const std::size_t records = pseudonyms_.rows.size(), each = layout.ciphertexts_per_record();
    const PaillierOwnEncryptor encryptor(*key_, context_.rng, {context_.table_memory, records * each});
    std::vector<std::span<const std::int64_t>> values;
    for (const EncodedColumn& column : columns_) values.emplace_back(column.values);
    const std::size_t block = std::max<std::size_t>(1, encryptor.records_at_once() / each);
    ciphertexts_.resize(records * record_bytes_);
    for (std::size_t first = 0; first < records; first += block) {
      const std::size_t count = std::min(block, records - first);
      const SecretBytes plaintexts = pack_values(layout, values, {pseudonyms_.rows.data() + first, count});
      witness("packed values", view_of(plaintexts).first(layout.plaintext_size()));
      encryptor.encrypt(view_of(plaintexts), {ciphertexts_.data() + first * record_bytes_, count * record_bytes_},
                        context_.pool, context_.cancel);
      context_.observer.progress("encrypt", first + count, records);
    }
    for (EncodedColumn& column : columns_) column.values.wipe();
    row.records = static_cast<std::int64_t>(records);
    destroyed(row);
  }

  // Pushes the hashes of step 4 and receives the announcement. Sets matched_, or throws the refusal.
  void push_hashes(StepRow& row) {
    const std::size_t records = pseudonyms_.rows.size();
    row.peer = spec_.third_party;
    row.records = static_cast<std::int64_t>(records);
    channel().send(kThirdParty, 4, encode_record_count(records));
    for (std::size_t first = 0; first < records; first += kHashBlock) {
      const std::size_t count = std::min(kHashBlock, records - first);
      const std::uint8_t* at = pseudonyms_.hashes.data() + first * kHashBytes;
      channel().send(kThirdParty, 4, Bytes(at, at + count * kHashBytes));
    }
    const Announcement announcement = decode_announcement(channel().receive(kThirdParty, 4));
    pseudonyms_ = {};
    if (announcement.too_many)
      throw Error(ErrorCode::limit_exceeded,
                  "the records of this node do not fit into the memory of party " + spec_.third_party,
                  std::to_string(records) + " records were pushed; each controller may use half of pg_mpc.memory there",
                  "bind a view of fewer records, or ask that party to raise pg_mpc.memory");
    if (announcement.refused) throw disclosure_refusal(spec_);
    if (announcement.matched > records) throw Error(ErrorCode::protocol_violation, "invalid match count");
    matched_ = announcement.matched;
    context_.observer.matched(static_cast<std::int64_t>(matched_));
  }

  // The push of a rehearsal: no public key and no ciphertext follows the match.
  void rehearse_push(StepRow& row) {
    push_hashes(row);
    if (mutant(Mutant::rehearsal_makes_keys))
      channel().send(kThirdParty, 4, own_key_->take(context_.cancel).key.public_key().encode());
    channel().flush();
    rehearsed(row);
  }

  void push(StepRow& row) {
    push_hashes(row);
    const std::size_t records = ciphertexts_.size() / record_bytes_;
    check_released_numbers(spec_, static_cast<std::int64_t>(matched_), context_.numbers);
    const Bytes public_key = key_->public_key().encode();
    channel().send(other_, 4, public_key);
    channel().send(kThirdParty, 4, public_key);
    const std::size_t block = records_per_block(record_bytes_) * record_bytes_;
    for (std::size_t first = 0; first < ciphertexts_.size(); first += block) {
      const auto at = ciphertexts_.begin() + static_cast<std::ptrdiff_t>(first);
      channel().send(kThirdParty, 4,
                     Bytes(at, at + static_cast<std::ptrdiff_t>(std::min(block, ciphertexts_.size() - first))));
      context_.observer.progress("push", std::min(first + block, ciphertexts_.size()) / record_bytes_, records);
    }
    channel().flush();
    ciphertexts_ = Bytes();
    destroyed(row);
  }

  void mask(StepRow& row) {
    const PaillierPublicKey key = PaillierPublicKey::decode(channel().receive(other_, 4));
    if (key.bits() != spec_.key_bits)
      throw Error(ErrorCode::protocol_violation, "a peer's public key has the wrong size");
    const std::size_t columns = column_count(spec_, other_);
    const SlotLayout layout(spec_.key_bits, columns);
    const std::size_t record_bytes = layout.ciphertexts_per_record() * key.ciphertext_size();
    const std::size_t block = records_per_block(record_bytes);
    const std::size_t each = layout.ciphertexts_per_record();
    const PaillierMaskEncryptor encryptor(key, context_.rng, {context_.table_memory, matched_ * each});
    // A message holds one block. Encryption works on a group of many blocks at once.
    const std::size_t group = std::max<std::size_t>(1, encryptor.records_at_once() / each / block) * block;
    mask_summands_.reserve(matched_ * columns);
    for (std::size_t first = 0; first < matched_; first += group) {
      const std::size_t count = std::min(group, matched_ - first);
      const SecretVector<Mask> masks = draw_masks(layout, count, context_.rng);
      witness_values("random share", masks);
      const SecretBytes plaintexts = pack_masks(layout, masks);
      Bytes ciphertexts(count * record_bytes);
      encryptor.encrypt(view_of(plaintexts), ciphertexts, context_.pool, context_.cancel);
      for (std::size_t at = 0; at < count; at += block) {
        const auto message = ciphertexts.begin() + static_cast<std::ptrdiff_t>(at * record_bytes);
        const std::size_t size = std::min(block, count - at) * record_bytes;
        channel().send(kThirdParty, 5, Bytes(message, message + static_cast<std::ptrdiff_t>(size)));
      }
      const FpVector shares = mask_shares(masks);
      witness_values("random share", shares);
      mask_summands_.insert(mask_summands_.end(), shares.begin(), shares.end());
      context_.observer.progress("mask", first + count, matched_);
    }
    channel().flush();
    row.peer = spec_.third_party;
    row.records = static_cast<std::int64_t>(matched_);
  }

  void unmask(StepRow& row) {
    const SlotLayout layout(spec_.key_bits, columns_.size());
    const PaillierDecryptor decryptor(*key_);
    const PaillierEvaluator evaluator(key_->public_key());
    const std::size_t block = records_per_block(record_bytes_);
    own_summands_.reserve(matched_ * columns_.size());
    for (std::size_t first = 0; first < matched_; first += block) {
      const std::size_t count = std::min(block, matched_ - first);
      const Bytes message = channel().receive(kThirdParty, 6);
      if (message.size() != count * record_bytes_)
        throw Error(ErrorCode::protocol_violation, "a block of sums has the wrong size");
      evaluator.check_ciphertexts(message, context_.pool, context_.cancel);
      SecretBytes plaintexts(count * layout.record_plaintext_size());
      decryptor.decrypt(message, plaintexts, context_.pool, context_.cancel);
      const FpVector shares = unpack_shares(layout, view_of(plaintexts));
      witness_values("additive share", shares);
      own_summands_.insert(own_summands_.end(), shares.begin(), shares.end());
      context_.observer.progress("decrypt", first + count, matched_);
    }
    key_->wipe();
    key_.reset();
    row.peer = spec_.third_party;
    row.records = static_cast<std::int64_t>(matched_);
    destroyed(row);
  }

  // Turns the row-major summands of own and other columns into one vector per joined column.
  std::vector<FpVector> joined_summands() {
    std::vector<FpVector> out;
    for (const JoinedColumn& column : joined_columns(spec_)) {
      const FpVector& from = column.party == self_ ? own_summands_ : mask_summands_;
      const std::size_t width = column_count(spec_, column.party);
      FpVector values(matched_);
      for (std::size_t r = 0; r < matched_; ++r) values[r] = from[r * width + column.local];
      out.push_back(std::move(values));
    }
    own_summands_.wipe();
    mask_summands_.wipe();
    return out;
  }

  ColumnInputs summands() const {
    ColumnInputs out;
    for (const JoinedColumn& column : joined_columns(spec_)) {
      const EncodedColumn* own = column.party == self_ ? &columns_[column.local] : nullptr;
      out.means.push_back(own != nullptr ? Fp::from_int(own->scaled_mean) : Fp{});
      out.steps.push_back(own != nullptr ? Fp::from_int(own->step) : Fp{});
      out.inverse_steps.push_back(own != nullptr ? Fp::from_int(own->inverse_step) : Fp{});
    }
    return out;
  }

  std::vector<ColumnDescription> described() const {
    std::vector<ColumnDescription> out;
    for (const EncodedColumn& column : columns_) out.push_back({column.exponent, column.binary});
    return out;
  }

  Source source_;
  int other_;
  PaceClock::time_point first_message_at_{};  // earliest time of the first message to the peers
  std::vector<EncodedColumn> columns_;
  Pseudonyms pseudonyms_;
  std::optional<BackgroundKey> own_key_;  // until step 3
  std::unique_ptr<PaillierPrivateKey> key_;
  Bytes ciphertexts_;
  std::size_t record_bytes_ = 0;
  std::size_t matched_ = 0;
  FpVector own_summands_, mask_summands_;
};
}  // namespace

StudyResult run_controller(const StudyContext& context, Source source) {
  return run_and_end_channel(context, [&] { return Controller(context, std::move(source)).run(); });
}

}  // namespace pgmpc
