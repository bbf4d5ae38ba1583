// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <cstdint>
#include <istream>
#include <ostream>
#include <span>
#include <string_view>

namespace dynamo::run {

/// One line of ids, separated by spaces, per line of input. Errors name the input's line.
Result<void> encode_lines(const tokenizer::Tokenizer& tokenizer, std::istream& in,
                          std::ostream& out);

/// The reverse: the text of each line of ids. Errors name the line and the word that is no id.
Result<void> decode_lines(const tokenizer::Tokenizer& tokenizer, std::istream& in,
                          std::ostream& out);

struct TokenizeBench {
  std::uint64_t bytes = 0;
  std::uint64_t tokens = 0;
  double first_pass_mb_per_s = 0;  ///< every piece is seen for the first time
  double second_pass_mb_per_s = 0;
};
/// Encodes the text twice in pieces of 4 KiB, cut at line ends where there are some.
Result<TokenizeBench> bench_encoding(const tokenizer::Tokenizer& tokenizer, std::string_view text);

/// `dynamo-run tokenize MODEL [--decode | --bench]` on standard input and output; the words follow
/// `tokenize`. Returns the process's exit status.
int run_tokenize(std::span<const std::string_view> words);

}  // namespace dynamo::run
