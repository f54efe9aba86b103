// Returns the message of the error that a call throws, for tests of texts that users read.
#pragma once
#include <string>
#include <utility>

#include "base/error.h"

namespace pgmpc::test {

// Returns "no error" when the call throws no Error.
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
