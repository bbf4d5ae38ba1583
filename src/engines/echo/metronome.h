// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace dynamo::engines::echo {

class Metronome;

/// Lets one coroutine sleep until a beat of its event loop's metronome. On the loop's thread.
class Sleeper : public std::enable_shared_from_this<Sleeper> {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Sleeper(boost::asio::any_io_executor executor);
  ~Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  /// Returns at the first beat that is not before `due`, or earlier by wake(). False when the
  /// awaiting coroutine was cancelled.
  boost::asio::awaitable<bool> sleep_until(Time due);
  /// Ends the sleep at hand, from any thread.
  void wake_soon();

 private:
  friend class Metronome;
  using Node = std::multimap<Time, Sleeper*>::node_type;
  void wake();

  boost::asio::any_io_executor executor_;
  Metronome& metronome_;
  Node node_;  ///< kept between sleeps, so that a sleep allocates nothing; empty while asleep
  std::multimap<Time, Sleeper*>::iterator place_;  ///< while asleep
  std::move_only_function<void()> waiter_;         ///< set while asleep
  boost::asio::cancellation_slot slot_;
  bool cancelled_ = false;
};

/// One timer for all sleepers of an event loop: whoever is due within the same millisecond wakes up
/// together, so that paced streams cost a wake-up of the loop per beat and not per token.
class Metronome final : public boost::asio::execution_context::service {
 public:
  using key_type = Metronome;
  using Time = Sleeper::Time;
  static inline boost::asio::execution_context::id id;
  static constexpr std::chrono::milliseconds kBeat{1};

  explicit Metronome(boost::asio::execution_context& context) : service(context) {}

 private:
  friend class Sleeper;
  /// So much is done before others of the loop have their turn.
  static constexpr std::size_t kWakesPerTurn = 64;

  void shutdown() override;
  void arm(const boost::asio::any_io_executor& executor);
  void beat();
  void rest();  ///< when nobody is asleep, nothing keeps the event loop running

  std::multimap<Time, Sleeper*> asleep_;
  std::optional<boost::asio::steady_timer> timer_;
  Time armed_for_ = Time::max();
};

}  // namespace dynamo::engines::echo
