// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "jinja/arguments.h"
#include "jinja/builtin.h"
#include "jinja/compare.h"
#include "jinja/item_getter.h"
#include "jinja/merge_sort.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {

Value fold_case(Interpreter& in, const Value& v) {
  return v.is_string() ? in.text(to_lower(v.str())) : v;
}

ItemGetter::ItemGetter(Interpreter& in, const Value& attribute, const Value& default_value,
                       bool ignore_case)
    : default_(is_absent(default_value) ? Value{} : default_value), ignore_case_(ignore_case) {
  if (is_absent(attribute)) return;
  ListBuilder parts(in.arena(), 2);
  if (attribute.is_string()) {
    const std::string_view text = attribute.str();
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('.', begin), text.size());
      const std::string_view part = text.substr(begin, end - begin);
      const bool digits = !part.empty() && std::all_of(part.begin(), part.end(),
                                                       [](char c) { return c >= '0' && c <= '9'; });
      parts.add(digits ? parse_int(in.arena(), part, 10) : make_string(part));
      begin = end + 1;
    }
  } else {
    parts.add(attribute);
  }
  parts_ = {parts.items(), parts.size()};
}

Value ItemGetter::get(Interpreter& in, const Value& item) const {
  Value v = item;
  for (const Value& part : parts_) {
    v = in.item(v, part);
    if (v.is_undefined() && !default_.is_missing()) v = default_;
  }
  return ignore_case_ ? fold_case(in, v) : v;
}

namespace {

struct Keyed {
  Value key;
  Value item;
};

std::vector<Keyed> sorted_by(Interpreter& in, std::vector<Keyed> items, bool reverse) {
  in.charge(items.size() * 2);
  // Equal items keep their order, also in reverse.
  if (reverse) {
    merge_sort(items, [](const Keyed& a, const Keyed& b) { return less(b.key, a.key); });
  } else {
    merge_sort(items, [](const Keyed& a, const Keyed& b) { return less(a.key, b.key); });
  }
  return items;
}

Value items_of(Interpreter& in, const std::vector<Keyed>& keyed) {
  ListBuilder list(in.arena(), keyed.size());
  for (const Keyed& k : keyed) list.add(k.item);
  return list.list();
}

Value sort(Interpreter& in, const Value* a) {
  const bool case_sensitive = bool_or(a[2], false);
  // "a,b" sorts by several attributes.
  std::vector<ItemGetter> getters;
  if (a[3].is_string()) {
    const std::string_view text = a[3].str();
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      getters.emplace_back(in, make_string(text.substr(begin, end - begin)), Value{},
                           !case_sensitive);
      begin = end + 1;
    }
  } else {
    getters.emplace_back(in, a[3], Value{}, !case_sensitive);
  }
  std::vector<Keyed> keyed;
  Cursor cursor = iterate(a[0]);
  for (Value item; cursor.next(in, item);) {
    in.charge(1);
    if (getters.size() == 1) {
      keyed.push_back({getters.front().get(in, item), item});
      continue;
    }
    ListBuilder keys(in.arena(), getters.size());
    for (const ItemGetter& getter : getters) keys.add(getter.get(in, item));
    keyed.push_back({keys.list(), item});
  }
  // Keys are compared inside lists, so equal ones need no order.
  in.charge(keyed.size());
  const auto key_less = [](const Value& x, const Value& y) { return !equals(x, y) && less(x, y); };
  const bool reverse = bool_or(a[1], false);
  merge_sort(keyed, [&](const Keyed& x, const Keyed& y) {
    return reverse ? key_less(y.key, x.key) : key_less(x.key, y.key);
  });
  return items_of(in, keyed);
}

Value dict_sort(Interpreter& in, const Value* a) {
  if (!a[0].is_mapping()) {
    if (a[0].is_undefined()) fail_with_undefined(a[0]);
    fail_type("'" + std::string(type_name(a[0])) + "' object has no attribute 'items'");
  }
  const bool case_sensitive = bool_or(a[1], false);
  const std::string_view by = text_or(a[2], "key", "by");
  if (by != "key" && by != "value") fail_type("You can only sort by either \"key\" or \"value\"");
  std::vector<Keyed> keyed;
  Cursor keys = iterate(a[0]);
  for (Value key; keys.next(in, key);) {
    const Value value = in.item(a[0], key);
    const Value& sort_key = by == "key" ? key : value;
    keyed.push_back({case_sensitive ? sort_key : fold_case(in, sort_key),
                     make_tuple(in.arena(), {key, value})});
  }
  return items_of(in, sorted_by(in, std::move(keyed), bool_or(a[3], false)));
}

