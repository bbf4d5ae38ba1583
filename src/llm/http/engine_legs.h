// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/engine.h>
#include <dynamo/runtime/context.h>
#include <dynamo/runtime/task_scope.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "llm/http/local_event.h"

namespace dynamo::llm::http {

/// The engine streams of one request: one per prompt and choice (an engine answers one sequence per
/// request), merged in the order in which they arrive. With several, each leg waits until its batch
/// was taken, so a slow client holds all of them back and nothing piles up here.
///
/// Confined to its shard. close() must have completed before the destructor.
class EngineLegs {
 public:
  /// One engine request per prompt and choice. Choice i > 0 of a request with a seed gets seed + i,
  /// so that choices differ and the whole answer can be repeated.
  static std::vector<PreprocessedRequest> split(std::vector<PreprocessedRequest> prompts,
                                                std::uint32_t choices);

  EngineLegs(boost::asio::any_io_executor executor, std::uint32_t choices);
  ~EngineLegs();
  EngineLegs(const EngineLegs&) = delete;
  EngineLegs& operator=(const EngineLegs&) = delete;

  /// Starts all. Leg i serves prompt i / choices and choice i % choices; with one leg only, the
  /// engine sees `context` itself. Errors: the first engine's that refuses.
  boost::asio::awaitable<Result<void>> start(std::shared_ptr<TokenEngine> engine,
                                             std::vector<PreprocessedRequest> requests,
                                             runtime::ContextPtr context);

  struct Batch {
    std::size_t prompt = 0;
    std::uint32_t choice = 0;
    std::vector<EngineOutput> outputs;  ///< empty: a leg of the prompt has ended
    bool prompt_over = false;           ///< and it was the prompt's last
  };
  /// The next batch of any leg. Not to be called when every prompt was reported over.
  /// Errors: what went wrong in a leg.
  boost::asio::awaitable<Result<Batch>> next();
  /// Every choice of the prompt is complete: stops its legs; next() reports nothing of it any more.
  void stop_prompt(std::size_t prompt);
  /// One choice of several is complete while others go on: stops its leg.
  void stop_choice(std::size_t prompt, std::uint32_t choice);

  boost::asio::awaitable<void> close();

 private:
  struct Leg {
    std::size_t prompt = 0;
    std::uint32_t choice = 0;
    runtime::ContextPtr context;
    std::unique_ptr<OutputStream> stream;
    std::optional<Result<std::vector<EngineOutput>>> batch;  ///< waits to be taken
    LocalEvent taken;
    bool over = false;
  };
  boost::asio::awaitable<void> pump(Leg* leg);
  Result<Batch> deliver(Leg& leg, Result<std::vector<EngineOutput>> outputs);
  bool prompt_over(std::size_t prompt) const noexcept;

  const std::uint32_t choices_;
  std::vector<std::unique_ptr<Leg>> legs_;
  std::deque<Leg*> ready_;  ///< at most one entry per leg
  LocalEvent arrived_;
  runtime::TaskScope scope_;  // last: its tasks touch every member above
};

}  // namespace dynamo::llm::http
