// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/core.h>

#include "tokenizer/regex/program.h"

namespace dynamo::tokenizer::regex {
namespace {

constexpr std::size_t kCodeLimit = 100'000;

/// Characters a node consumes, at least and at most.
struct Extent {
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  bool bounded = true;
};

Extent extent_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::set:
      return {1, 1, true};
    case Node::Kind::sequence: {
      Extent all;
      for (const auto& child : node.children) {
        const Extent e = extent_of(*child);
        all = {all.min + e.min, all.max + e.max, all.bounded && e.bounded};
      }
      return all;
    }
    case Node::Kind::alternation: {
      Extent all = extent_of(*node.children.front());
      for (const auto& child : node.children) {
        const Extent e = extent_of(*child);
        all = {std::min(all.min, e.min), std::max(all.max, e.max), all.bounded && e.bounded};
      }
      return all;
    }
    case Node::Kind::repeat: {
      const Extent e = extent_of(*node.children.front());
      const bool bounded = e.bounded && (node.max != kUnlimited || e.max == 0);
      const std::uint64_t most = node.max == kUnlimited ? 0 : node.max;
      return {std::min<std::uint64_t>(e.min * node.min, 1U << 30),
              std::min<std::uint64_t>(e.max * most, 1U << 30), bounded};
    }
    case Node::Kind::capture:
    case Node::Kind::atomic:
      return extent_of(*node.children.front());
    case Node::Kind::back_reference:
      return {0, 0, false};
    case Node::Kind::empty:
    case Node::Kind::look:
    case Node::Kind::assertion:
    case Node::Kind::keep:
      break;
  }
  return {};
}

/// The characters that a match of the node can begin with; false when it can be empty.
bool first_of(const Node& node, CharSet& first) {
  switch (node.kind) {
    case Node::Kind::set:
      first |= node.set;
      return true;
    case Node::Kind::sequence:
      return std::ranges::any_of(node.children,
                                 [&](const auto& child) { return first_of(*child, first); });
    case Node::Kind::alternation: {
      bool all = true;
      for (const auto& child : node.children) all = first_of(*child, first) && all;
      return all;
    }
    case Node::Kind::repeat:
      return first_of(*node.children.front(), first) && node.min > 0;
    case Node::Kind::capture:
    case Node::Kind::atomic:
      return first_of(*node.children.front(), first);
    case Node::Kind::back_reference:
      first = CharSet::all();
      return false;
    case Node::Kind::empty:
    case Node::Kind::look:
    case Node::Kind::assertion:
    case Node::Kind::keep:
      break;
  }
  return false;
}

class Compiler {
 public:
  Result<Program> run(const Syntax& syntax) {
    emit_node(*syntax.root);
    emit({Op::accept});
    if (!error_.empty()) return fail(Errc::invalid_argument, "regular expression: " + error_);
    program_.slots = 2 * (syntax.captures + 1);
    program_.nullable = !first_of(*syntax.root, program_.first);
    return std::move(program_);
  }

 private:
  std::uint32_t here() const noexcept { return static_cast<std::uint32_t>(program_.code.size()); }

  std::uint32_t emit(Instruction instruction) {
    if (program_.code.size() >= kCodeLimit) {
      if (error_.empty()) error_ = "too large";
      return 0;
    }
    program_.code.push_back(instruction);
    return here() - 1;
  }
  Instruction& at(std::uint32_t i) { return program_.code[i]; }

  std::uint32_t add_set(const CharSet& set) {
    program_.sets.push_back(set);
    return static_cast<std::uint32_t>(program_.sets.size() - 1);
  }

  void emit_node(const Node& node) {
    if (!error_.empty()) return;
    switch (node.kind) {
      case Node::Kind::empty:
        break;
      case Node::Kind::set:
        emit({Op::set, add_set(node.set)});
        break;
      case Node::Kind::sequence:
        for (const auto& child : node.children) emit_node(*child);
        break;
      case Node::Kind::alternation:
        emit_alternation(node);
        break;
      case Node::Kind::repeat:
        emit_repeat(node);
        break;
      case Node::Kind::capture:
        emit({Op::save, 2 * node.index});
        emit_node(*node.children.front());
        emit({Op::save, 2 * node.index + 1});
        break;
      case Node::Kind::atomic:
        emit_enclosed(Op::atomic, node, {});
        break;
      case Node::Kind::look:
        emit_look(node);
        break;
      case Node::Kind::assertion:
        emit({Op::assertion, static_cast<std::uint32_t>(node.assertion)});
        break;
      case Node::Kind::back_reference:
        emit({Op::back_reference, node.index, node.fold_case ? 1U : 0U});
        break;
      case Node::Kind::keep:
        emit({Op::keep});
        break;
    }
  }

