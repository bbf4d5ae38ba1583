// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// What a filter's `attribute` argument reads from an item: "a.b.0" is item['a']['b'][0].
class ItemGetter {
 public:
  /// `attribute` may be missing or none: the item itself.
  ItemGetter(Interpreter& in, const Value& attribute, const Value& default_value = {},
             bool ignore_case = false);
  Value get(Interpreter& in, const Value& item) const;

 private:
  friend class Iterator;
  std::span<const Value> parts_;
  Value default_;
  bool ignore_case_;
};

/// Keys of items for sorting and comparing: texts in lower case when case does not count.
Value fold_case(Interpreter& in, const Value& v);

}  // namespace dynamo::jinja::detail
