// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/runtime/context.h>
#include <dynamo/runtime/shutdown.h>

#include <cstdint>
#include <string>

#include "llm/http/frontend_metrics.h"

namespace dynamo::llm::http {

/// The accounts of one inference request, from the moment its model is known until its response is
/// over: metrics, the shutdown that waits for it, the context it is killed by.
///
/// It is settled exactly once, by succeed(), fail() or abandon(); dropped unsettled, it counts as
/// an internal failure, or as cancelled when its context was killed. Dropping it kills the context,
/// so that whatever still works for the request stops. Confined to its shard.
class RequestScope {
 public:
  /// `model` is a served name or kUnknownModel and outlives the scope.
  RequestScope(FrontendMetrics& metrics, std::string_view model, Endpoint endpoint,
               RequestType type, base::SteadyTime received_at, runtime::ContextPtr context,
               runtime::Shutdown::Guard guard);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

  const runtime::ContextPtr& context() const noexcept { return context_; }

  /// How many media of each kind the request carries.
  void media(std::size_t images, std::size_t videos, std::size_t audios);
  /// The request goes to the engine and waits for its first token.
  void dispatched(std::uint32_t prompt_tokens);
  /// `count` tokens came in one batch. Once per batch, not per token.
  void tokens(std::uint32_t count, base::SteadyTime now);

  void succeed(const ResponseStats& stats);
  void fail(ErrorType error);
  /// The client left before its response was complete.
  void abandon();

 private:
  void leave_queue();

  FrontendMetrics& metrics_;
  ModelSeries& series_;
  const std::string_view model_;
  const Endpoint endpoint_;
  const RequestType type_;
  const base::SteadyTime received_at_;
  base::SteadyTime last_token_at_{};
  runtime::ContextPtr context_;
  runtime::Shutdown::Guard guard_;
  bool settled_ = false;
  bool queued_ = false;
  bool first_token_seen_ = false;
};

}  // namespace dynamo::llm::http
