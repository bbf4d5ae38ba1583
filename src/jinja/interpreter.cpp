// SPDX-License-Identifier: Apache-2.0
#include "jinja/interpreter.h"

#include <algorithm>

#include "jinja/arithmetic.h"
#include "jinja/compare.h"
#include "jinja/failure.h"
#include "jinja/json_text.h"
#include "jinja/markup.h"
#include "jinja/text.h"

namespace dynamo::jinja::detail {

Value Interpreter::eval(const Expr& e, Frame& frame) {
  switch (e.kind) {
    case ExprKind::constant:
      return static_cast<const ConstExpr&>(e).value;
    case ExprKind::name:
      return eval_name(static_cast<const NameExpr&>(e), frame);
    case ExprKind::attribute:
      return eval_attribute(static_cast<const AttributeExpr&>(e), frame);
    case ExprKind::item:
      return eval_item(static_cast<const ItemExpr&>(e), frame);
    case ExprKind::slice:
      return eval_slice(static_cast<const SliceExpr&>(e), frame);
    case ExprKind::call:
      return eval_call(static_cast<const CallExpr&>(e), frame);
    case ExprKind::filter:
      return eval_filter(static_cast<const ApplyExpr&>(e), frame);
    case ExprKind::test:
      return eval_test(static_cast<const ApplyExpr&>(e), frame);
    case ExprKind::sum:
      return eval_sum(static_cast<const ManyExpr&>(e), frame);
    case ExprKind::concat:
      return eval_concat(static_cast<const ManyExpr&>(e), frame);
    case ExprKind::subtract:
    case ExprKind::multiply:
    case ExprKind::divide:
    case ExprKind::floor_divide:
    case ExprKind::modulo:
    case ExprKind::power:
      return eval_arithmetic(static_cast<const BinaryExpr&>(e), frame);
    case ExprKind::negate:
    case ExprKind::positive: {
      const Value operand = eval(*static_cast<const UnaryExpr&>(e).operand, frame);
      return e.kind == ExprKind::negate ? negate(*this, operand) : positive(*this, operand);
    }
    case ExprKind::compare:
      return eval_compare(static_cast<const CompareExpr&>(e), frame);
    case ExprKind::logical_and: {
      const auto& node = static_cast<const BinaryExpr&>(e);
      const Value left = eval(*node.left, frame);
      return is_true(left) ? eval(*node.right, frame) : left;
    }
    case ExprKind::logical_or: {
      const auto& node = static_cast<const BinaryExpr&>(e);
      const Value left = eval(*node.left, frame);
      return is_true(left) ? left : eval(*node.right, frame);
    }
    case ExprKind::logical_not:
      return make_bool(!eval_true(*static_cast<const UnaryExpr&>(e).operand, frame));
    case ExprKind::conditional: {
      const auto& node = static_cast<const ConditionalExpr&>(e);
      if (eval_true(*node.test, frame)) return eval(*node.then, frame);
      if (node.otherwise) return eval(*node.otherwise, frame);
      return make_undefined(UndefinedKind::hint, node.absent);
    }
    case ExprKind::list:
    case ExprKind::tuple:
      return eval_many(static_cast<const ManyExpr&>(e), frame);
    case ExprKind::dict:
      return eval_dict(static_cast<const DictExpr&>(e), frame);
  }
  return Value{};
}

Value Interpreter::eval_name(const NameExpr& e, Frame& frame) {
  const Value v = variable(e.ref, frame);
  if (v.is_missing()) [[unlikely]]
    return make_undefined(UndefinedKind::name, e.info);
  return v;
}

Value Interpreter::eval_attribute(const AttributeExpr& e, Frame& frame) {
  const Value object = eval(*e.object, frame);
  // The usual case first: a key of a JSON object that is no method of dict.
  if (object.tag == Tag::json_object) {
    const Attribute& a = *e.attribute;
    if (!a.dict_method && !a.hidden && !a.mutates_dict) {
      if (const Json* found = object.json_object->find(a.name())) return from_json(arena_, *found);
      return make_undefined(UndefinedKind::attribute, &a.info, Tag::json_object);
    }
  }
  expression_ = &e;
  return attribute(object, *e.attribute);
}

Value Interpreter::eval_item(const ItemExpr& e, Frame& frame) {
  const Value object = eval(*e.object, frame);
  const Value key = eval(*e.index, frame);
  if (object.tag == Tag::json_object && key.is_string()) {
    if (const Json* found = object.json_object->find(key.str())) return from_json(arena_, *found);
  }
  expression_ = &e;
  return item(object, key, e.attribute);
}

Value Interpreter::eval_slice(const SliceExpr& e, Frame& frame) {
  const Value object = eval(*e.object, frame);
  const auto bound = [&](const Expr* part) { return part ? eval(*part, frame) : make_none(); };
  const Value start = bound(e.start);
  const Value stop = bound(e.stop);
  const Value step = bound(e.step);
  expression_ = &e;
  return slice(*this, object, start, stop, step);
}

/// Evaluated arguments of one call. Most calls have few, which stay on the stack.
class Interpreter::Call {
 public:
  Call(Interpreter& in, const Arguments& args, Frame& frame, const Value* caller = nullptr) {
    const std::size_t extra = caller ? 1 : 0;
    Value* positional = room_;
    if (args.positional_count > kInline) positional = in.arena_.array<Value>(args.positional_count);
    for (std::uint16_t i = 0; i < args.positional_count; ++i) {
      positional[i] = in.eval(*args.positional[i], frame);
    }
    args_.positional = {positional, args.positional_count};
    if (args.is_simple() && !caller) return;
    NamedArg* named = in.arena_.array<NamedArg>(args.keyword_count + extra);
    std::size_t count = 0;
    for (; count < args.keyword_count; ++count) {
      named[count] = {args.keywords[count].name, in.eval(*args.keywords[count].value, frame)};
    }
    if (caller) {
      for (std::size_t i = 0; i < count; ++i) {
        if (named[i].name == "caller")
          fail_type("got multiple values for keyword argument 'caller'");
      }
      named[count++] = {"caller", *caller};
    }
    args_.named = {named, count};
    if (args.star) add_star(in, in.eval(*args.star, frame));
    if (args.star_star) add_star_star(in, in.eval(*args.star_star, frame));
  }
  const CallArgs& args() const noexcept { return args_; }

