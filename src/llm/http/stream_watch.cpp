// SPDX-License-Identifier: Apache-2.0
#include "llm/http/stream_watch.h"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dynamo::llm::http {

namespace net = boost::asio;

StreamWatch::StreamWatch(net::any_io_executor executor, EventStream* events,
                         runtime::ContextPtr context, const Limits& limits)
    : events_(events), context_(std::move(context)), limits_(limits), timer_(executor) {
  const bool streams =
      events_ != nullptr && (limits_.keep_alive.count() > 0 || limits_.first_frame);
  if (streams || limits_.silence) scope_.emplace(std::move(executor));
}

StreamWatch::~StreamWatch() = default;

void StreamWatch::start(base::SteadyTime now) {
  begun_ = last_heard_ = last_comment_ = now;
  if (scope_) scope_->spawn([this] { return run(); });
}

net::awaitable<void> StreamWatch::run() {
  co_await net::this_coro::throw_if_cancelled(false);
  while (!closing_) {
    const base::SteadyTime now = Clock::system().now();
    base::SteadyTime next = base::SteadyTime::max();
    if (limits_.silence) {
      const auto due = last_heard_ + *limits_.silence;
      if (now >= due) {
        timed_out_ = true;
        context_->kill();
        co_return;
      }
      next = due;
    }
    if (events_ != nullptr && limits_.first_frame && !events_->begun()) {
      const auto due = begun_ + *limits_.first_frame;
      if (now >= due)
        static_cast<void>(co_await events_->begin());
      else
        next = std::min(next, due);
    }
    if (events_ != nullptr && limits_.keep_alive.count() > 0) {
      auto due = std::max(last_heard_, last_comment_) + limits_.keep_alive;
      if (now >= due) {
        co_await events_->keep_alive();
        last_comment_ = now;
        due = now + limits_.keep_alive;
      }
      next = std::min(next, due);
    }
    if (closing_ || next == base::SteadyTime::max()) co_return;
    timer_.expires_at(next);
    static_cast<void>(co_await timer_.async_wait(net::as_tuple(net::use_awaitable)));
  }
}

net::awaitable<void> StreamWatch::close() {
  closing_ = true;
  timer_.cancel();
  if (scope_) co_await scope_->join();
}

}  // namespace dynamo::llm::http
