// SPDX-License-Identifier: Apache-2.0
#include "llm/http/event_stream.h"

#include <utility>

namespace dynamo::llm::http {

namespace net = boost::asio;

net::awaitable<Result<void>> EventStream::start() {
  if (std::exchange(begun_, true)) co_return Result<void>();
  co_return co_await exchange_.start_stream(200, "text/event-stream",
                                            {{"cache-control", "no-cache"}});
}

net::awaitable<Result<void>> EventStream::write(std::string_view events) {
  while (busy_) co_await free_.wait();
  busy_ = true;
  auto sent = co_await start();
  if (sent) sent = co_await exchange_.write(events);
  busy_ = false;
  co_return sent;
}

net::awaitable<Result<void>> EventStream::finish(std::string_view events) {
  while (busy_) co_await free_.wait();
  finished_ = true;
  auto sent = co_await start();
  if (sent) sent = co_await exchange_.finish_stream(events);
  co_return sent;
}

net::awaitable<void> EventStream::keep_alive() {
  if (busy_ || finished_) co_return;
  busy_ = true;
  auto sent = co_await start();
  // A failed write is found by the stream's own next one.
  if (sent) static_cast<void>(co_await exchange_.write(":\n\n"));
  busy_ = false;
  free_.notify();
}

}  // namespace dynamo::llm::http
