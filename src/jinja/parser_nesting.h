// SPDX-License-Identifier: Apache-2.0
#pragma once

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

}  // namespace dynamo::jinja::detail
