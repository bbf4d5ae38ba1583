// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "jinja/parser.h"

namespace dynamo::jinja::detail {

/// Counts levels of the parser's recursion while it lives.
class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser) : parser_(parser) {
    // Three levels per bracket; 100 brackets or blocks inside each other are enough for anyone.
    if (++parser_.nesting_ > 300) parser_.fail("the template is nested too deeply");
  }
  ~Nesting() { --parser_.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  Parser& parser_;
};

template <class Node>
Node* Parser::make(ExprKind kind, std::uint32_t begin_token,
                   std::initializer_list<const Expr*> children) {
  Node* node = arena_.make<Node>();
  node->kind = kind;
  node->line = tokens_[begin_token].line;
  node->begin = tokens_[begin_token].begin;
  node->end = tokens_[at_ > 0 ? at_ - 1 : 0].end;
  std::uint16_t below = 0;
  for (const Expr* child : children) {
    if (!child) continue;
    below = std::max(below, child->depth);
    node->begin = std::min(node->begin, child->begin);
  }
  set_depth(node, below);
  return node;
}

}  // namespace dynamo::jinja::detail
