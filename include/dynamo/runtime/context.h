// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/runtime/fwd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace dynamo::runtime {

/// The life of one request, shared by everyone who works for it. Live, then Stopped (finish early
/// and say so), then Killed (drop everything); it never goes back. A tree: stopping or killing a
/// context does the same to its children (n choices, prompt batches, remote legs), whose callbacks
/// run before its own. Children are held weakly; a child keeps its parent.
///
/// Thread safety: every member may be called from any thread.
/// Source: AsyncEngineContext (lib/runtime/src/engine.rs v1.5); monotonic where it is not.
class Context : public std::enable_shared_from_this<Context> {
 public:
  enum class State : std::uint8_t { live, stopped, killed };

  static ContextPtr create(std::string id, Deadline deadline = Deadline::never());
  /// A context that is stopped or killed with this one, at once when this one already is. Its
  /// deadline is the parent's, its metadata starts as a copy of the parent's.
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

  /// Idempotent. The caller that changes the state runs the callbacks before it returns, without
  /// any lock: a callback may stop other contexts and drop subscriptions.
  void stop();
  void kill();

  /// Removes its callback when destroyed; waits for one that is just running on another thread,
  /// but not for the one that destroys it. May outlive the context.
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
  Context(std::string id, Deadline deadline);
  Subscription subscribe(State trigger, std::move_only_function<void()> callback);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
