// Implements the digest of a source and the file of its key.
#include "worker/source_digest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>

#include "base/rng.h"
#include "ipc/local_socket.h"

namespace pgmpc {
namespace {

constexpr char kKeyFile[] = "pg_mpc/pgsql_tmp.source_key";
constexpr std::size_t kKeySize = 32;

Error key_problem(const std::string& what) {
  return Error(ErrorCode::internal, "could not " + what + " the source key of this node",
               std::string("Its file is ") + kKeyFile + " in the data directory.",
               "Only the server's user must be able to read and write there.");
}

// Returns the key, empty when there is no file yet.
SecretBytes read_key() {
  int fd = open(kKeyFile, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return {};
  SecretBytes key(kKeySize);
  ssize_t size = fd < 0 ? -1 : read(fd, key.data(), key.size());
  if (fd >= 0) close(fd);
  if (size != static_cast<ssize_t>(kKeySize)) throw key_problem("read");
  return key;
}

// Writes a separate file and then links it, so that no one reads half a key and two sessions agree on one key.
void make_key() {
  std::string fresh = std::string(kKeyFile) + "." + std::to_string(getpid());
  SecretBytes key(kKeySize);
  system_rng().fill(key);
  unlink(fresh.c_str());
  int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  bool written = fd >= 0 && write(fd, key.data(), key.size()) == static_cast<ssize_t>(kKeySize) && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  bool linked = written && (link(fresh.c_str(), kKeyFile) == 0 || errno == EEXIST);
  unlink(fresh.c_str());
  if (!linked) throw key_problem("write");
}

}  // namespace

SecretBytes source_key() {
  ensure_private_directory(kPrivateDirectory);
  if (SecretBytes key = read_key(); !key.empty()) return key;
  make_key();
  SecretBytes key = read_key();
  if (key.empty()) throw key_problem("read");
  return key;
}

namespace {
void append_u64(SecretBytes& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// Encodes the values, eight bytes each, and then the identifier, each part with its length.
void encode_record(const Source& source, std::size_t record, SecretBytes& out) {
  out.clear();
  for (const SourceColumn& column : source.columns)
    append_u64(out, std::bit_cast<std::uint64_t>(column.values[record]));
  std::uint64_t begin = record == 0 ? 0 : source.identifier_ends[record - 1];
  out.insert(out.end(), source.identifiers.begin() + static_cast<std::ptrdiff_t>(begin),
             source.identifiers.begin() + static_cast<std::ptrdiff_t>(source.identifier_ends[record]));
}

}  // namespace

SourceDigest::SourceDigest() : key_(source_key()), hasher_(view_of(key_)) {}

void SourceDigest::add(const Source& part) {
  SecretBytes record;
  Hash hash;
  for (std::size_t r = 0; r < part.records(); r++) {
    if (!part.incomplete.empty() && part.incomplete[r] != 0) continue;
    encode_record(part, r, record);
    hasher_.hash(view_of(record), hash);
    adder_.add(sum_, hash);
    ++records_;
  }
}

Hash SourceDigest::finish() const { return keyed_hash_of_sum(view_of(key_), "pg_mpc source 2", {}, records_, sum_); }

void require_approved_source(const Json& job, const Source& source) {
  SourceDigest digest;
  digest.add(source);
  if (to_hex(digest.finish()) == text_member(job.at("source"), "digest")) return;
  const auto approved = job.at("source").find("records");  // absent in the SQL of version 0.1.0
  const std::string counts =
      approved == job.at("source").end() || !approved->is_number_integer()
          ? ""
          : " Complete records approved: " + approved->dump() + ", read now: " + std::to_string(digest.records()) + ".";
  throw Error(
      ErrorCode::wrong_state, "the source has changed since it was approved",
      "Records or values of this node's source are not those that were approved for study \"" +
          text_member(job, "study") + "\"." + counts,
      "Check the source with mpc.check_source, then approve the study again. If it has not changed, its contents "
      "depend on the session: on row-level security, on a setting or on the session's user. Bind a view whose "
      "contents do not.");
}

}  // namespace pgmpc
