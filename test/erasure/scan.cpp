// What: looks for secrets in files and in the memory of processes, in every form in which they could have been left.
// Terms: secret = a byte string with a name; window = so many consecutive bytes of it; form = raw, reversed (limbs of
//        the other byte order), hex, HEX, base64 (any alignment), limbs of 52 bits, one after the other or repeated
//        side by side (the vector kernels); a window in a form is a pattern.
// Invariants: a secret is found when any window of it appears in any form; windows of fewer than 6 different bytes are
//             no patterns (they would be found in every file), except for 128 and more bits, one to a byte. Memory that
//             is shared is read once. This process is root's, so it can read processes that are marked not dumpable.
// Usage: scan PATTERNS PLACES   each line of PATTERNS: name TAB window TAB hex of the secret
//                               each line of PLACES: pid:NUMBER or a file or directory
// Output: a line per find: name TAB number of the pattern line TAB form TAB place TAB kind of memory TAB address; at
// the end
//         "scanned TAB bytes TAB patterns".
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using Text = std::string;

struct Secret {
  Text name;
  std::size_t line = 0;
};

struct Pattern {
  const Secret* secret;
  const char* form;
  Text bytes;
};

constexpr std::size_t kKey = 8;  // bytes by which patterns are looked up
constexpr int kFilterBits = 24;
constexpr std::size_t kChunk = std::size_t{1} << 20, kOverlap = 256, kPage = 4096;

std::uint64_t key_at(const char* bytes) {
  std::uint64_t key;
  std::memcpy(&key, bytes, kKey);
  return key;
}

std::size_t slot_of(std::uint64_t key) { return (key * 0x9e3779b97f4a7c15u) >> (64 - kFilterBits); }

class Patterns {
 public:
  void add(const Secret* secret, const Text& bytes, std::size_t window) {
    windows(secret, "raw", bytes, window);
    const Text reversed(bytes.rbegin(), bytes.rend());
    windows(secret, "reversed", reversed, window);
    windows(secret, "hex", hex(bytes, "0123456789abcdef"), 2 * window);
    windows(secret, "HEX", hex(bytes, "0123456789ABCDEF"), 2 * window);
    for (std::size_t skip = 0; skip < 3; ++skip)
      windows(secret, "base64", base64(bytes.substr(skip)), std::max(kKey, (window - 2) * 4 / 3));
    if (bytes.size() >= 64) limbs(secret, reversed);
  }

  template <typename Report>
  void search(const char* data, std::size_t size, const Report& report) const {
    for (std::size_t page = 0; page + kKey <= size; page += kPage) {
      const std::size_t end = std::min(page + kPage, size - kKey + 1);
      if (empty(data + page, std::min(kPage + kKey, size - page))) continue;
      for (std::size_t at = page; at < end; ++at) {
        const std::uint64_t key = key_at(data + at);
        const std::size_t slot = slot_of(key);
        if ((filter_[slot / 64] >> slot % 64 & 1) == 0) continue;
        const auto [first, last] = by_key_.equal_range(key);
        for (auto it = first; it != last; ++it)
          if (const Text& wanted = it->second.bytes;
              at + wanted.size() <= size && std::memcmp(data + at, wanted.data(), wanted.size()) == 0)
            report(it->second, at);
      }
    }
  }
  std::size_t size() const { return by_key_.size(); }

 private:
  static bool empty(const char* data, std::size_t size) {
    return data[0] == 0 && std::memcmp(data, data + 1, size - 1) == 0;
  }

  // Whether it is not to be expected by chance: 6 different bytes, or two values in a long random row.
  static bool tells(const Text& part) {
    const std::set<char> values(part.begin(), part.end());
    const auto ones = static_cast<std::size_t>(std::count(part.begin(), part.end(), '\1'));
    const bool bits = part.size() >= 128 && values == std::set<char>{0, 1};
    return values.size() >= 6 || (bits && ones >= part.size() / 4 && ones <= part.size() / 4 * 3);
  }

  void windows(const Secret* secret, const char* form, const Text& text, std::size_t window) {
    for (std::size_t at = 0; at + window <= text.size(); ++at) {
      Text part = text.substr(at, window);
      if (!tells(part)) continue;
      const std::uint64_t key = key_at(part.data());
      filter_[slot_of(key) / 64] |= std::uint64_t{1} << slot_of(key) % 64;
      by_key_.emplace(key, Pattern{secret, form, std::move(part)});
    }
  }

  // 52-bit limbs of the little-endian number, two neighbours, and one limb in two lanes.
  void limbs(const Secret* secret, const Text& little_endian) {
    std::vector<std::uint64_t> found;
    for (std::size_t bit = 0; bit + 52 + 8 <= 8 * little_endian.size(); bit += 52) {
      std::uint64_t limb = 0;
      std::memcpy(&limb, little_endian.data() + bit / 8, std::min<std::size_t>(8, little_endian.size() - bit / 8));
      found.push_back(limb >> bit % 8 & ((std::uint64_t{1} << 52) - 1));
    }
    const auto pair = [&](std::uint64_t a, std::uint64_t b, const char* form) {
      Text bytes(16, '\0');
      std::memcpy(bytes.data(), &a, 8);
      std::memcpy(bytes.data() + 8, &b, 8);
      windows(secret, form, bytes, 16);
    };
    for (std::size_t i = 0; i + 1 < found.size(); ++i) pair(found[i], found[i + 1], "52-bit limbs");
    for (std::uint64_t limb : found) pair(limb, limb, "52-bit lanes");
  }