 private:
  static constexpr std::size_t kInline = 4;

  void add_star(Interpreter& in, const Value& value) {
    const List* more = to_list(in, value);
    const std::size_t have = args_.positional.size();
    Value* all = in.arena_.array<Value>(have + more->size);
    std::copy(args_.positional.begin(), args_.positional.end(), all);
    std::copy_n(more->items, more->size, all + have);
    args_.positional = {all, have + more->size};
  }

  void add_star_star(Interpreter& in, const Value& value) {
    if (!value.is_mapping()) {
      if (value.is_undefined()) fail_with_undefined(value);
      fail_type("argument after ** must be a mapping, not " + std::string(type_name(value)));
    }
    const auto more = static_cast<std::size_t>(require_length(value));
    const std::size_t have = args_.named.size();
    NamedArg* all = in.arena_.array<NamedArg>(have + more);
    std::copy(args_.named.begin(), args_.named.end(), all);
    std::size_t count = have;
    Cursor keys = iterate(value);
    for (Value key; keys.next(in, key);) {
      if (!key.is_string()) fail_type("keywords must be strings");
      for (std::size_t i = 0; i < have; ++i) {
        if (all[i].name == key.str()) {
          fail_type("got multiple values for keyword argument " + quote(key.str()));
        }
      }
      all[count++] = {key.str(), in.item(value, key)};
    }
    args_.named = {all, count};
  }

