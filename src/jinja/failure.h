// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dynamo::jinja::detail {

enum class FailureKind : std::uint8_t { syntax, raise, undefined, type, security, limit };

/// What stops a compilation or a render. Thrown inside this library only: an interpreter that
/// checked a result at each of a million nodes would pay for an event that happens once per render
/// at most. Template::compile and Template::render turn it into an Error.
struct Failure {
  FailureKind kind;
  std::string message;
  std::uint32_t line = 0;  ///< 0: the statement that was executing
};

[[noreturn]] void fail_type(std::string message);
[[noreturn]] void fail_undefined(std::string message);
[[noreturn]] void fail_security(std::string message);
[[noreturn]] void fail_limit(std::string message);
[[noreturn]] void fail_syntax(std::string message, std::uint32_t line);

}  // namespace dynamo::jinja::detail
