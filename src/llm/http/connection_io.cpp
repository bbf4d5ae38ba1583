// SPDX-License-Identifier: Apache-2.0
#include "llm/http/connection_io.h"

#include <dynamo/base/assert.h>

#include <utility>

#include <boost/asio/error.hpp>

namespace dynamo::llm::http {

namespace net = boost::asio;
using boost::system::error_code;

ConnectionIo::ConnectionIo(std::unique_ptr<Transport> transport, ShardTicker& ticker,
                           std::chrono::milliseconds write_stall)
    : transport_(std::move(transport)), ticker_(ticker), write_stall_(write_stall) {}

ConnectionIo::~ConnectionIo() {
  DYN_ASSERT(!armed_);
}

net::awaitable<error_code> ConnectionIo::open(base::SteadyTime deadline) {
  write_deadline_ = deadline;  // on_tick closes the transport when it passes
  const error_code ec = co_await transport_->open();
  write_deadline_ = base::SteadyTime::max();
  co_return ec;
}

void ConnectionIo::consume(std::size_t bytes) {
  taken_ += bytes;
  if (taken_ == input_.size()) {
    input_.clear();
    taken_ = 0;
  } else if (taken_ > kInputBytes) {
    input_.erase(0, taken_);
    taken_ = 0;
  }
}

void ConnectionIo::release_memory() {
  if (input_.empty() && input_.capacity() > 256) std::string().swap(input_);
}

void ConnectionIo::arm() {
  if (armed_ || ended_) return;
  armed_ = true;
  transport_->when_readable([this] { on_readable(); });
}

void ConnectionIo::on_readable() {
  armed_ = false;
  std::size_t read = 0;
  while (read < kReadPerWakeBytes) {
    error_code ec;
    const std::size_t n = transport_->read_some(ticker_.scratch, ec);
    if (ec == net::error::would_block) break;
    if (ec || n == 0) {
      ended_ = true;
      break;
    }
    input_.append(ticker_.scratch.data(), n);
    read += n;
    if (n < ticker_.scratch.size()) break;  // the socket is drained
  }
  if (ended_) mark_gone();
  const bool waiting = readable_.has_waiter();
  if (!waiting && watched_ && input_.size() - taken_ < kInputBytes) arm();
  if (waiting) readable_.notify();  // may end the connection: nothing after it
}

net::awaitable<ConnectionIo::Fill> ConnectionIo::fill(base::SteadyTime deadline) {
  const std::size_t before = input_.size() - taken_;
  timed_out_ = woken_ = false;
  read_deadline_ = deadline;
  while (!ended_ && !timed_out_ && !woken_ && input_.size() - taken_ == before) {
    arm();
    co_await readable_.wait();
  }
  read_deadline_ = base::SteadyTime::max();
  if (input_.size() - taken_ > before) co_return Fill::data;
  if (ended_) co_return Fill::end;
  co_return timed_out_ ? Fill::timeout : Fill::woken;
}

void ConnectionIo::wake() {
  woken_ = true;
  readable_.notify();
}

net::awaitable<Result<void>> ConnectionIo::write(std::span<const std::string_view> parts) {
  const error_code ec = co_await transport_->write(parts, this);
  if (!ec) co_return Result<void>();
  mark_gone();
  co_return fail(Errc::disconnected, "the client closed the connection: " + ec.message());
}

void ConnectionIo::watch(runtime::ContextPtr context) {
  watched_ = std::move(context);
  if (peer_gone_)
    mark_gone();
  else if (input_.size() - taken_ < kInputBytes)
    arm();
}

void ConnectionIo::mark_gone() {
  peer_gone_ = true;
  if (const auto context = std::exchange(watched_, nullptr)) context->kill();
}

void ConnectionIo::abort() noexcept {
  ended_ = true;
  mark_gone();
  transport_->close();
  readable_.notify();
}

net::awaitable<void> ConnectionIo::close() {
  ended_ = true;
  watched_.reset();
  transport_->close();
  while (armed_) co_await readable_.wait();
}

void ConnectionIo::on_tick(base::SteadyTime now) {
  if (now >= write_deadline_) {
    write_deadline_ = base::SteadyTime::max();
    transport_->close();  // the write that waits fails
  } else if (now >= read_deadline_) {
    read_deadline_ = base::SteadyTime::max();
    timed_out_ = true;
    readable_.notify();
  } else if (watched_ && !armed_ && transport_->peer_has_closed()) {
    mark_gone();
  }
}

void ConnectionIo::write_blocked() noexcept {
  write_deadline_ = ticker_.now + write_stall_;
}
void ConnectionIo::write_resumed() noexcept {
  write_deadline_ = base::SteadyTime::max();
}

}  // namespace dynamo::llm::http