  Value room_[kInline];
  CallArgs args_;
};

Value Interpreter::eval_call(const CallExpr& e, Frame& frame, const Value* caller) {
  charge(1);
  // A method of a string, dict or list is called without making an object of it.
  if (e.callee->kind == ExprKind::attribute) {
    const auto& access = static_cast<const AttributeExpr&>(*e.callee);
    const Value object = eval(*access.object, frame);
    const Attribute& a = *access.attribute;
    const Builtin* method = object.is_string()    ? a.str_method
                            : object.is_mapping() ? a.dict_method
                            : object.tag == Tag::json_array || object.tag == Tag::list
                                ? a.list_method
                                : nullptr;
    if (method) {
      const Call call(*this, e.args, frame, caller);
      expression_ = &e;
      return apply(*method, object, call.args());
    }
    expression_ = &e;
    const Value callee = attribute(object, a);
    const Call call(*this, e.args, frame, caller);
    expression_ = &e;
    return this->call(callee, call.args());
  }
  const Value callee = eval(*e.callee, frame);
  const Call call(*this, e.args, frame, caller);
  expression_ = &e;
  return this->call(callee, call.args());
}

Value Interpreter::eval_filter(const ApplyExpr& e, Frame& frame, const Value* block_text) {
  charge(1);
  Value input;
  if (e.input) {
    input = block_text && e.input->kind == ExprKind::filter
                ? eval_filter(static_cast<const ApplyExpr&>(*e.input), frame, block_text)
                : eval(*e.input, frame);
  } else if (block_text) {
    input = *block_text;
  }
  if (!e.function) fail_type("No filter named " + quote(e.name) + " found.");
  if (e.args.is_simple() && e.args.positional_count == 0 && e.function->bound &&
      e.function->required == 0) {
    const Value args[1 + 6] = {input};
    expression_ = &e;
    return e.function->bound(*this, args);
  }
  const Call call(*this, e.args, frame);
  expression_ = &e;
  return apply(*e.function, input, call.args());
}

Value Interpreter::eval_test(const ApplyExpr& e, Frame& frame) {
  const Value v = eval(*e.input, frame);
  switch (e.fast_test) {
    case FastTest::defined:
      return make_bool(!v.is_undefined());
    case FastTest::undefined:
      return make_bool(v.is_undefined());
    case FastTest::none:
      return make_bool(v.is_none());
    case FastTest::string:
      return make_bool(v.is_string());
    case FastTest::mapping:
      return make_bool(v.is_mapping());
    case FastTest::iterable:
      return make_bool(is_iterable(v));
    case FastTest::boolean:
      return make_bool(v.tag == Tag::boolean);
    case FastTest::true_:
      return make_bool(v.tag == Tag::boolean && v.boolean);
    case FastTest::false_:
      return make_bool(v.tag == Tag::boolean && !v.boolean);
    case FastTest::number:
      return make_bool(v.is_number());
    case FastTest::sequence:
    case FastTest::other:
      break;
  }
  if (!e.function) fail_type("No test named " + quote(e.name) + " found.");
  const Call call(*this, e.args, frame);
  expression_ = &e;
  return make_bool(is_true(apply(*e.function, v, call.args())));
}

/// `a + b + c`. Plain texts are collected and joined once; anything else is added step by step, so
/// that the first operation that fails is the one that would fail in Python.
Value Interpreter::eval_sum(const ManyExpr& e, Frame& frame) {
  constexpr std::uint32_t kPieces = 16;
  Value pieces[kPieces];
  std::uint32_t held = 0;
  std::size_t bytes = 0;
  const auto join = [&] {
    if (held == 1) return pieces[0];
    charge(bytes / 64);
    char* at = arena_.text(bytes);
    const Value joined = make_string({at, bytes});
    for (std::uint32_t i = 0; i < held; ++i) {
      if (pieces[i].size != 0) std::memcpy(at, pieces[i].text, pieces[i].size);
      at += pieces[i].size;
    }
    return joined;
  };
  std::uint32_t i = 0;
  for (; i < e.count; ++i) {
    const Value v = eval(*e.items[i], frame);
    if (v.is_string() && !v.is_markup()) {
      if (held == kPieces) {
        pieces[0] = join();
        held = 1;
      }
      pieces[held++] = v;
      bytes += v.size;
      continue;
    }
    if (held == 0) {
      pieces[held++] = v;
    } else {
      const Value left = join();
      expression_ = &e;
      pieces[0] = add(*this, left, v);
      held = 1;
    }
    ++i;
    break;
  }
  if (i == e.count && pieces[held - 1].is_string()) return join();
  Value total = pieces[0];
  for (; i < e.count; ++i) {
    const Value v = eval(*e.items[i], frame);
    expression_ = &e;
    total = add(*this, total, v);
  }
  return total;
}

Value Interpreter::eval_concat(const ManyExpr& e, Frame& frame) {
  // Every operand is evaluated before the first is converted.
  Value* values = arena_.array<Value>(e.count);
  bool markup = false;
  for (std::uint32_t i = 0; i < e.count; ++i) {
    values[i] = eval(*e.items[i], frame);
    markup = markup || values[i].is_markup();
  }
  std::string joined;
  if (autoescape_ && markup) {
    // Jinja2's markup_join: one Markup operand makes the others be escaped.
    for (std::uint32_t i = 0; i < e.count; ++i) append_escaped(joined, values[i]);
    return text(joined, true);
  }
  for (std::uint32_t i = 0; i < e.count; ++i) {
    charge_text(values[i]);
    append_str(joined, values[i]);
  }
  return text(joined);
}

Value Interpreter::eval_arithmetic(const BinaryExpr& e, Frame& frame) {
  const Value left = eval(*e.left, frame);
  const Value right = eval(*e.right, frame);
  expression_ = &e;
  switch (e.kind) {
    case ExprKind::subtract:
      return subtract(*this, left, right);
    case ExprKind::multiply:
      return multiply(*this, left, right);
    case ExprKind::divide:
      return divide(*this, left, right);
    case ExprKind::floor_divide:
      return floor_divide(*this, left, right);
    case ExprKind::modulo:
      return modulo(*this, left, right);
    default:
      return power(*this, left, right);
  }
}

bool Interpreter::compare(CompareOp op, const Value& a, const Value& b) {
  switch (op) {
    case CompareOp::eq:
      return equals(a, b);
    case CompareOp::ne:
      return !equals(a, b);
    case CompareOp::lt:
      return ordered(a, Order::lt, b);
    case CompareOp::le:
      return ordered(a, Order::le, b);
    case CompareOp::gt:
      return ordered(a, Order::gt, b);
    case CompareOp::ge:
      return ordered(a, Order::ge, b);
    case CompareOp::in:
      return contains(*this, b, a);
    case CompareOp::not_in:
      return !contains(*this, b, a);
  }
  return false;
}

Value Interpreter::eval_compare(const CompareExpr& e, Frame& frame) {
  Value left = eval(*e.first, frame);
  for (std::uint32_t i = 0; i < e.count; ++i) {
    const Value right = eval(*e.operands[i], frame);
    expression_ = &e;
    if (!compare(e.ops[i], left, right)) return make_bool(false);
    left = right;
  }
  return make_bool(true);
}

Value Interpreter::eval_many(const ManyExpr& e, Frame& frame) {
  Value* items = arena_.array<Value>(e.count);
  for (std::uint32_t i = 0; i < e.count; ++i) items[i] = eval(*e.items[i], frame);
  return make_pointer(e.kind == ExprKind::list ? Tag::list : Tag::tuple,
                      arena_.make<List>(items, e.count));
}

Value Interpreter::eval_dict(const DictExpr& e, Frame& frame) {
  DictBuilder dict(arena_, e.count);
  for (std::uint32_t i = 0; i < e.count; ++i) {
    const Value key = eval(*e.keys[i], frame);
    const Value value = eval(*e.values[i], frame);
    expression_ = &e;
    dict.set(key, value);
  }
  return dict.value();
}

void Interpreter::print_value(const Value& value, bool escape) {
  if (escape && !value.is_markup()) {
    std::string escaped;
    append_escaped(escaped, value);
    append(escaped);
    return;
  }
  if (value.is_string()) return append(value.str());
  charge_text(value);
  append_str(out_, value);
  if (out_.size() > output_limit_) fail_output();
}

void Interpreter::print(const Expr& e, Frame& frame, bool escape) {
  if (!escape) {
    switch (e.kind) {
      case ExprKind::sum: {
        // Texts go straight to the output; on the first other value, fall back to adding up.
        const auto& sum = static_cast<const ManyExpr&>(e);
        const std::size_t begin = out_.size();
        std::uint32_t i = 0;
        for (; i < sum.count; ++i) {
          const Value v = eval(*sum.items[i], frame);
          if (v.is_string() && !v.is_markup()) {
            append(v.str());
            continue;
          }
          Value total = v;
          if (i > 0) {
            const Value left = take_output(begin, false);
            expression_ = &e;
            total = add(*this, left, v);
          }
          for (++i; i < sum.count; ++i) {
            const Value right = eval(*sum.items[i], frame);
            expression_ = &e;
            total = add(*this, total, right);
          }
          return print_value(total, false);
        }
        return;
      }
      case ExprKind::conditional: {
        const auto& node = static_cast<const ConditionalExpr&>(e);
        if (eval_true(*node.test, frame)) return print(*node.then, frame, false);
        if (node.otherwise) print(*node.otherwise, frame, false);
        return;
      }
      case ExprKind::filter: {
        const auto& node = static_cast<const ApplyExpr&>(e);
        if (node.function && node.function->bound == tojson_filter && node.input &&
            node.args.is_simple() && node.args.positional_count == 0) {
          charge(1);
          const Value v = eval(*node.input, frame);
          const std::size_t begin = out_.size();
          expression_ = &e;
          append_json(out_, v, JsonStyle{});
          charge((out_.size() - begin) / 64);
          if (out_.size() > output_limit_) fail_output();
          return;
        }
        break;
      }
      default:
        break;
    }
  }
  print_value(eval(e, frame), escape);
}

}  // namespace dynamo::jinja::detail
