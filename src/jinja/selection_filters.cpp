// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "jinja/arguments.h"
#include "jinja/builtin.h"
#include "jinja/item_getter.h"

namespace dynamo::jinja::detail {
namespace {

/// Arguments of a generator outlive the call that made it.
CallArgs keep(Arena& arena, std::span<const Value> positional, std::span<const NamedArg> named) {
  Value* values = arena.array<Value>(positional.size());
  std::copy(positional.begin(), positional.end(), values);
  NamedArg* names = arena.array<NamedArg>(named.size());
  std::copy(named.begin(), named.end(), names);
  return {{values, positional.size()}, {names, named.size()}};
}

const Value* find_named(std::span<const NamedArg> named, std::string_view name) noexcept {
  for (const NamedArg& n : named) {
    if (n.name == name) return &n.value;
  }
  return nullptr;
}

Value make_iterator(Iterator* iterator) noexcept {
  Value v;
  v.tag = Tag::iterator;
  v.iterator = iterator;
  return v;
}

/// `map`: a filter, or an attribute, of each item. Like Jinja2's generator, it looks at its
/// arguments only when the first item is wanted.
class MappedItems final : public Iterator {
 public:
  MappedItems(const Value& source, const CallArgs& args) : source_(source), args_(args) {}
  bool next(Interpreter& in, Value& item) override {
    in.check_stack();
    if (!started_) start(in);
    if (!cursor_.next(in, item)) return false;
    in.charge(1);
    item = getter_ ? getter_->get(in, item) : in.apply(*filter(), item, args_);
    return true;
  }

 private:
  void start(Interpreter& in) {
    started_ = true;
    if (!is_true(source_)) return;  // the cursor stays at its end
    if (args_.positional.empty() && find_named(args_.named, "attribute")) {
      for (const NamedArg& n : args_.named) {
        if (n.name != "attribute" && n.name != "default") {
          fail_type("Unexpected keyword argument " + quote(n.name));
        }
      }
      const Value* default_value = find_named(args_.named, "default");
      getter_ = in.arena().make<ItemGetter>(in, *find_named(args_.named, "attribute"),
                                            default_value ? *default_value : Value{});
    } else {
      if (args_.positional.empty()) fail_type("map requires a filter argument");
      name_ = args_.positional.front();
      args_.positional = args_.positional.subspan(1);
    }
    cursor_ = iterate(source_);
  }
  const Builtin* filter() {
    if (!filter_) {
      filter_ = name_.is_string() ? find_filter(name_.str()) : nullptr;
      if (!filter_) fail_type("No filter named " + repr(name_) + ".");
    }
    return filter_;
  }

  Value source_;
  CallArgs args_;
  Value name_{};
  const Builtin* filter_ = nullptr;
  const ItemGetter* getter_ = nullptr;
  Cursor cursor_;
  bool started_ = false;
};

/// `select`, `reject`, `selectattr` and `rejectattr`.
class SelectedItems final : public Iterator {
 public:
  SelectedItems(const Value& source, const CallArgs& args, bool by_attribute, bool wanted)
      : source_(source), args_(args), by_attribute_(by_attribute), wanted_(wanted) {}
  bool next(Interpreter& in, Value& item) override {
    in.check_stack();
    if (!started_) start(in);
    while (cursor_.next(in, item)) {
      in.charge(1);
      const Value v = getter_ ? getter_->get(in, item) : item;
      const bool passes = name_.is_missing() ? is_true(v) : is_true(in.apply(*test(), v, args_));
      if (passes == wanted_) return true;
    }
    return false;
  }

 private:
  void start(Interpreter& in) {
    started_ = true;
    if (!is_true(source_)) return;
    if (by_attribute_) {
      if (args_.positional.empty()) fail_type("Missing parameter for attribute name");
      getter_ = in.arena().make<ItemGetter>(in, args_.positional.front());
      args_.positional = args_.positional.subspan(1);
    }
    if (!args_.positional.empty()) {
      name_ = args_.positional.front();
      args_.positional = args_.positional.subspan(1);
    }
    cursor_ = iterate(source_);
  }
  const Builtin* test() {
    if (!test_) {
      test_ = name_.is_string() ? find_test(name_.str()) : nullptr;
      if (!test_) fail_type("No test named " + repr(name_) + ".");
    }
    return test_;
  }

  Value source_;
  CallArgs args_;
  bool by_attribute_, wanted_;
  Value name_{};
  const Builtin* test_ = nullptr;
  const ItemGetter* getter_ = nullptr;
  Cursor cursor_;
  bool started_ = false;
};

Value map(Interpreter& in, const Value& self, const CallArgs& args) {
  return make_iterator(
      in.arena().make<MappedItems>(self, keep(in.arena(), args.positional, args.named)));
}

template <bool by_attribute, bool wanted>
Value select(Interpreter& in, const Value& self, const CallArgs& args) {
  return make_iterator(in.arena().make<SelectedItems>(
      self, keep(in.arena(), args.positional, args.named), by_attribute, wanted));
}

constexpr Builtin kFilters[] = {
    {.name = "map", .raw = map},
    {.name = "select", .raw = select<false, true>},
    {.name = "reject", .raw = select<false, false>},
    {.name = "selectattr", .raw = select<true, true>},
    {.name = "rejectattr", .raw = select<true, false>},
};

}  // namespace

std::span<const Builtin> selection_filters() noexcept {
  return kFilters;
}

}  // namespace dynamo::jinja::detail
