// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "jinja/bigint.h"
#include "jinja/compiled.h"
#include "jinja/failure.h"
#include "jinja/interpreter.h"
#include "jinja/text.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

Value missing_attribute(const Value& object, const Attribute& a) {
  return make_undefined(UndefinedKind::attribute, &a.info, object.tag);
}

Value hidden_attribute(const Value& object, const Attribute& a) {
  return make_undefined(UndefinedKind::unsafe, &a.info, object.tag);
}

Value bind_method(Interpreter& in, const Value& self, const Builtin* method) {
  return make_pointer(Tag::method, in.arena().make<MethodObject>(method, self));
}

Value loop_field(Interpreter& in, LoopState& loop, LoopField field) {
  switch (field) {
    case LoopField::index:
      return make_int(loop.index0 + 1);
    case LoopField::index0:
      return make_int(loop.index0);
    case LoopField::revindex:
      return make_int(loop.length() - loop.index0);
    case LoopField::revindex0:
      return make_int(loop.length() - loop.index0 - 1);
    case LoopField::first:
      return make_bool(loop.index0 == 0);
    case LoopField::last:
      return make_bool(loop.peek().is_missing());
    case LoopField::length:
      return make_int(loop.length());
    case LoopField::previtem:
      return loop.index0 == 0 ? in.undefined_hint("there is no previous item") : loop.before;
    case LoopField::nextitem: {
      const Value& next = loop.peek();
      return next.is_missing() ? in.undefined_hint("there is no next item") : next;
    }
    case LoopField::depth:
      return make_int(loop.depth0 + 1);
    case LoopField::depth0:
      return make_int(loop.depth0);
    case LoopField::none:
      break;
  }
  return Value{};
}

Value macro_field(Interpreter& in, const Function& f, std::string_view name) {
  if (name == "name") return f.name.empty() ? make_none() : make_string(f.name);
  if (name == "arguments") {
    ListBuilder names(in.arena(), f.param_count);
    for (std::uint32_t i = 0; i < f.param_count; ++i) names.add(make_string(f.params[i].name));
    return names.tuple();
  }
  if (name == "catch_kwargs") return make_bool(f.takes_kwargs);
  if (name == "catch_varargs") return make_bool(f.takes_varargs);
  if (name == "caller") return make_bool(f.takes_caller);
  if (name == "explicit_caller") return make_bool(f.explicit_caller);
  return Value{};
}

/// Index into a sequence, or a negative number when it is out of range.
std::int64_t index_in(const Value& key, std::int64_t size) noexcept {
  if (key.tag == Tag::big) return -1;
  std::int64_t i = key.tag == Tag::boolean ? static_cast<std::int64_t>(key.boolean) : key.integer;
  if (i < 0) i += size;
  return i < size ? i : -1;
}

}  // namespace

Value Interpreter::attribute(const Value& object, const Attribute& a) {
  if (object.is_undefined()) fail_with_undefined(object);
  if (a.hidden) return hidden_attribute(object, a);
  const Builtin* method = nullptr;
  switch (object.tag) {
    case Tag::json_object:
      if (a.mutates_dict) return hidden_attribute(object, a);
      if (a.dict_method) return bind_method(*this, object, a.dict_method);
      if (const Json* found = object.json_object->find(a.name())) return from_json(arena_, *found);
      break;
    case Tag::dict:
      if (a.mutates_dict) return hidden_attribute(object, a);
      if (a.dict_method) return bind_method(*this, object, a.dict_method);
      if (const Value* found = object.dict->find(a.name())) return *found;
      break;
    case Tag::name_space:
      if (const Value* found = object.name_space->attributes.dict()->find(a.name())) {
        return a.name().starts_with('_') ? hidden_attribute(object, a) : *found;
      }
      break;
    case Tag::loop:
      if (a.loop_field != LoopField::none) return loop_field(*this, *object.loop, a.loop_field);
      method = a.loop_method;
      break;
    case Tag::string:
      method = a.str_method;
      break;
    case Tag::json_array:
    case Tag::list:
      if (a.mutates_list) return hidden_attribute(object, a);
      method = a.list_method;
      break;
    case Tag::tuple:
      // The pairs of groupby have names.
      if (object.flags == kGroupTuple) {
        if (a.name() == "grouper") return object.list->items[0];
        if (a.name() == "list") return object.list->items[1];
      }
      method = a.tuple_method;
      break;
    case Tag::range:
      if (a.name() == "start") return make_int(object.range->start);
      if (a.name() == "stop") return make_int(object.range->stop);
      if (a.name() == "step") return make_int(object.range->step);
      method = a.tuple_method;
      break;
    case Tag::boolean:
    case Tag::integer:
    case Tag::big:
      if (a.name() == "real" || a.name() == "numerator")
        return int_add(arena_, object, make_int(0));
      if (a.name() == "imag") return make_int(0);
      if (a.name() == "denominator") return make_int(1);
      method = a.int_method;
      break;
    case Tag::real:
      if (a.name() == "real") return object;
      if (a.name() == "imag") return make_real(0);
      method = a.float_method;
      break;
    case Tag::macro: {
      const Value field = macro_field(*this, *object.macro->function, a.name());
      if (!field.is_missing()) return field;
      break;
    }
    case Tag::cycler:
      if (a.name() == "current") return object.cycler->items[object.cycler->position];
      if (a.name() == "pos") return make_int(static_cast<std::int64_t>(object.cycler->position));
      method = a.cycler_method;
      break;
    case Tag::joiner:
      if (a.name() == "sep") return object.joiner->separator;
      if (a.name() == "used") return make_bool(object.joiner->used);
      break;
    case Tag::self: {
      const auto at = code_.blocks.find(a.name());
      if (at != code_.blocks.end()) {
        return make_pointer(Tag::block, arena_.make<BlockReference>(at->second->function));
      }
      break;
    }
    default:
      break;
  }
  return method ? bind_method(*this, object, method) : missing_attribute(object, a);
}

