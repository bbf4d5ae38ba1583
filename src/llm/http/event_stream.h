// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/http/exchange.h>

#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "llm/http/local_event.h"

namespace dynamo::llm::http {

/// Server-sent events over an exchange: the response begins with the first write, so that until
/// then a failure can still become a status. A keep-alive never splits an event, because it waits
/// its turn. Confined to its shard; lives as long as the exchange.
class EventStream {
 public:
  explicit EventStream(Exchange& exchange) noexcept : exchange_(exchange) {}

  bool begun() const noexcept { return begun_; }
  /// Sends the head alone.
  boost::asio::awaitable<Result<void>> begin() { return write({}); }
  /// Whole events, in one gathered write.
  boost::asio::awaitable<Result<void>> write(std::string_view events);
  boost::asio::awaitable<Result<void>> finish(std::string_view events);
  /// Writes a comment, unless a write is under way.
  boost::asio::awaitable<void> keep_alive();

 private:
  boost::asio::awaitable<Result<void>> start();
  Exchange& exchange_;
  LocalEvent free_;
  bool begun_ = false;
  bool busy_ = false;
  bool finished_ = false;
};

}  // namespace dynamo::llm::http
