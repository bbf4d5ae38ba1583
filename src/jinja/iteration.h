// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// A generator: yields values once, on demand. Lives in the arena.
class Iterator {
 public:
  /// False at the end.
  virtual bool next(Interpreter& in, Value& item) = 0;

 protected:
  ~Iterator() = default;
};

/// Walks anything that can be iterated. A small value; walking the usual kinds costs no call.
class Cursor {
 public:
  Cursor() = default;
  bool next(Interpreter& in, Value& item);

 private:
  friend Cursor iterate(const Value& value);
  Tag kind_ = Tag::undefined;
  Value source_{};
  std::uint64_t at_ = 0;
};

/// A cursor at the beginning. Throws a Failure of kind type when the value is not iterable.
Cursor iterate(const Value& value);
bool is_iterable(const Value& value) noexcept;

/// Python's len(); none when the value has no length.
std::optional<std::int64_t> length_of(const Value& value);
/// len() or a Failure of kind type.
std::int64_t require_length(const Value& value);

/// All items as a list. `value` may be a list already; then nothing is copied.
const List* to_list(Interpreter& in, const Value& value);

/// Python's `item in container`.
bool contains(Interpreter& in, const Value& container, const Value& item);

}  // namespace dynamo::jinja::detail
