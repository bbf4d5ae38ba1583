// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/openai/chat_response.h>

#include <span>
#include <vector>

namespace dynamo::llm::detail {

/// Folds the deltas of a stream into the choices of a unary answer, sorted by index.
class ChatAggregator {
 public:
  void add(std::span<openai::ChatDelta> deltas);
  /// The choices so far; a call that never got a name is left out.
  std::vector<openai::ChatChoice> take();

 private:
  openai::ChatChoice& choice(std::uint32_t index);
  std::vector<openai::ChatChoice> choices_;
};

}  // namespace dynamo::llm::detail
