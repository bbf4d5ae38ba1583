// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "jinja/compiled.h"
#include "jinja/failure.h"
#include "jinja/interpreter.h"
#include "jinja/text.h"

namespace dynamo::jinja::detail {
namespace {

/// Native stack that a render may use: a level of macro recursion takes 2 to 6 KiB.
constexpr std::size_t kStackBytes = std::size_t{3} << 20;
/// Frames with few variables live on the native stack.
constexpr std::uint16_t kInlineSlots = 24;

/// A for loop's filter: Jinja2 runs it as a generator, item by item.
class FilteredItems final : public Iterator {
 public:
  FilteredItems(const ForStmt& loop, const Value& iterable, Frame* outer)
      : loop_(loop), cursor_(iterate(iterable)), frame_{nullptr, outer} {}

  bool next(Interpreter& in, Value& item) override {
    if (running_) fail_type("generator already executing");
    running_ = true;
    if (!frame_.slots) {
      frame_.slots = in.arena().array<Value>(loop_.filter->slots);
      std::fill_n(frame_.slots, loop_.filter->slots, Value{});
      in.enter(loop_.filter->scope, frame_);
    }
    bool found = false;
    while (!found && cursor_.next(in, item)) {
      in.charge(1);
      found = in.loop_filter(loop_, frame_, item);
    }
    running_ = false;
    return found;
  }

