// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dynamo::llm::http {

/// Lets one coroutine sleep until another handler of the same thread calls notify(), which resumes
/// it before it returns. Nothing is remembered: check the condition, then wait. Not cancellable:
/// whoever owns the event notifies it when it closes.
class LocalEvent {
 public:
  boost::asio::awaitable<void> wait() {
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
        [this](auto handler) { waiter_ = std::move(handler); }, boost::asio::use_awaitable);
  }
  void notify() {
    if (auto waiter = std::exchange(waiter_, nullptr)) waiter();
  }
  bool has_waiter() const noexcept { return static_cast<bool>(waiter_); }

 private:
  std::move_only_function<void()> waiter_;
};

}  // namespace dynamo::llm::http