Value Interpreter::item(const Value& object, const Value& key, const Attribute* known) {
  switch (object.tag) {
    case Tag::undefined:
      fail_with_undefined(object);
    case Tag::json_object:
      if (key.is_string()) {
        if (const Json* found = object.json_object->find(key.str())) {
          return from_json(arena_, *found);
        }
      }
      break;
    case Tag::dict:
      if (const Value* found = key.is_string()                      ? object.dict->find(key.str())
                               : key.is_array() || key.is_mapping() ? nullptr
                                                                    : object.dict->find(key)) {
        return *found;
      }
      if (key.tag == Tag::tuple) {
        if (const Value* found = object.dict->find(key)) return *found;
      }
      break;
    case Tag::json_array:
      if (key.is_integral()) {
        const auto size = static_cast<std::int64_t>(object.json_array->size());
        const std::int64_t i = index_in(key, size);
        if (i >= 0) return from_json(arena_, (*object.json_array)[static_cast<std::size_t>(i)]);
      }
      break;
    case Tag::list:
    case Tag::tuple:
      if (key.is_integral()) {
        const std::int64_t i = index_in(key, object.list->size);
        if (i >= 0) return object.list->items[i];
      }
      break;
    case Tag::range:
      if (key.is_integral()) {
        const std::int64_t i = index_in(key, object.range->size());
        if (i >= 0) return make_int(object.range->start + i * object.range->step);
      }
      break;
    case Tag::string:
      if (key.is_integral()) {
        const std::string_view text = object.str();
        const bool ascii = is_ascii(text);
        const auto size = static_cast<std::int64_t>(ascii ? text.size() : char_count(text));
        const std::int64_t i = index_in(key, size);
        if (i >= 0) {
          const std::size_t at =
              ascii ? static_cast<std::size_t>(i) : char_offset(text, static_cast<std::size_t>(i));
          return make_string(text.substr(at, char_length(text[at])), object.is_markup());
        }
      }
      break;
    default:
      break;
  }
  if (key.is_string()) {
    const Attribute& a = known ? *known : *make_attribute(arena_, key.str());
    // Items were looked at already; only attributes are left.
    if (object.tag == Tag::json_object || object.tag == Tag::dict) {
      if (a.hidden || a.mutates_dict) return hidden_attribute(object, a);
      if (a.dict_method) return bind_method(*this, object, a.dict_method);
      return missing_attribute(object, a);
    }
    return attribute(object, a);
  }
  return make_undefined(UndefinedKind::element, arena_.make<UndefinedInfo>("", key), object.tag);
}

Value Interpreter::call(const Value& callee, const CallArgs& args) {
  switch (callee.tag) {
    case Tag::undefined:
      fail_with_undefined(callee);
    case Tag::function:
      return apply(*callee.function, Value{}, args);
    case Tag::method:
      return apply(*callee.method->function, callee.method->self, args);
    case Tag::macro:
      return call_macro(*callee.macro, args);
    case Tag::loop:
      if (args.positional.size() != 1 || !args.named.empty()) {
        fail_type("loop() takes one argument, the items of the inner loop");
      }
      return call_loop(*callee.loop, args.positional[0]);
    case Tag::joiner: {
      const bool first = !callee.joiner->used;
      callee.joiner->used = true;
      return first ? make_string({}) : callee.joiner->separator;
    }
    case Tag::block: {
      const std::size_t begin = out_.size();
      run_function(*callee.block->function, nullptr, nullptr);
      return take_output(begin, autoescape_);
    }
    default:
      fail_type("'" + std::string(type_name(callee)) + "' object is not callable");
  }
}

