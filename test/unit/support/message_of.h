// What: the message of the error that a call ends with, for tests that say what a user reads.
#pragma once
#include <string>
#include <utility>

#include "base/error.h"

namespace pgmpc::test {

// "no error" when the call ends without one.
template <class Call>
std::string message_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

}  // namespace pgmpc::test