  static Text hex(const Text& bytes, const char* digits) {
    Text out;
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
    return out;
  }

  // Whole groups of three bytes only: what follows depends on the bytes behind the secret.
  static Text base64(const Text& bytes) {
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Text out;
    for (std::size_t at = 0; at + 3 <= bytes.size(); at += 3) {
      unsigned group = 0;
      for (std::size_t i = 0; i < 3; ++i) group = group << 8 | static_cast<unsigned char>(bytes[at + i]);
      for (int shift = 18; shift >= 0; shift -= 6) out += digits[group >> shift & 63];
    }
    return out;
  }

  std::vector<std::uint64_t> filter_ = std::vector<std::uint64_t>((std::size_t{1} << kFilterBits) / 64);
  std::unordered_multimap<std::uint64_t, Pattern> by_key_;
};

class Scanner {
 public:
  explicit Scanner(const Patterns& patterns) : patterns_(patterns) {}
  std::uint64_t scanned() const { return scanned_; }

  void place(const Text& place) {
    if (place.starts_with("pid:"))
      process(place.substr(4));
    else if (std::filesystem::is_directory(place))
      for (const auto& entry : std::filesystem::recursive_directory_iterator(place)) {
        if (entry.is_regular_file()) file(entry.path());
      }
    else
      file(place);
  }

 private:
  void file(const Text& path) {
    std::FILE* in = std::fopen(path.c_str(), "rb");
    if (in == nullptr) return;  // removed meanwhile
    stream(in, 0, ~std::uint64_t{0}, path, "file");
    std::fclose(in);
  }

  void process(const Text& pid) {
    std::ifstream maps("/proc/" + pid + "/maps");
    std::FILE* memory = std::fopen(("/proc/" + pid + "/mem").c_str(), "rb");
    if (memory == nullptr || !maps) {
      std::fprintf(stderr, "scan: the memory of process %s cannot be read\n", pid.c_str());
      std::exit(3);
    }
    for (Text line; std::getline(maps, line);) {
      std::istringstream in(line);
      Text range, rights, offset, device, inode, name;
      in >> range >> rights >> offset >> device >> inode >> name;
      if (rights[0] != 'r' || name == "[vvar]" || name == "[vsyscall]" || name == "[vdso]") continue;
      if (rights[1] != 'w' && inode != "0") continue;  // a file's own bytes
      const bool shared = rights[3] == 's';
      if (shared && !shared_seen_.insert(device + " " + inode + " " + offset).second) continue;
      const std::uint64_t begin = std::stoull(range, nullptr, 16);
      const std::uint64_t end = std::stoull(range.substr(range.find('-') + 1), nullptr, 16);
      stream(memory, begin, end, "pid:" + pid,
             shared              ? "shared"
             : name == "[stack]" ? "stack"
             : name == "[heap]"  ? "heap"
                                 : "private");
    }
    std::fclose(memory);
  }

  // Bytes begin..end of the file, in chunks that overlap by more than a pattern.
  void stream(std::FILE* in, std::uint64_t begin, std::uint64_t end, const Text& place, const char* kind) {
    buffer_.resize(kChunk + kOverlap);
    std::setvbuf(in, nullptr, _IONBF, 0);
    std::size_t kept = 0;
    if (begin != 0 && fseeko(in, static_cast<off_t>(begin), SEEK_SET) != 0) return;
    for (std::uint64_t at = begin; at < end;) {
      const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, end - at));
      const std::size_t got = std::fread(buffer_.data() + kept, 1, wanted, in);
      if (got == 0) break;
      scanned_ += got;
      at += got;
      const std::uint64_t origin = at - got - kept;
      patterns_.search(buffer_.data(), kept + got, [&](const Pattern& found, std::size_t offset) {
        const Text line = found.secret->name + "\t" + std::to_string(found.secret->line) + "\t" + found.form + "\t" +
                          place + "\t" + kind;  // the first of each kind
        if (told_.insert(line).second) std::cout << line << "\t" << std::hex << origin + offset << std::dec << "\n";
      });
      const std::size_t total = kept + got;
      kept = std::min(kOverlap, total);
      std::memmove(buffer_.data(), buffer_.data() + total - kept, kept);
    }
    std::fill(buffer_.begin(), buffer_.end(), '\0');
  }

  const Patterns& patterns_;
  std::vector<char> buffer_;
  std::set<Text> shared_seen_, told_;
  std::uint64_t scanned_ = 0;
};

Text bytes_of(const Text& hex) {
  Text out;
  for (std::size_t i = 0; i + 2 <= hex.size(); i += 2)
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: scan PATTERNS PLACES\n");
    return 2;
  }
  Patterns patterns;
  std::vector<std::unique_ptr<Secret>> secrets;
  std::ifstream lines(arguments[1]), places(arguments[2]);
  for (Text line; std::getline(lines, line);) {
    std::istringstream in(line);
    Text name, window, hex;
    std::getline(in, name, '\t');
    std::getline(in, window, '\t');
    std::getline(in, hex);
    secrets.push_back(std::make_unique<Secret>(Secret{name, secrets.size()}));
    patterns.add(secrets.back().get(), bytes_of(hex), std::stoul(window));
  }
  Scanner scanner(patterns);
  for (Text place; std::getline(places, place);) scanner.place(place);
  std::cout << "scanned\t" << scanner.scanned() << "\t" << patterns.size() << "\n";
}
