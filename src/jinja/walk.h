// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "jinja/ast.h"

namespace dynamo::jinja::detail {

/// Visits every node of a tree in Jinja2's order of fields, inner functions included. Derive,
/// override what is of interest, and call the base to go on below.
class Walker {
 public:
  virtual ~Walker() = default;
  void walk(const Body& body) {
    for (Stmt* s : body.span()) statement(*s);
  }
  virtual void statement(Stmt& s);
  virtual void expression(Expr& e);
  virtual void target(Target& t);
  virtual void parameter(Param&) {}

 protected:
  void walk(Expr* e) {
    if (e) expression(*e);
  }
  void walk(Arguments& args);
  void walk_signature(Function& f);
};

}  // namespace dynamo::jinja::detail
