// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/regex/program.h"

namespace dynamo::tokenizer::regex {

struct Match {
  std::size_t begin;
  std::size_t end;
};

/// A regular expression with Oniguruma's semantics: leftmost, ordered alternatives, backtracking,
/// Unicode 16 classes. What it cannot do is an error when it is made, never a wrong match.
///
/// Matching is bounded: the backtracking steps of all matches in one text share one allowance, and
/// so does the memory for places to come back to.
/// Immutable; any number of threads.
class Regex {
 public:
  static Result<Regex> make(std::string_view pattern);

  /// All matches in a text, from left to right, as the `onig` crate's find_iter yields them: an
  /// empty match right behind the match before it is left out.
  /// Errors: invalid_argument when more than `step_limit` steps, beside 64 per byte, are needed.
  Result<void> find_all(std::string_view text, std::uint64_t step_limit,
                        std::vector<Match>& out) const;

 private:
  explicit Regex(Program program) : program_(std::make_shared<const Program>(std::move(program))) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace dynamo::tokenizer::regex
