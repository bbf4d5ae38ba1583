// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <dynamo/base/clock.h>
#include <dynamo/runtime/fwd.h>

namespace dynamo::runtime {

/// The life of one request, shared by everyone who works for it. Live, then Stopped (finish early
/// and say so), then Killed (drop everything); it never goes back. A tree: stopping or killing a
/// context first does the same to its children (n choices, prompt batches, remote legs).
///
/// Thread safety: every member may be called from any thread.
/// Source: AsyncEngineContext (lib/runtime/src/engine.rs v1.5); monotonic where it is not.
class Context : public std::enable_shared_from_this<Context> {
 public:
  enum class State : std::uint8_t { live, stopped, killed };

  static ContextPtr create(std::string id, Deadline deadline = Deadline::never());
  /// A context that is stopped or killed with this one. Its deadline is the parent's.
  ContextPtr child(std::string id);

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  /// The request id that the wire, the logs and the response ids carry.
  const std::string& id() const noexcept;
  Deadline deadline() const noexcept;
  State state() const noexcept;
  bool is_stopped() const noexcept { return state() != State::live; }  ///< stopped or killed
  bool is_killed() const noexcept { return state() == State::killed; }

  /// Idempotent. Callbacks run on the calling thread before it returns.
  void stop();
  void kill();

  /// Removes its callback when destroyed; waits for one that is just running on another thread.
  class Subscription {
   public:
    Subscription() noexcept;
    Subscription(Subscription&&) noexcept;
    Subscription& operator=(Subscription&&) noexcept;
    ~Subscription();
    void reset() noexcept;

   private:
    friend class Context;
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };
  /// Calls `callback` once, when the state leaves `live`; at once when it already has. The callback
  /// must be quick and must not throw; to reach a coroutine it posts to that coroutine's executor.
  [[nodiscard]] Subscription on_stop(std::move_only_function<void()> callback);
  [[nodiscard]] Subscription on_kill(std::move_only_function<void()> callback);

  /// Request metadata that is forwarded to workers (bounded by the caller). Set before the request
  /// is handed on, read-only afterwards.
  std::map<std::string, std::string>& metadata() noexcept;

 private:
  explicit Context(std::string id, Deadline deadline);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
