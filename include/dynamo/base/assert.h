// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace dynamo::base::detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace dynamo::base::detail

/// Checks an invariant of the program, in every build: logs the condition and aborts when it does
/// not hold. Never for what a peer or a user can cause; that is an Error.
#define DYN_ASSERT(condition)                                                   \
  do {                                                                          \
    if (!(condition)) [[unlikely]]                                              \
      ::dynamo::base::detail::assertion_failed(#condition, __FILE__, __LINE__); \
  } while (false)
