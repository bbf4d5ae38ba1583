// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// Python's ==. Never fails; values of kinds that cannot be equal are not.
bool equals(const Value& a, const Value& b);
/// Equality with a view of JSON, without making a Value of it.
bool equals(const Value& a, const Json& b);

enum class Order : std::uint8_t { lt, le, gt, ge };
/// Python's < <= > >=. Throws a Failure of kind type for values without an order, of kind
/// undefined for undefined ones.
bool ordered(const Value& a, Order order, const Value& b);
/// a < b, as sorting needs it.
inline bool less(const Value& a, const Value& b) {
  return ordered(a, Order::lt, b);
}

/// Equal values have equal hashes; the value must be hashable.
std::uint64_t hash_of(const Value& value);
/// Throws a Failure of kind type for lists, dicts and what contains them.
void require_hashable(const Value& value);

/// Python's `is`, as far as it is defined by the language: singletons, small integers, and the
/// same object.
bool same_object(const Value& a, const Value& b) noexcept;

}  // namespace dynamo::jinja::detail
