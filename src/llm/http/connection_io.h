// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/error.h>
#include <dynamo/runtime/context.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "llm/http/local_event.h"
#include "llm/http/transport.h"

namespace dynamo::llm::http {

/// What all connections of one shard share: time as of the last tick, so that no request reads a
/// clock for its timeouts, the text of the date field, and a read buffer.
struct ShardTicker {
  base::SteadyTime now{};
  std::string date;
  std::vector<char> scratch = std::vector<char>(std::size_t{64} * 1024);
};

/// The buffered input and the deadlines of one connection, and the watch for a peer that leaves
/// while its request is being worked on. Confined to its shard.
///
/// One wait for readability stands at any time at most, whoever asks: the next request, the rest
/// of a body, or the watch. What comes early (pipelined requests) stays in `input()`, bounded by
/// kInputBytes while nobody asks for it.
class ConnectionIo final : private StallWatch {
 public:
  ConnectionIo(std::unique_ptr<Transport> transport, ShardTicker& ticker,
               std::chrono::milliseconds write_stall);
  ~ConnectionIo() override;
  ConnectionIo(const ConnectionIo&) = delete;
  ConnectionIo& operator=(const ConnectionIo&) = delete;

  boost::asio::awaitable<boost::system::error_code> open(base::SteadyTime deadline);

  /// Bytes received and not consumed. The view is invalidated by fill(), consume() and any wait.
  std::string_view input() const noexcept { return std::string_view(input_).substr(taken_); }
  void consume(std::size_t bytes);
  /// Gives the buffer's memory back when it holds nothing.
  void release_memory();

  enum class Fill : std::uint8_t { data, end, timeout, woken };
  /// Waits for more input. `end`: the peer closed its half or the connection broke. `woken`: wake()
  /// was called.
  boost::asio::awaitable<Fill> fill(base::SteadyTime deadline);
  /// Ends the fill() that waits now, if one does.
  void wake();

  /// Writes everything. Errors: Errc::disconnected, also when the peer took nothing for the write
  /// stall time.
  boost::asio::awaitable<Result<void>> write(std::span<const std::string_view> parts);

  /// From now on until unwatch(): kills `context` when the peer closes or the connection breaks.
  void watch(runtime::ContextPtr context);
  void unwatch() noexcept { watched_.reset(); }
  bool peer_gone() const noexcept { return peer_gone_; }

  bool half_closes() const noexcept { return transport_->half_closes(); }
  boost::asio::awaitable<void> shutdown_send() { return transport_->shutdown_send(this); }
  /// Closes at once and ends every wait.
  void abort() noexcept;
  /// Closes and waits until no callback of this object is outstanding. Before destruction.
  boost::asio::awaitable<void> close();

  /// Called once per tick.
  void on_tick(base::SteadyTime now);
  const ShardTicker& ticker() const noexcept { return ticker_; }

 private:
  static constexpr std::size_t kInputBytes = std::size_t{64} * 1024;
  static constexpr std::size_t kReadPerWakeBytes = std::size_t{256} * 1024;

  void arm();
  void on_readable();
  void mark_gone();
  void write_blocked() noexcept override;
  void write_resumed() noexcept override;

  std::unique_ptr<Transport> transport_;
  ShardTicker& ticker_;
  const std::chrono::milliseconds write_stall_;
  std::string input_;
  std::size_t taken_ = 0;
  LocalEvent readable_;
  base::SteadyTime read_deadline_ = base::SteadyTime::max();
  base::SteadyTime write_deadline_ = base::SteadyTime::max();
  runtime::ContextPtr watched_;
  bool armed_ = false;
  bool ended_ = false;      ///< the input is over
  bool peer_gone_ = false;  ///< the input is over or a write failed
  bool timed_out_ = false;
  bool woken_ = false;
};

}  // namespace dynamo::llm::http
