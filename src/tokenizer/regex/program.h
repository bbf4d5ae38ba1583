// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstdint>
#include <vector>

#include "tokenizer/regex/char_set.h"
#include "tokenizer/regex/syntax.h"

namespace dynamo::tokenizer::regex {

enum class Op : std::uint8_t {
  set,         ///< one character of sets[a]
  repeat_set,  ///< b to c characters of sets[a], as many as there are, giving back one by one
  repeat_set_lazy,
  repeat_set_possessive,
  split,           ///< go on at a; on failure at b
  jump,            ///< go on at a
  save,            ///< remember the place in slot a
  progress_mark,   ///< remember the place in counter a
  progress_check,  ///< fail when nothing was consumed since progress_mark a
  assertion,       ///< a is an Assertion
  look,            ///< the program at next instruction up to `accept` must match; then go on at a
  look_not,        ///< … must not match
  look_behind,     ///< the same for b to c characters before this place
  look_behind_not,
  atomic,          ///< the program up to `accept`, then go on at a without coming back
  back_reference,  ///< the text of group a, with folding when b
  keep,
  accept
};

struct Instruction {
  Op op = Op::accept;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
};

/// A compiled pattern.
struct Program {
  std::vector<Instruction> code;
  std::vector<CharSet> sets;
  std::uint32_t slots = 0;     ///< of captures
  std::uint32_t counters = 0;  ///< of progress marks
  bool nullable = false;       ///< can match nothing
  CharSet first;               ///< characters a match can begin with, unless nullable
};

/// Errors: invalid_argument for what is too large or cannot be matched backwards.
Result<Program> compile(const Syntax& syntax);

}  // namespace dynamo::tokenizer::regex