 private:
  const ForStmt& loop_;
  Cursor cursor_;
  Frame frame_;
  bool running_ = false;
};

}  // namespace

Interpreter::Interpreter(const Template::Compiled& code, const Context& context, std::string& out,
                         const RenderOptions& options)
    : code_(code),
      context_(context),
      out_(out),
      options_(options),
      arena_(options.budget.memory_bytes),
      steps_left_(options.budget.steps),
      output_limit_(out.size() + options.budget.output_bytes),
      recursion_left_(options.budget.recursion) {}

void Interpreter::run() {
  stack_base_ = static_cast<const char*>(__builtin_frame_address(0));
  names_ = arena_.array<Value>(code_.names.size());
  for (std::size_t id = 0; id < code_.names.size(); ++id) {
    const std::string_view name = code_.names[id];
    Value& value = names_[id];
    value = Value{};
    if (const Builtin* global = find_global(name)) value = make_pointer(Tag::function, global);
    for (const Context::Variable& v : context_.variables()) {
      if (v.name != name) continue;
      switch (v.kind) {
        case Context::Variable::Kind::none:
          value = make_none();
          break;
        case Context::Variable::Kind::boolean:
          value = make_bool(v.flag);
          break;
        case Context::Variable::Kind::text:
          value = make_string(v.text);
          break;
        case Context::Variable::Kind::json:
          value = from_json(arena_, *v.json);
          break;
      }
      break;
    }
  }
  run_function(code_.root, nullptr, nullptr);
}

void Interpreter::fail_steps() const {
  fail_limit("the render takes more than its budget of " + std::to_string(options_.budget.steps) +
             " steps");
}

void Interpreter::fail_output() const {
  fail_limit("the render prints more than its budget of " +
             std::to_string(options_.budget.output_bytes) + " bytes");
}

void Interpreter::check_stack() {
  // The frame's own address: that of a variable may lie elsewhere under AddressSanitizer.
  const char* here = static_cast<const char*>(__builtin_frame_address(0));
  const auto used = stack_base_ > here ? stack_base_ - here : here - stack_base_;
  if (static_cast<std::size_t>(used) > kStackBytes) fail_limit("the render recurses too deeply");
}

std::uint64_t Interpreter::random() {
  if (random_state_ == 0) {
    const Clock& clock = options_.clock ? *options_.clock : Clock::system();
    random_state_ = static_cast<std::uint64_t>(clock.system_now().time_since_epoch().count()) | 1;
  }
  random_state_ += 0x9E3779B97F4A7C15ULL;  // splitmix64
  std::uint64_t z = random_state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

Value Interpreter::undefined_hint(std::string_view message) {
  return make_undefined(UndefinedKind::hint, arena_.make<UndefinedInfo>(message));
}

void Interpreter::enter(const Scope& scope, Frame& frame) {
  for (std::uint32_t i = 0; i < scope.count; ++i) {
    const Load& load = scope.loads[i];
    Value& slot = frame.slots[load.slot];
    switch (load.kind) {
      case LoadKind::parameter:
        break;
      case LoadKind::resolve:
        slot = names_[load.name_id];
        break;
      case LoadKind::alias:
        slot = variable(load.from, frame);
        break;
      case LoadKind::unset:
        slot = Value{};
        break;
      case LoadKind::self:
        slot = make_pointer(Tag::self, nullptr);
        break;
      case LoadKind::super:
        slot = undefined_hint("there is no parent block of that name.");
        break;
    }
  }
}

/// What a scope owned is gone for closures that still see it.
void Interpreter::leave(const Scope& scope, Frame& frame) {
  for (std::uint32_t i = 0; i < scope.count; ++i) frame.slots[scope.loads[i].slot] = Value{};
}

/// `args` holds parameters, caller, kwargs and varargs, in this order, as far as there are any.
void Interpreter::run_function(const Function& function, Frame* outer, const Value* args) {
  if (recursion_left_ == 0) {
    fail_limit("calls are nested more than " + std::to_string(options_.budget.recursion) + " deep");
  }
  --recursion_left_;
  check_stack();
  Value inline_slots[kInlineSlots];
  Frame inline_frame{inline_slots, outer};
  Frame* frame = &inline_frame;
  if (function.has_inner || function.slots > kInlineSlots) {
    frame = arena_.make<Frame>(arena_.array<Value>(function.slots), outer);
    std::fill_n(frame->slots, function.slots, Value{});
  }
  enter(function.scope, *frame);
  if (args != nullptr) {
    for (std::uint32_t i = 0; i < function.param_count; ++i) {
      variable(function.params[i].ref, *frame) = *args++;
    }
    if (function.takes_caller && !function.explicit_caller)
      variable(function.caller, *frame) = *args++;
    if (function.takes_kwargs) variable(function.kwargs, *frame) = *args++;
    if (function.takes_varargs) variable(function.varargs, *frame) = *args++;
  }
  for (std::uint32_t i = 0; i < function.param_count; ++i) {
    const Param& param = function.params[i];
    Value& slot = variable(param.ref, *frame);
    if (!slot.is_missing()) continue;
    slot = param.default_value ? eval(*param.default_value, *frame)
                               : make_undefined(UndefinedKind::hint, param.info);
  }
  run_body(function.body, *frame);
  ++recursion_left_;
}

Interpreter::Flow Interpreter::run_body(const Body& body, Frame& frame) {
  for (std::uint32_t i = 0; i < body.count; ++i) {
    const Flow flow = run_statement(*body.items[i], frame);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_statement(const Stmt& s, Frame& frame) {
  charge(1);
  line_ = s.line;
  expression_ = nullptr;
  switch (s.kind) {
    case StmtKind::text:
      append(static_cast<const TextStmt&>(s).text);
      return Flow::normal;
    case StmtKind::output: {
      const auto& node = static_cast<const OutputStmt&>(s);
      expression_ = node.value;
      print(*node.value, frame, escapes(node.escape));
      return Flow::normal;
    }
    case StmtKind::if_:
      return run_if(static_cast<const IfStmt&>(s), frame);
    case StmtKind::for_:
      return run_for(static_cast<const ForStmt&>(s), frame);
    case StmtKind::set: {
      const auto& node = static_cast<const SetStmt&>(s);
      expression_ = node.value;
      assign(*node.target, eval(*node.value, frame), frame);
      return Flow::normal;
    }
    case StmtKind::set_block: {
      Flow flow = Flow::normal;
      run_set_block(static_cast<const SetBlockStmt&>(s), frame, flow);
      return flow;
    }
    case StmtKind::with:
      return run_with(static_cast<const WithStmt&>(s), frame);
    case StmtKind::macro: {
      const auto& node = static_cast<const MacroStmt&>(s);
      const Value macro = make_pointer(Tag::macro, arena_.make<MacroObject>(node.function, &frame));
      variable(node.ref, frame) = macro;
      if (node.export_name >= 0) names_[node.export_name] = macro;
      return Flow::normal;
    }
    case StmtKind::call:
    case StmtKind::generation:
      run_call(static_cast<const CallStmt&>(s), frame);
      return Flow::normal;
    case StmtKind::filter:
      return run_filter(static_cast<const FilterStmt&>(s), frame);
    case StmtKind::block:
      run_block(static_cast<const BlockStmt&>(s), frame);
      return Flow::normal;
    case StmtKind::autoescape:
      return run_autoescape(static_cast<const AutoescapeStmt&>(s), frame);
    case StmtKind::break_:
      return Flow::break_loop;
    case StmtKind::continue_:
      return Flow::continue_loop;
    case StmtKind::unsupported:
      fail_type("{% " + std::string(static_cast<const UnsupportedStmt&>(s).what) +
                " %} needs another template, and a chat template stands alone");
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_if(const IfStmt& node, Frame& frame) {
  for (std::uint32_t i = 0; i < node.branch_count; ++i) {
    expression_ = node.branches[i].test;
    if (eval_true(*node.branches[i].test, frame)) return run_body(node.branches[i].body, frame);
  }
  return run_body(node.otherwise, frame);
}

bool Interpreter::loop_filter(const ForStmt& loop, Frame& frame, const Value& item) {
  assign(*loop.filter_target, item, frame);
  return eval_true(*loop.test, frame);
}

Interpreter::Flow Interpreter::run_for(const ForStmt& node, Frame& frame) {
  expression_ = node.iterable;
  const Value iterable = eval(*node.iterable, frame);
  if (!node.recursive) return run_loop(node, iterable, frame, 0);
  LoopState root{};
  root.recursive = &node;
  root.outer = &frame;
  root.depth0 = -1;
  const std::size_t begin = out_.size();
  const Value printed = call_loop(root, iterable);
  out_.resize(begin);
  append(printed.str());
  return Flow::normal;
}

Value Interpreter::call_loop(const LoopState& loop, const Value& iterable) {
  if (!loop.recursive) {
    fail_type("The loop must have the 'recursive' marker to be called recursively.");
  }
  if (recursion_left_ == 0) {
    fail_limit("calls are nested more than " + std::to_string(options_.budget.recursion) + " deep");
  }
  --recursion_left_;
  check_stack();
  const Function& f = *loop.recursive->recursion;
  Frame* frame = arena_.make<Frame>(arena_.array<Value>(f.slots), loop.outer);
  std::fill_n(frame->slots, f.slots, Value{});
  const std::size_t begin = out_.size();
  run_loop(*loop.recursive, iterable, *frame, loop.depth0 + 1);
  ++recursion_left_;
  return take_output(begin, autoescape_);
}

Interpreter::Flow Interpreter::run_loop(const ForStmt& node, const Value& iterable, Frame& frame,
                                        std::int64_t depth0) {
  Frame* const outer = node.recursive ? frame.outer : &frame;
  Value source = iterable;
  if (node.filter) {
    Iterator* filtered = arena_.make<FilteredItems>(node, iterable, outer);
    source = Value{};
    source.tag = Tag::iterator;
    source.iterator = filtered;
  }
  LoopState* loop = nullptr;
  Cursor cursor = iterate(source);
  if (node.uses_loop) {
    loop = arena_.make<LoopState>();
    loop->interpreter = this;
    loop->iterable = source;
    loop->cursor = cursor;
    loop->recursive = node.recursive ? &node : nullptr;
    loop->outer = outer;
    loop->depth0 = depth0;
  }
  Flow flow = Flow::normal;
  bool completed_one = false;
  bool any = false;
  for (Value item;;) {
    charge(1);
    if (loop ? !loop->advance(item) : !cursor.next(*this, item)) break;
    any = true;
    if (node.target->kind == TargetKind::variable) {
      variable(node.target->ref, frame) = item;
    } else {
      unpack(*node.target, item, frame);
    }
    if (loop) variable(node.loop, frame) = make_pointer(Tag::loop, loop);
    enter(node.scope, frame);
    flow = run_body(node.body, frame);
    if (flow == Flow::break_loop) break;
    // `continue` skips the note that there was an item, in Jinja2 as well.
    if (flow == Flow::normal) completed_one = true;
  }
  if (any) leave(node.scope, frame);
  if (!completed_one && node.otherwise.count != 0) {
    enter(node.else_scope, frame);
    const Flow else_flow = run_body(node.otherwise, frame);
    leave(node.else_scope, frame);
    return else_flow;
  }
  return Flow::normal;
}

Value Interpreter::take_output(std::size_t begin, bool markup) {
  const Value taken = text(std::string_view(out_).substr(begin), markup);
  out_.resize(begin);
  return taken;
}

void Interpreter::run_set_block(const SetBlockStmt& node, Frame& frame, Flow& flow) {
  enter(node.scope, frame);
  const std::size_t begin = out_.size();
  flow = run_body(node.body, frame);
  if (flow != Flow::normal) {
    out_.resize(begin);
    return;
  }
  Value value = take_output(begin, autoescape_);
  if (node.filter) {
    line_ = node.line;
    expression_ = node.filter;
    value = eval_filter(static_cast<const ApplyExpr&>(*node.filter), frame, &value);
  }
  assign(*node.target, value, frame);
  leave(node.scope, frame);
}

Interpreter::Flow Interpreter::run_with(const WithStmt& node, Frame& frame) {
  enter(node.scope, frame);
  for (std::uint32_t i = 0; i < node.count; ++i) {
    expression_ = node.values[i];
    assign(*node.targets[i], eval(*node.values[i], frame), frame);
  }
  const Flow flow = run_body(node.body, frame);
  leave(node.scope, frame);
  return flow;
}

Interpreter::Flow Interpreter::run_filter(const FilterStmt& node, Frame& frame) {
  enter(node.scope, frame);
  const std::size_t begin = out_.size();
  const Flow flow = run_body(node.body, frame);
  if (flow != Flow::normal) {
    out_.resize(begin);
    return flow;
  }
  const Value printed = take_output(begin, escapes(node.escape));
  line_ = node.line;
  expression_ = node.filter;
  const Value result = eval_filter(static_cast<const ApplyExpr&>(*node.filter), frame, &printed);
  print_text(result);
  leave(node.scope, frame);
  return Flow::normal;
}

/// Prints what must be a text already.
void Interpreter::print_text(const Value& value) {
  if (!value.is_string()) {
    fail_type("expected a text to print, got " + std::string(type_name(value)));
  }
  append(value.str());
}

Interpreter::Flow Interpreter::run_autoescape(const AutoescapeStmt& node, Frame& frame) {
  enter(node.scope, frame);
  const bool before = autoescape_;
  autoescape_ = eval_true(*node.on, frame);
  const Flow flow = run_body(node.body, frame);
  autoescape_ = before;
  leave(node.scope, frame);
  return flow;
}

void Interpreter::run_call(const CallStmt& node, Frame& frame) {
  if (!node.call) {  // {% generation %}
    Value args[3];
    std::uint32_t count = 0;
    if (node.body->takes_caller) args[count++] = undefined_hint("No caller defined");
    if (node.body->takes_kwargs) args[count++] = DictBuilder(arena_, 1).value();
    if (node.body->takes_varargs) args[count++] = make_tuple(arena_, {});
    run_function(*node.body, &frame, args);
    return;
  }
  const Value caller = make_pointer(Tag::macro, arena_.make<MacroObject>(node.body, &frame));
  expression_ = node.call;
  print_text(eval_call(*node.call, frame, &caller));
}

void Interpreter::run_block(const BlockStmt& node, Frame& frame) {
  if (node.required) fail_type("Required block " + quote(node.name) + " not found");
  Value* const names = names_;
  if (node.scoped) {
    Value* inner = arena_.array<Value>(code_.names.size());
    std::copy_n(names, code_.names.size(), inner);
    for (std::uint32_t i = 0; i < node.local_count; ++i) {
      const Value v = variable(node.locals[i].ref, frame);
      if (!v.is_missing()) inner[node.locals[i].name_id] = v;
    }
    names_ = inner;
  }
  run_function(*node.function, nullptr, nullptr);
  names_ = names;
}

void Interpreter::assign(const Target& target, const Value& value, Frame& frame) {
  switch (target.kind) {
    case TargetKind::variable:
      variable(target.ref, frame) = value;
      if (target.export_name >= 0) names_[target.export_name] = value;
      return;
    case TargetKind::namespace_attribute: {
      const Value object = variable(target.ref, frame);
      if (object.tag != Tag::name_space) {
        fail_type("cannot assign attribute on non-namespace object");
      }
      object.name_space->attributes.set(make_string(target.attribute), value);
      return;
    }
    case TargetKind::tuple:
      unpack(target, value, frame);
      return;
  }
}

void Interpreter::unpack(const Target& target, const Value& value, Frame& frame) {
  if (target.kind != TargetKind::tuple) return assign(target, value, frame);
  if (!is_iterable(value)) {
    fail_type("cannot unpack non-iterable " + std::string(type_name(value)) + " object");
  }
  Cursor cursor = iterate(value);
  Value* items = arena_.array<Value>(target.count);
  for (std::uint32_t i = 0; i < target.count; ++i) {
    if (!cursor.next(*this, items[i])) {
      fail_type("not enough values to unpack (expected " + std::to_string(target.count) + ", got " +
                std::to_string(i) + ")");
    }
  }
  if (Value more; cursor.next(*this, more)) {
    fail_type("too many values to unpack (expected " + std::to_string(target.count) + ")");
  }
  for (std::uint32_t i = 0; i < target.count; ++i) assign(*target.items[i], items[i], frame);
}

}  // namespace dynamo::jinja::detail
