#include "base/fiber.h"

#include <gtest/gtest.h>

#include <array>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace pgmpc {
namespace {

TEST(Fiber, TakesTurnsAndKeepsItsStack) {
  Fiber home;
  std::string order;
  std::unique_ptr<Fiber> a, b;
  a = std::make_unique<Fiber>([&] {
    std::vector<int> own{1, 2, 3};
    order += 'a';
    b->enter(*a);
    order += static_cast<char>('0' + own[2]);
    return b.get();
  });
  b = std::make_unique<Fiber>([&] {
    order += 'b';
    home.enter(*b);
    order += 'B';
    a->enter(*b);
    order += '!';
    return &home;
  });
  a->enter(home);
  EXPECT_EQ(order, "ab");
  b->enter(home);
  EXPECT_EQ(order, "abB3!");
}

// An exception is in flight at home while another one is thrown and caught inside a fiber, and the other way round.
TEST(Fiber, ExceptionsInFlightDoNotMix) {
  Fiber home;
  std::string caught;
  std::unique_ptr<Fiber> fiber;
  fiber = std::make_unique<Fiber>([&] {
    try {
      throw std::string("inner");
    } catch (const std::string& text) {
      EXPECT_EQ(std::uncaught_exceptions(), 0);
      caught += text;
      home.enter(*fiber);  // leaves with a caught exception that is still alive
      try {
        throw;
      } catch (const std::string& again) {
        caught += "+" + again;
      }
    }
    return &home;
  });
  struct Unwinding {
    Fiber &home, &fiber;
    int seen = 0;
    ~Unwinding() {
      fiber.enter(home);
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
  };
  try {
    Unwinding guard{home, *fiber};
    throw 1;
  } catch (int) {
    caught += "|outer|";
    fiber->enter(home);
    EXPECT_NE(std::current_exception(), nullptr);
  }
  EXPECT_EQ(caught, "inner|outer|+inner");
  EXPECT_EQ(std::current_exception(), nullptr);
}

// Deep enough for GMP and for cleansing the stack, on top of what a computation uses.
TEST(Fiber, HasRoomOnItsStack) {
  Fiber home;
  int sum = 0;
  Fiber fiber([&] {
    std::array<volatile char, kFiberStack / 2> large;
    for (std::size_t i = 0; i < large.size(); i += 4096) large[i] = 1;
    for (std::size_t i = 0; i < large.size(); i += 4096) sum += large[i];
    return &home;
  });
  fiber.enter(home);
  EXPECT_EQ(sum, static_cast<int>(kFiberStack / 2 / 4096));
}

TEST(Fiber, NeverEnteredIsFine) {
  const auto used = std::make_shared<int>(0);
  {
    Fiber fiber([used]() -> Fiber* { return nullptr; });
  }
  EXPECT_EQ(used.use_count(), 1);
}

}  // namespace
}  // namespace pgmpc
