// Implements payloads of the Paillier types and the contexts of a backend. This is C++ without calls of the server; the
// cancel token reads two flags of it.
#include "udf/paillier_value.h"

#include <algorithm>
#include <list>

#include "base/error.h"
#include "crypto/keyed_hash.h"
#include "pg/compat.h"
#include "pg/guc.h"
#include "udf/decimal.h"

namespace pgmpc {

namespace {

constexpr std::uint8_t kCiphertextVersion = 1;
constexpr std::size_t kCiphertextHead = 3;
// Contexts kept of each kind. The table of a public key is the largest part, a few MB.
constexpr std::size_t kContextsKept = 8;

bool valid_bits(std::size_t bits) { return bits == 2048 || bits == 3072 || bits == 4096; }

// The first 8 bytes of SHA-256(N), enough to tell two keys apart in a message.
std::string key_name(ByteView n) { return to_hex(ByteView(sha256(n)).first(8)); }

[[noreturn]] void refuse_input(const char* type, const std::string& why) {
  throw Error(ErrorCode::invalid_text, std::string("invalid value of type ") + type, why);
}

// Runs the core's validation and reports every violation as an error of the input.
template <typename F>
void validate(const char* type, F&& check) {
  try {
    check();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled || error.code() == ErrorCode::out_of_memory) throw;
    refuse_input(type, error.detail().empty() ? error.message() : error.message() + ": " + error.detail());
  }
}

// The contexts used last, newest first. A new context is complete before an old one is removed.
template <typename Context>
class ContextCache {
 public:
  template <typename Make>
  Context& get(ByteView key, Make&& make) {
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (!equal_constant_time(view_of(entry->key), key)) continue;
      entries_.splice(entries_.begin(), entries_, entry);
      return *entries_.front().context;
    }
    std::unique_ptr<Context> context = make();
    entries_.push_front(Entry{SecretBytes(key.begin(), key.end()), std::move(context)});
    if (entries_.size() > kContextsKept) entries_.pop_back();
    return *entries_.front().context;
  }

 private:
  struct Entry {
    SecretBytes key;
    std::unique_ptr<Context> context;
  };
  std::list<Entry> entries_;
};

// Makes a public key for operations that need only N. They do not use h_s, which is not known here. 4 is a value that
// every key accepts (a square, coprime to N). Nothing is encrypted or rerandomised under this key.
PaillierPublicKey evaluation_key(ByteView n) {
  Bytes h_s(2 * n.size(), 0);
  h_s.back() = 4;
  return PaillierPublicKey::from_parts(Bytes(n.begin(), n.end()), std::move(h_s));
}

}  // namespace

SecretBytes payload_of_text(std::string_view text, std::string_view tag, const char* type) {
  if (text.substr(0, tag.size()) != tag)
    refuse_input(type, "The text form is \"" + std::string(tag) + "\" followed by hexadecimal digits.");
  SecretBytes payload;
  validate(type, [&] {
    Bytes decoded = from_hex(text.substr(tag.size()));
    payload.assign(decoded.begin(), decoded.end());
    cleanse(decoded.data(), decoded.size());
  });
  return payload;
}

SecretVector<char> text_of_payload(ByteView payload, std::string_view tag) {
  SecretVector<char> text(tag.begin(), tag.end());
  std::string hex = to_hex(payload);
  text.reserve(tag.size() + hex.size());
  text.insert(text.end(), hex.begin(), hex.end());
  cleanse(hex.data(), hex.size());
  return text;
}

CiphertextView parse_ciphertext(ByteView payload) {
  const std::size_t body = payload.size() < kCiphertextHead ? 0 : payload.size() - kCiphertextHead;
  const std::size_t n_size = body / 3;
  if (body % 3 != 0 || !valid_bits(n_size * 8))
    refuse_input("mpc.paillier_ciphertext",
                 "A length of " + std::to_string(payload.size()) + " bytes fits no key size.");
  if (payload[0] != kCiphertextVersion)
    refuse_input("mpc.paillier_ciphertext", "Version " + std::to_string(payload[0]) + " is unknown.");
  const int scale = payload[1] << 8 | payload[2];
  if (scale > kMaxDecimalScale)
    refuse_input("mpc.paillier_ciphertext", "The scale " + std::to_string(scale) + " is out of range.");
  return {scale, payload.subspan(kCiphertextHead, n_size), payload.subspan(kCiphertextHead + n_size)};
}

