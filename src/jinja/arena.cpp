// SPDX-License-Identifier: Apache-2.0
#include "jinja/arena.h"

#include <algorithm>

#include "jinja/failure.h"

namespace dynamo::jinja::detail {
namespace {

constexpr std::size_t kFirstBlockBytes = 16 * 1024;
constexpr std::size_t kLargestBlockBytes = 1024 * 1024;

}  // namespace

void Arena::grow(std::size_t bytes) {
  if (bytes > limit_ || used_bytes() > limit_ - bytes) {
    fail_limit("the render needs more than its memory budget of " + std::to_string(limit_) +
               " bytes");
  }
  const std::size_t next_block =
      blocks_.empty() ? kFirstBlockBytes : std::min(reserved_, kLargestBlockBytes);
  const std::size_t size = std::max(bytes, next_block);
  blocks_.push_back(std::unique_ptr<char[]>(new char[size]));
  // What is left of the previous block is given up; count it as used.
  reserved_ += size;
  next_ = blocks_.back().get();
  end_ = next_ + size;
}

void fail_type(std::string message) {
  throw Failure{FailureKind::type, std::move(message), 0};
}
void fail_undefined(std::string message) {
  throw Failure{FailureKind::undefined, std::move(message), 0};
}
void fail_security(std::string message) {
  throw Failure{FailureKind::security, std::move(message), 0};
}
void fail_limit(std::string message) {
  throw Failure{FailureKind::limit, std::move(message), 0};
}
void fail_syntax(std::string message, std::uint32_t line) {
  throw Failure{FailureKind::syntax, std::move(message), line};
}

}  // namespace dynamo::jinja::detail