class UniqueItems final : public Iterator {
 public:
  UniqueItems(Interpreter& in, const Value& source, const ItemGetter& getter)
      : source_(source), getter_(getter), seen_(in.arena(), 8) {}
  bool next(Interpreter& in, Value& item) override {
    in.check_stack();
    if (!started_) {
      cursor_ = iterate(source_);
      started_ = true;
    }
    while (cursor_.next(in, item)) {
      in.charge(1);
      const Value key = getter_.get(in, item);
      require_hashable(key);
      if (seen_.dict()->find(key)) continue;
      seen_.set(key, make_none());
      return true;
    }
    return false;
  }

 private:
  Value source_;
  ItemGetter getter_;
  DictBuilder seen_;
  Cursor cursor_;
  bool started_ = false;
};

Value unique(Interpreter& in, const Value* a) {
  const ItemGetter getter(in, a[2], Value{}, !bool_or(a[1], false));
  Value v;
  v.tag = Tag::iterator;
  v.iterator = in.arena().make<UniqueItems>(in, a[0], getter);
  return v;
}

Value extreme(Interpreter& in, const Value* a, Order order) {
  const ItemGetter getter(in, a[2], Value{}, !bool_or(a[1], false));
  Cursor cursor = iterate(a[0]);
  Value best;
  if (!cursor.next(in, best)) {
    return in.undefined_hint("No aggregated item, sequence was empty.");
  }
  Value best_key = getter.get(in, best);
  for (Value item; cursor.next(in, item);) {
    in.charge(1);
    const Value key = getter.get(in, item);
    if (ordered(key, order, best_key)) {
      best = item;
      best_key = key;
    }
  }
  return best;
}

Value min_filter(Interpreter& in, const Value* a) {
  return extreme(in, a, Order::lt);
}
Value max_filter(Interpreter& in, const Value* a) {
  return extreme(in, a, Order::gt);
}

Value group_by(Interpreter& in, const Value* a) {
  const bool case_sensitive = bool_or(a[3], false);
  const ItemGetter getter(in, a[1], a[2], !case_sensitive);
  const ItemGetter shown(in, a[1], a[2], false);
  std::vector<Keyed> keyed;
  Cursor cursor = iterate(a[0]);
  for (Value item; cursor.next(in, item);) {
    in.charge(1);
    keyed.push_back({getter.get(in, item), item});
  }
  keyed = sorted_by(in, std::move(keyed), false);
  ListBuilder groups(in.arena());
  for (std::size_t begin = 0; begin < keyed.size();) {
    std::size_t end = begin + 1;
    while (end < keyed.size() && equals(keyed[end].key, keyed[begin].key)) ++end;
    ListBuilder members(in.arena(), end - begin);
    for (std::size_t i = begin; i < end; ++i) members.add(keyed[i].item);
    Value group = make_tuple(in.arena(), {shown.get(in, keyed[begin].item), members.list()});
    group.flags = kGroupTuple;
    groups.add(group);
    begin = end;
  }
  return groups.list();
}

constexpr Builtin kFilters[] = {
    {.name = "sort", .bound = sort, .params = {"reverse", "case_sensitive", "attribute"}},
    {.name = "dictsort", .bound = dict_sort, .params = {"case_sensitive", "by", "reverse"}},
    {.name = "unique", .bound = unique, .params = {"case_sensitive", "attribute"}},
    {.name = "min", .bound = min_filter, .params = {"case_sensitive", "attribute"}},
    {.name = "max", .bound = max_filter, .params = {"case_sensitive", "attribute"}},
    {.name = "groupby",
     .bound = group_by,
     .params = {"attribute", "default", "case_sensitive"},
     .required = 1},
};

}  // namespace

std::span<const Builtin> ordering_filters() noexcept {
  return kFilters;
}

}  // namespace dynamo::jinja::detail