Bytes ciphertext_payload(int scale, ByteView n, ByteView c) {
  Bytes payload;
  payload.reserve(kCiphertextHead + n.size() + c.size());
  Writer(payload).u8(kCiphertextVersion).u16(static_cast<std::uint16_t>(scale)).raw(n).raw(c);
  return payload;
}

void check_same_key(ByteView left_n, const char* left, ByteView right_n, const char* right) {
  if (std::equal(left_n.begin(), left_n.end(), right_n.begin(), right_n.end())) return;
  throw Error(ErrorCode::invalid_parameter, "the values belong to different Paillier keys",
              std::string("The ") + left + " belongs to key " + key_name(left_n) + ", the " + right + " to key " +
                  key_name(right_n) + ".");
}

void check_same_kind(const CiphertextView& left, const CiphertextView& right) {
  check_same_key(left.n, "first ciphertext", right.n, "second ciphertext");
  if (left.scale == right.scale) return;
  throw Error(ErrorCode::invalid_parameter, "the ciphertexts have different scales",
              "The first ciphertext has scale " + std::to_string(left.scale) + ", the second scale " +
                  std::to_string(right.scale) + ".",
              "Encrypt values that are added up with the same scale.");
}

void validate_public_key(ByteView payload) {
  validate("mpc.paillier_public_key", [&] { PaillierPublicKey::decode(payload); });
}

void validate_private_key(ByteView payload) {
  validate("mpc.paillier_private_key", [&] { PaillierPrivateKey::decode(payload); });
}

void validate_ciphertext(ByteView payload) {
  CiphertextView parts = parse_ciphertext(payload);
  validate("mpc.paillier_ciphertext", [&] { evaluation_context(parts.n).check_ciphertext(parts.c); });
}

// A session keeps the tables of the keys that it uses. They are smaller than an engine's, which encrypts in bulk.
static std::size_t session_table_bytes() {
  constexpr std::size_t kMost = 20'000'000;
  return std::min(kMost, static_cast<std::size_t>(guc::table_memory_kb()) * 1024);
}

EncryptionContext::EncryptionContext(ByteView public_key)
    : key(PaillierPublicKey::decode(public_key)),
      encryptor(key, system_rng(), {session_table_bytes(), 0}),
      evaluator(key) {}

DecryptionContext::DecryptionContext(ByteView private_key)
    : key(PaillierPrivateKey::decode(private_key)), decryptor(key) {}

EncryptionContext& encryption_context(ByteView public_key) {
  static ContextCache<EncryptionContext> cache;
  return cache.get(public_key, [&] { return std::make_unique<EncryptionContext>(public_key); });
}

DecryptionContext& decryption_context(ByteView private_key) {
  static ContextCache<DecryptionContext> cache;
  return cache.get(private_key, [&] { return std::make_unique<DecryptionContext>(private_key); });
}

PaillierEvaluator& evaluation_context(ByteView n) {
  static ContextCache<PaillierEvaluator> cache;
  return cache.get(n, [&] { return std::make_unique<PaillierEvaluator>(evaluation_key(n)); });
}

ThreadPool& calling_thread() {
  static ThreadPool pool(1);
  return pool;
}

const CancelToken& never_cancelled() {
  static const CancelToken token;
  return token;
}

const CancelToken& query_cancellation() {
  // True only when CHECK_FOR_INTERRUPTS would end the query. Other interrupts wait until the function is done.
  static const CancelToken token(+[]() noexcept { return QueryCancelPending != 0 || ProcDiePending != 0; });
  return token;
}

}  // namespace pgmpc
