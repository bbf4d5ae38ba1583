// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/engines/batching/backend.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::engines::batching {

/// The texts of a model's tokens, in the order of their bytes, for grammars. Immutable.
class Vocabulary {
 public:
  /// `texts` by token id; an empty one is never allowed by a grammar (control tokens). `ends`: the
  /// tokens that end an answer, which are allowed where a text is complete.
  Vocabulary(std::vector<std::string> texts, std::vector<TokenId> ends);

  std::string_view text(TokenId token) const noexcept {
    return token < texts_.size() ? std::string_view(texts_[token]) : std::string_view();
  }
  bool is_end(TokenId token) const noexcept;
  std::span<const TokenId> ends() const noexcept { return ends_; }
  /// Tokens with a text, sorted by it.
  std::span<const TokenId> by_text() const noexcept { return by_text_; }
  std::size_t size() const noexcept { return texts_.size(); }

 private:
  std::vector<std::string> texts_;
  std::vector<TokenId> ends_;
  std::vector<TokenId> by_text_;
};

}  // namespace dynamo::engines::batching