  void emit_alternation(const Node& node) {
    std::vector<std::uint32_t> exits;
    for (std::size_t i = 0; i + 1 < node.children.size(); ++i) {
      const std::uint32_t split = emit({Op::split});
      at(split).a = here();
      emit_node(*node.children[i]);
      exits.push_back(emit({Op::jump}));
      if (!error_.empty()) return;
      at(split).b = here();
    }
    emit_node(*node.children.back());
    for (const std::uint32_t exit : exits) at(exit).a = here();
  }

  void emit_enclosed(Op op, const Node& node, Extent extent) {
    const std::uint32_t begin = emit(
        {op, 0, static_cast<std::uint32_t>(extent.min), static_cast<std::uint32_t>(extent.max)});
    emit_node(*node.children.front());
    emit({Op::accept});
    if (error_.empty()) at(begin).a = here();
  }

  void emit_look(const Node& node) {
    if (!node.behind) {
      emit_enclosed(node.negative ? Op::look_not : Op::look, node, {});
      return;
    }
    const Extent extent = extent_of(*node.children.front());
    if (!extent.bounded || extent.max > 255) {
      error_ = "lookbehind of more than 255 characters or without a limit";
      return;
    }
    emit_enclosed(node.negative ? Op::look_behind_not : Op::look_behind, node, extent);
  }

  void emit_repeat(const Node& node) {
    const Node& body = *node.children.front();
    if (body.kind == Node::Kind::set) {
      const Op op = node.greed == Greed::greedy ? Op::repeat_set
                    : node.greed == Greed::lazy ? Op::repeat_set_lazy
                                                : Op::repeat_set_possessive;
      emit({op, add_set(body.set), node.min, node.max});
      return;
    }
    if (node.greed == Greed::possessive) {
      const std::uint32_t begin = emit({Op::atomic});
      emit_counted(node, body, Greed::greedy);
      emit({Op::accept});
      if (error_.empty()) at(begin).a = here();
      return;
    }
    emit_counted(node, body, node.greed);
  }

  /// Copies of the body: the required ones, then optional ones or a loop.
  void emit_counted(const Node& node, const Node& body, Greed greed) {
    for (std::uint32_t i = 0; i < node.min && error_.empty(); ++i) emit_node(body);
    if (node.max == kUnlimited) {
      emit_loop(body, greed);
      return;
    }
    std::vector<std::uint32_t> splits;
    for (std::uint32_t i = node.min; i < node.max && error_.empty(); ++i) {
      splits.push_back(emit({Op::split}));
      emit_node(body);
    }
    if (!error_.empty()) return;
    for (const std::uint32_t split : splits) set_split(split, split + 1, here(), greed);
  }

  void emit_loop(const Node& body, Greed greed) {
    const bool may_be_empty = extent_of(body).min == 0;
    const std::uint32_t split = emit({Op::split});
    const std::uint32_t counter = program_.counters;
    if (may_be_empty) {
      ++program_.counters;
      emit({Op::progress_mark, counter});
    }
    emit_node(body);
    if (may_be_empty) emit({Op::progress_check, counter});
    emit({Op::jump, split});
    if (error_.empty()) set_split(split, split + 1, here(), greed);
  }

  void set_split(std::uint32_t split, std::uint32_t into, std::uint32_t past, Greed greed) {
    at(split).a = greed == Greed::lazy ? past : into;
    at(split).b = greed == Greed::lazy ? into : past;
  }

  Program program_;
  std::string error_;
};

}  // namespace

Result<Program> compile(const Syntax& syntax) {
  return Compiler().run(syntax);
}

}  // namespace dynamo::tokenizer::regex
