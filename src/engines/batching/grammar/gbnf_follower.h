// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/engines/batching/backend.h>
#include <dynamo/engines/batching/gbnf.h>
#include <dynamo/engines/batching/vocabulary.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engines/batching/grammar/earley_matcher.h"

namespace dynamo::engines::batching {

/// A grammar over the tokens of a vocabulary.
class GbnfFollower final : public Grammar {
 public:
  GbnfFollower(std::shared_ptr<const grammar::GbnfGrammar> grammar,
               std::shared_ptr<const Vocabulary> vocabulary, const GrammarLimits& limits = {});

  Result<bool> allows(TokenId token) override;
  Result<void> mask(std::span<float> logits) override;
  Result<void> accept(TokenId token) override;

 private:
  bool feed(std::string_view text);
  void find_allowed(std::span<const TokenId> tokens, std::size_t depth);
  Result<void> within_limits(std::uint64_t work) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  GrammarLimits limits_;
  grammar::EarleyMatcher matcher_;
  std::vector<bool> allowed_;  // working memory of mask()
  std::size_t kept_items_ = 0;
};

}  // namespace dynamo::engines::batching
