#include "base/locked_arena.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "base/cleansing_heap.h"
#include "base/secret.h"

namespace pgmpc {
namespace {

constexpr std::size_t kUnit = LockedArena::kUnit;

// The exit status of `body` in a child process; -1 when it died of a signal.
int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The line "VmFlags:" of the mapping that holds the address.
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream in(line);
    if (in >> std::hex >> begin >> dash >> end && dash == '-') inside = begin <= wanted && wanted < end;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

TEST(LockedArena, BlocksAreAlignedZeroAndDisjoint) {
  LockedArena arena(4096);
  std::vector<std::uint8_t*> blocks;
  for (std::size_t size : {1, 64, 65, 200}) {
    auto* block = static_cast<std::uint8_t*>(arena.allocate(size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % kUnit, 0u);
    EXPECT_TRUE(arena.contains(block));
    for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(block[i], 0);
    for (std::uint8_t* other : blocks) EXPECT_GE(std::abs(other - block), 64);
    std::memset(block, 0xa5, size);
    blocks.push_back(block);
  }
  EXPECT_EQ(arena.units_in_use(), 1u + 1 + 2 + 4);
}

TEST(LockedArena, AReleasedBlockIsCleansedAndUsedAgain) {
  LockedArena arena(4096);
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < 4096 / kUnit; ++i) blocks.push_back(arena.allocate(kUnit));
  auto* middle = static_cast<std::uint8_t*>(blocks[10]);
  std::memset(middle, 0xa5, kUnit);
  EXPECT_FALSE(arena.holds_nothing());
  arena.release(middle, kUnit);
  EXPECT_TRUE(arena.holds_nothing()) << "cleansed where it lies";
  EXPECT_EQ(arena.allocate(kUnit), middle) << "the only free block";
}

TEST(LockedArena, AFullArenaFallsBackToTheHeap) {
  LockedArena arena(4096);
  void* all = arena.allocate(4096);
  auto* more = static_cast<std::uint8_t*>(arena.allocate(100));
  EXPECT_TRUE(arena.contains(all));
  EXPECT_FALSE(arena.contains(more));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(more) % kUnit, 0u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(more[i], 0);
  arena.release(more, 100);
  arena.release(all, 4096);
  EXPECT_EQ(arena.units_in_use(), 0u);
}

// AddressSanitizer and ThreadSanitizer replace mlock by a function that does nothing: both tests would test that one.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(LockedArena, PagesAreLockedAndLeftOutOfDumps) {
  LockedArena arena(4096);
  const std::string flags = flags_of(arena.allocate(1));
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
  EXPECT_NE(flags.find(" wf "), std::string::npos) << flags;
  EXPECT_EQ(arena.locked(), flags.find(" lo ") != std::string::npos) << flags;
  EXPECT_EQ(arena.locked(), memory_can_be_locked(4096));
}

TEST(LockedArena, WorksWithoutTheRightToLock) {
  EXPECT_EQ(in_child([] {
              const rlimit none{0, 0};
              if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) return 1;
              // Root may lock whatever the limit says.
              if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 2;
              if (memory_can_be_locked(4096)) return 3;
              LockedArena arena(4096);
              if (arena.locked()) return 4;
              return arena.contains(arena.allocate(32)) ? 0 : 5;
            }),
            0);
}
#endif

TEST(LockedArena, AForkedChildSeesNothing) {
  LockedArena arena(4096);
  auto* block = static_cast<std::uint8_t*>(arena.allocate(32));
  std::memset(block, 0xa5, 32);
  EXPECT_EQ(in_child([&] {
              for (int i = 0; i < 32; ++i)
                if (block[i] != 0) return 1;
              // The book-keeping survived: the block is still taken, a new one is another.
              auto* own = static_cast<std::uint8_t*>(arena.allocate(32));
              return own == block || !arena.contains(own) ? 2 : 0;
            }),
            0);
  EXPECT_EQ(block[31], 0xa5);
}

TEST(LockedArena, ThreadsShareIt) {
  LockedArena arena(16384);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        auto* block = static_cast<std::uint8_t*>(arena.allocate(100));
        for (int b = 0; b < 100; ++b) wrong += block[b] != 0;
        std::memset(block, t + 1, 100);
        for (int b = 0; b < 100; ++b) wrong += block[b] != t + 1;
        arena.release(block, 100);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(arena.units_in_use(), 0u);
}

TEST(Secret, KeysLieInTheArenaOfTheProcess) {
  const std::size_t before = process_arena().units_in_use();
  {
    SecretArray<32> key;
    EXPECT_TRUE(process_arena().contains(key.data()));
    EXPECT_EQ(process_arena().units_in_use(), before + 1);
  }
  EXPECT_EQ(process_arena().units_in_use(), before);
  try {
    SecretArray<32> key;
    throw 1;
  } catch (int) {
  }
  EXPECT_EQ(process_arena().units_in_use(), before) << "also when an exception ends its life";
}

TEST(Secret, LargeBlocksAreLeftOutOfDumps) {
  SecretBytes large(std::size_t{4} << 20);
  EXPECT_NE(flags_of(large.data() + large.size() / 2).find(" dd "), std::string::npos);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// In a child, because it cannot be undone. Reading a freed block is the point: the allocator's links take its first
// 16 bytes.
TEST(CleansingHeap, AFreedBlockIsEmpty) {
  const auto leftovers = [](bool cleansing) {
    return in_child([cleansing] {
      if (cleansing) cleanse_freed_memory();
      auto* block = new std::string(200, 's');
      const volatile char* text = block->data();
      delete block;
      int left = 0;
      for (int i = 16; i < 200; ++i) left += text[i] == 's';
      return left > 100 ? 100 : left;
    });
  };
  EXPECT_EQ(leftovers(true), 0);
  EXPECT_EQ(leftovers(false), 100) << "otherwise this test cannot fail";
}

[[gnu::noinline]] const volatile std::uint8_t* leave_on_stack() {
  volatile std::uint8_t local[4096];
  for (auto& byte : local) byte = 0xa5;
  const volatile std::uint8_t* volatile address = local;
  return address;
}

TEST(CleansingHeap, TheStackBelowIsEmptied) {
  EXPECT_EQ(in_child([] {
              cleanse_freed_memory();
              const volatile std::uint8_t* left = leave_on_stack();
              if (left[2000] != 0xa5) return 1;
              cleanse_stack();
              return left[2000] == 0 ? 0 : 2;
            }),
            0);
}
#endif

}  // namespace
}  // namespace pgmpc
