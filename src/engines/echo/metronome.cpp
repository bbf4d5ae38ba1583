// SPDX-License-Identifier: Apache-2.0
#include "engines/echo/metronome.h"

#include <utility>
#include <vector>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dynamo::engines::echo {

namespace net = boost::asio;

namespace {

Metronome& metronome_of(const net::any_io_executor& executor) {
  return net::use_service<Metronome>(net::query(executor, net::execution::context));
}

Sleeper::Time next_beat(Sleeper::Time due) {
  return std::chrono::ceil<std::chrono::milliseconds>(due);
}

}  // namespace

// --- Sleeper -------------------------------------------------------------------------------------

Sleeper::Sleeper(net::any_io_executor executor)
    : executor_(std::move(executor)), metronome_(metronome_of(executor_)) {
  std::multimap<Time, Sleeper*> one;
  one.emplace(Time(), this);
  node_ = one.extract(one.begin());
}

Sleeper::~Sleeper() {
  if (node_) return;
  metronome_.asleep_.erase(place_);
  metronome_.rest();
}

net::awaitable<bool> Sleeper::sleep_until(Time due) {
  cancelled_ = false;
  const auto fall_asleep = [this, due](auto handler) {
    slot_ = net::get_associated_cancellation_slot(handler);
    waiter_ = std::move(handler);
    node_.key() = next_beat(due);
    place_ = metronome_.asleep_.insert(std::move(node_));
    metronome_.arm(executor_);
    if (slot_.is_connected()) {
      slot_.assign([this](net::cancellation_type) {
        cancelled_ = true;
        wake_soon();
      });
    }
  };
  co_await net::async_initiate<const net::use_awaitable_t<>&, void()>(fall_asleep,
                                                                      net::use_awaitable);
  co_return !cancelled_;
}

void Sleeper::wake_soon() {
  net::post(executor_, [self = shared_from_this()] { self->wake(); });
}

void Sleeper::wake() {
  if (!waiter_) return;
  node_ = metronome_.asleep_.extract(place_);
  metronome_.rest();
  if (slot_.is_connected()) slot_.clear();
  std::exchange(waiter_, nullptr)();
}

// --- Metronome -----------------------------------------------------------------------------------

void Metronome::arm(const net::any_io_executor& executor) {
  if (asleep_.empty()) return;
  const Time first = asleep_.begin()->first;
  if (first >= armed_for_) return;
  if (!timer_) timer_.emplace(executor);
  armed_for_ = first;
  timer_->expires_at(first);
  timer_->async_wait([this](const boost::system::error_code& failure) {
    if (failure) return;  // set to an earlier beat, or shut down
    armed_for_ = Time::max();
    beat();
  });
}

void Metronome::beat() {
  const Time now = std::chrono::steady_clock::now();
  for (std::size_t woken = 0; !asleep_.empty() && asleep_.begin()->first <= now; ++woken) {
    if (woken == kWakesPerTurn) {
      net::post(timer_->get_executor(), [this] { beat(); });
      return;
    }
    asleep_.begin()->second->shared_from_this()->wake();
  }
  if (!asleep_.empty()) arm(timer_->get_executor());
}

void Metronome::rest() {
  if (!asleep_.empty() || armed_for_ == Time::max()) return;
  armed_for_ = Time::max();
  timer_->cancel();
}

void Metronome::shutdown() {
  armed_for_ = Time::max();
  timer_.reset();
  // A coroutine that never wakes up owns its sleeper, which keeps the coroutine.
  std::vector<std::move_only_function<void()>> abandoned;
  for (const auto& [due, sleeper] : asleep_)
    abandoned.push_back(std::exchange(sleeper->waiter_, nullptr));
  abandoned.clear();
}

}  // namespace dynamo::engines::echo
