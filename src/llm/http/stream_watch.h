// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/runtime/context.h>
#include <dynamo/runtime/task_scope.h>

#include <chrono>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "llm/http/event_stream.h"

namespace dynamo::llm::http {

/// What happens to a response while its engine says nothing: a keep-alive comment, the commitment
/// to status 200, or the end of the request. Costs nothing where none of them is configured.
///
/// Confined to its shard. close() must have completed before the destructor.
class StreamWatch {
 public:
  struct Limits {
    std::chrono::nanoseconds keep_alive{};                ///< 0: none; streams only
    std::optional<std::chrono::nanoseconds> first_frame;  ///< streams only
    std::optional<std::chrono::nanoseconds> silence;
  };
  /// `events` is null for unary responses.
  StreamWatch(boost::asio::any_io_executor executor, EventStream* events,
              runtime::ContextPtr context, const Limits& limits);
  ~StreamWatch();

  void start(base::SteadyTime now);
  /// The engine said something.
  void heard(base::SteadyTime now) noexcept { last_heard_ = now; }
  /// The silence limit passed and the context was killed for it.
  bool timed_out() const noexcept { return timed_out_; }
  boost::asio::awaitable<void> close();

 private:
  boost::asio::awaitable<void> run();

  EventStream* events_;
  runtime::ContextPtr context_;
  const Limits limits_;
  base::SteadyTime begun_{};
  base::SteadyTime last_heard_{};
  base::SteadyTime last_comment_{};
  bool timed_out_ = false;
  bool closing_ = false;
  boost::asio::steady_timer timer_;
  std::optional<runtime::TaskScope> scope_;  // last: its task touches every member above
};

}  // namespace dynamo::llm::http
