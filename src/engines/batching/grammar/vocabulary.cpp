// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/batching/vocabulary.h>

#include <algorithm>
#include <utility>

namespace dynamo::engines::batching {

Vocabulary::Vocabulary(std::vector<std::string> texts, std::vector<TokenId> ends)
    : texts_(std::move(texts)), ends_(std::move(ends)) {
  std::ranges::sort(ends_);
  for (const TokenId end : ends_) {
    if (end < texts_.size()) texts_[end].clear();
  }
  for (TokenId id = 0; id < texts_.size(); ++id) {
    if (!texts_[id].empty()) by_text_.push_back(id);
  }
  std::ranges::sort(by_text_, {}, [this](TokenId id) -> const std::string& { return texts_[id]; });
}

bool Vocabulary::is_end(TokenId token) const noexcept {
  return std::ranges::binary_search(ends_, token);
}

}  // namespace dynamo::engines::batching
