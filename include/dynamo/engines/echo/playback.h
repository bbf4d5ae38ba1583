// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/llm/engine.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace dynamo::engines::echo {

/// An answer that is known before it is asked for.
struct Playback {
  std::vector<llm::TokenId> answer;
  std::size_t prompt_tokens = 0;  ///< for the usage
  llm::FinishReason::Kind finish = llm::FinishReason::Kind::stop;
  /// Time between tokens. 0 means at once, without a timer.
  std::chrono::milliseconds delay{0};
};

/// The stream of an engine that already knows what it says: one token per output, ended by
/// `finish`, or by "length" where the request's max_tokens cut the answer. n choices say the same;
/// stop strings and ids are the backend's affair. Log-probabilities, when asked for, are 0.
///
/// Costs: nothing runs between next() calls; a stream with a delay holds one timer on its shard
/// while it is read, and no thread. Tokens keep the pace of the clock, so a slow reader finds those
/// that are due in one batch; nothing is buffered but the answer itself. The context's stop() and
/// kill() end a wait at once. Nothing of `request` is kept.
std::unique_ptr<llm::OutputStream> play_back(Playback playback,
                                             const llm::PreprocessedRequest& request,
                                             runtime::ContextPtr context);

}  // namespace dynamo::engines::echo