Value Interpreter::apply(const Builtin& f, const Value& self, const CallArgs& args) {
  if (f.raw) return f.raw(*this, self, args);
  const std::uint8_t count = f.count();
  Value bound[1 + 6];
  bound[0] = self;
  if (args.positional.size() > count) {
    fail_type(std::string(f.name) + "() takes at most " + std::to_string(count) + " arguments (" +
              std::to_string(args.positional.size()) + " given)");
  }
  std::copy(args.positional.begin(), args.positional.end(), bound + 1);
  for (const NamedArg& named : args.named) {
    std::uint8_t at = f.positional_only;
    while (at < count && f.params[at] != named.name) ++at;
    if (at == count) {
      fail_type(std::string(f.name) + "() got an unexpected keyword argument " + quote(named.name));
    }
    if (!bound[1 + at].is_missing()) {
      fail_type(std::string(f.name) + "() got multiple values for argument " + quote(named.name));
    }
    bound[1 + at] = named.value;
  }
  for (std::uint8_t i = 0; i < f.required; ++i) {
    if (bound[1 + i].is_missing()) {
      fail_type(std::string(f.name) + "() missing required argument " + quote(f.params[i]));
    }
  }
  return f.bound(*this, bound);
}

Value Interpreter::call_macro(const MacroObject& macro, const CallArgs& args) {
  const Function& f = *macro.function;
  constexpr std::size_t kInline = 16;
  Value room[kInline];
  const std::size_t total = f.param_count + 3;
  Value* values = total <= kInline ? room : arena_.array<Value>(total);
  std::fill_n(values, total, Value{});

  const std::size_t given = std::min<std::size_t>(args.positional.size(), f.param_count);
  std::copy_n(args.positional.begin(), given, values);
  // Keyword arguments that no parameter takes.
  NamedArg* left = args.named.empty() ? nullptr : arena_.array<NamedArg>(args.named.size());
  std::size_t left_count = 0;
  for (const NamedArg& named : args.named) {
    std::size_t at = given;
    while (at < f.param_count && f.params[at].name != named.name) ++at;
    if (at < f.param_count) {
      values[at] = named.value;
    } else {
      left[left_count++] = named;
    }
  }
  const std::string_view shown = f.name.empty() ? "None" : f.name;
  std::size_t count = f.param_count;
  if (f.takes_caller && !f.explicit_caller) {
    Value& caller = values[count++];
    for (std::size_t i = 0; i < left_count; ++i) {
      if (left[i].name != "caller") continue;
      caller = left[i].value;
      std::copy(left + i + 1, left + left_count, left + i);
      --left_count;
      break;
    }
    if (caller.is_missing() || caller.is_none()) caller = undefined_hint("No caller defined");
  }
  if (f.takes_kwargs) {
    DictBuilder kwargs(arena_, left_count);
    for (std::size_t i = 0; i < left_count; ++i) {
      kwargs.set(make_string(left[i].name), left[i].value);
    }
    values[count++] = kwargs.value();
  } else if (left_count != 0) {
    for (std::size_t i = 0; i < left_count; ++i) {
      if (left[i].name == "caller") {
        fail_type("macro " + quote(shown) +
                  " was invoked with two values for the special caller argument. This is most"
                  " likely a bug.");
      }
    }
    fail_type("macro " + quote(shown) + " takes no keyword argument " + quote(left[0].name));
  }
  if (f.takes_varargs) {
    const auto rest = args.positional.subspan(given);
    Value* items = arena_.array<Value>(rest.size());
    std::copy(rest.begin(), rest.end(), items);
    values[count++] =
        make_pointer(Tag::tuple, arena_.make<List>(items, static_cast<std::uint32_t>(rest.size())));
  } else if (args.positional.size() > f.param_count) {
    fail_type("macro " + quote(shown) + " takes not more than " + std::to_string(f.param_count) +
              " argument(s)");
  }

  const std::size_t begin = out_.size();
  const std::uint32_t line = line_;
  const Expr* expression = expression_;
  run_function(f, macro.outer, values);
  line_ = line;
  expression_ = expression;
  return take_output(begin, autoescape_);
}

}  // namespace dynamo::jinja::detail
