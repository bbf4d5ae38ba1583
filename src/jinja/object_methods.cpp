// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>

#include "jinja/arguments.h"
#include "jinja/bigint.h"
#include "jinja/builtin.h"
#include "jinja/compare.h"

/// Methods of dict, list, tuple, numbers, loop and cycler.
namespace dynamo::jinja::detail {
namespace {

Value get(Interpreter& in, const Value* a) {
  require_hashable(a[1]);
  const Value otherwise = a[2].is_missing() ? make_none() : a[2];
  if (a[0].tag == Tag::json_object) {
    const Json* found = a[1].is_string() ? a[0].json_object->find(a[1].str()) : nullptr;
    return found ? from_json(in.arena(), *found) : otherwise;
  }
  const Value* found = a[0].dict->find(a[1]);
  return found ? *found : otherwise;
}

template <ViewKind kind>
Value view(Interpreter& in, const Value* a) {
  DictView* v = in.arena().make<DictView>();
  v->kind = kind;
  if (a[0].tag == Tag::dict) {
    v->dict = a[0].dict;
  } else {
    v->object = a[0].json_object;
  }
  return make_pointer(Tag::dict_view, v);
}

/// Values never change, so a copy is the value itself.
Value copy(Interpreter&, const Value* a) {
  return a[0];
}

Value count(Interpreter& in, const Value* a) {
  std::int64_t n = 0;
  Cursor cursor = iterate(a[0]);
  for (Value item; cursor.next(in, item);) {
    in.charge(1);
    n += same_object(item, a[1]) || equals(item, a[1]) ? 1 : 0;
  }
  return make_int(n);
}

Value index(Interpreter& in, const Value* a) {
  const std::int64_t size = require_length(a[0]);
  const auto clamp = [size](std::int64_t i) {
    return i < 0 ? std::max<std::int64_t>(i + size, 0) : std::min(i, size);
  };
  const std::int64_t from = clamp(int_or(a[2], 0, "start"));
  const std::int64_t to = clamp(int_or(a[3], size, "stop"));
  for (std::int64_t i = from; i < to; ++i) {
    in.charge(1);
    const Value item = in.item(a[0], make_int(i));
    if (same_object(item, a[1]) || equals(item, a[1])) return make_int(i);
  }
  fail_type(repr(a[1]) + " is not in list");
}

Value bit_length(Interpreter&, const Value* a) {
  if (a[0].tag == Tag::big) {
    return make_int(static_cast<std::int64_t>(a[0].big->size) * 32 -
                    std::countl_zero(a[0].big->limbs[a[0].big->size - 1]));
  }
  const std::int64_t i = require_int(a[0], "int");
  const auto magnitude = static_cast<std::uint64_t>(i < 0 ? -static_cast<std::uint64_t>(i)
                                                          : static_cast<std::uint64_t>(i));
  return make_int(64 - std::countl_zero(magnitude));
}

Value int_copy(Interpreter& in, const Value* a) {
  return int_add(in.arena(), a[0], make_int(0));
}
Value float_copy(Interpreter&, const Value* a) {
  return a[0];
}
Value is_integer(Interpreter&, const Value* a) {
  return make_bool(std::isfinite(a[0].real) && a[0].real == std::trunc(a[0].real));
}

Value cycle(Interpreter&, const Value& self, const CallArgs& args) {
  if (args.positional.empty()) fail_type("no items for cycling given");
  if (!args.named.empty()) fail_type("cycle() takes no keyword arguments");
  return args.positional[static_cast<std::size_t>(self.loop->index0) % args.positional.size()];
}

Value changed(Interpreter& in, const Value& self, const CallArgs& args) {
  if (!args.named.empty()) fail_type("changed() takes no keyword arguments");
  Value now = make_list(in.arena(), args.positional);
  now.tag = Tag::tuple;
  LoopState& loop = *self.loop;
  if (!loop.last_changed.is_missing() && equals(loop.last_changed, now)) return make_bool(false);
  loop.last_changed = now;
  return make_bool(true);
}

Value next_item(Interpreter&, const Value* a) {
  Cycler& cycler = *a[0].cycler;
  const Value item = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return item;
}

Value reset(Interpreter&, const Value* a) {
  a[0].cycler->position = 0;
  return make_none();
}

constexpr Builtin kDict[] = {
    {.name = "get",
     .bound = get,
     .params = {"key", "default"},
     .required = 1,
     .positional_only = 2},
    {.name = "items", .bound = view<ViewKind::items>},
    {.name = "keys", .bound = view<ViewKind::keys>},
    {.name = "values", .bound = view<ViewKind::values>},
    {.name = "copy", .bound = copy},
};
constexpr Builtin kList[] = {{.name = "copy", .bound = copy}};
constexpr Builtin kTuple[] = {
    {.name = "count", .bound = count, .params = {"value"}, .required = 1, .positional_only = 1},
    {.name = "index",
     .bound = index,
     .params = {"value", "start", "stop"},
     .required = 1,
     .positional_only = 3},
};
constexpr Builtin kInt[] = {
    {.name = "bit_length", .bound = bit_length},
    {.name = "conjugate", .bound = int_copy},
};
constexpr Builtin kFloat[] = {
    {.name = "is_integer", .bound = is_integer},
    {.name = "conjugate", .bound = float_copy},
};
constexpr Builtin kLoop[] = {{.name = "cycle", .raw = cycle}, {.name = "changed", .raw = changed}};
constexpr Builtin kCycler[] = {{.name = "next", .bound = next_item},
                               {.name = "reset", .bound = reset}};

}  // namespace

std::span<const Builtin> dict_methods() noexcept {
  return kDict;
}
std::span<const Builtin> list_methods() noexcept {
  return kList;
}
std::span<const Builtin> tuple_methods() noexcept {
  return kTuple;
}
std::span<const Builtin> int_methods() noexcept {
  return kInt;
}
std::span<const Builtin> float_methods() noexcept {
  return kFloat;
}
std::span<const Builtin> loop_methods() noexcept {
  return kLoop;
}
std::span<const Builtin> cycler_methods() noexcept {
  return kCycler;
}

}  // namespace dynamo::jinja::detail
