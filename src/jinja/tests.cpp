// SPDX-License-Identifier: Apache-2.0
#include "jinja/arguments.h"
#include "jinja/bigint.h"
#include "jinja/builtin.h"
#include "jinja/compare.h"
#include "jinja/str_predicates.h"

namespace dynamo::jinja::detail {
namespace {

template <Tag tag>
Value is_tag(Interpreter&, const Value* a) {
  return make_bool(a[0].tag == tag);
}

Value defined(Interpreter&, const Value* a) {
  return make_bool(!a[0].is_undefined());
}
Value undefined(Interpreter&, const Value* a) {
  return make_bool(a[0].is_undefined());
}
Value mapping(Interpreter&, const Value* a) {
  return make_bool(a[0].is_mapping());
}
Value number(Interpreter&, const Value* a) {
  return make_bool(a[0].is_number());
}
Value iterable(Interpreter&, const Value* a) {
  return make_bool(is_iterable(a[0]));
}
Value escaped(Interpreter&, const Value* a) {
  return make_bool(a[0].is_markup());
}
Value same_as(Interpreter&, const Value* a) {
  return make_bool(same_object(a[0], a[1]));
}
Value is_in(Interpreter& in, const Value* a) {
  return make_bool(contains(in, a[1], a[0]));
}

Value integer(Interpreter&, const Value* a) {
  return make_bool(a[0].tag == Tag::integer || a[0].tag == Tag::big);
}
Value true_test(Interpreter&, const Value* a) {
  return make_bool(a[0].tag == Tag::boolean && a[0].boolean);
}
Value false_test(Interpreter&, const Value* a) {
  return make_bool(a[0].tag == Tag::boolean && !a[0].boolean);
}

Value sequence(Interpreter&, const Value* a) {
  switch (a[0].tag) {
    case Tag::undefined:
    case Tag::string:
    case Tag::json_array:
    case Tag::list:
    case Tag::tuple:
    case Tag::json_object:
    case Tag::dict:
    case Tag::range:
      return make_bool(true);
    default:
      return make_bool(false);
  }
}

Value callable(Interpreter&, const Value* a) {
  switch (a[0].tag) {
    case Tag::undefined:
    case Tag::loop:
    case Tag::macro:
    case Tag::method:
    case Tag::function:
    case Tag::joiner:
    case Tag::block:
      return make_bool(true);
    default:
      return make_bool(false);
  }
}

Value remainder_is(Interpreter& in, const Value& value, const Value& divisor, std::int64_t wanted) {
  return make_bool(equals(modulo(in, value, divisor), make_int(wanted)));
}
Value odd(Interpreter& in, const Value* a) {
  return remainder_is(in, a[0], make_int(2), 1);
}
Value even(Interpreter& in, const Value* a) {
  return remainder_is(in, a[0], make_int(2), 0);
}
Value divisible_by(Interpreter& in, const Value* a) {
  return remainder_is(in, a[0], a[1], 0);
}

Value lower(Interpreter& in, const Value* a) {
  return make_bool(is_lower_text(to_text(in, a[0]).str()));
}
Value upper(Interpreter& in, const Value* a) {
  return make_bool(is_upper_text(to_text(in, a[0]).str()));
}

Value filter(Interpreter&, const Value* a) {
  require_hashable(a[0]);
  return make_bool(a[0].is_string() && find_filter(a[0].str()) != nullptr);
}
Value test(Interpreter&, const Value* a) {
  require_hashable(a[0]);
  return make_bool(a[0].is_string() && find_test(a[0].str()) != nullptr);
}

Value eq(Interpreter&, const Value* a) {
  return make_bool(equals(a[0], a[1]));
}
Value ne(Interpreter&, const Value* a) {
  return make_bool(!equals(a[0], a[1]));
}
template <Order order>
Value in_order(Interpreter&, const Value* a) {
  return make_bool(ordered(a[0], order, a[1]));
}

constexpr Builtin comparison(std::string_view name, Builtin::Bound f) {
  return {.name = name, .bound = f, .params = {"other"}, .required = 1, .positional_only = 1};
}

constexpr Builtin kTests[] = {
    {.name = "defined", .bound = defined},
    {.name = "undefined", .bound = undefined},
    {.name = "none", .bound = is_tag<Tag::none>},
    {.name = "boolean", .bound = is_tag<Tag::boolean>},
    {.name = "true", .bound = true_test},
    {.name = "false", .bound = false_test},
    {.name = "integer", .bound = integer},
    {.name = "float", .bound = is_tag<Tag::real>},
    {.name = "number", .bound = number},
    {.name = "string", .bound = is_tag<Tag::string>},
    {.name = "mapping", .bound = mapping},
    {.name = "sequence", .bound = sequence},
    {.name = "iterable", .bound = iterable},
    {.name = "callable", .bound = callable},
    {.name = "escaped", .bound = escaped},
    {.name = "odd", .bound = odd},
    {.name = "even", .bound = even},
    {.name = "divisibleby", .bound = divisible_by, .params = {"num"}, .required = 1},
    {.name = "lower", .bound = lower},
    {.name = "upper", .bound = upper},
    {.name = "filter", .bound = filter},
    {.name = "test", .bound = test},
    {.name = "sameas", .bound = same_as, .params = {"other"}, .required = 1},
    {.name = "in", .bound = is_in, .params = {"seq"}, .required = 1},
    comparison("==", eq),
    comparison("eq", eq),
    comparison("equalto", eq),
    comparison("!=", ne),
    comparison("ne", ne),
    comparison("<", in_order<Order::lt>),
    comparison("lt", in_order<Order::lt>),
    comparison("lessthan", in_order<Order::lt>),
    comparison("<=", in_order<Order::le>),
    comparison("le", in_order<Order::le>),
    comparison(">", in_order<Order::gt>),
    comparison("gt", in_order<Order::gt>),
    comparison("greaterthan", in_order<Order::gt>),
    comparison(">=", in_order<Order::ge>),
    comparison("ge", in_order<Order::ge>),
};

}  // namespace

std::span<const Builtin> tests() noexcept {
  return kTests;
}

}  // namespace dynamo::jinja::detail
