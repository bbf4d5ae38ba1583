// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

namespace dynamo::runtime {

/// Phased shutdown of a process: running -> draining (refuse new work, finish what runs) ->
/// stopping (end what is left) -> stopped.
///
/// install_signal_handlers() makes the first SIGINT or SIGTERM begin draining and the second end
/// the process at once with 128 + signal.
/// Thread safety: every member from any thread.
class Shutdown {
 public:
  enum class Stage : std::uint8_t { running, draining, stopping, stopped };

  Shutdown();
  ~Shutdown();
  Shutdown(const Shutdown&) = delete;
  Shutdown& operator=(const Shutdown&) = delete;

  Result<void> install_signal_handlers();
  Stage stage() const noexcept;
  /// The signal that began it, 0 when it was a call.
  int signal() const noexcept;

  /// Goes to `draining`; idempotent.
  void begin();
  /// Callbacks run once, in order of registration, on the thread that changed the stage.
  void on_draining(std::function<void()> callback);
  void on_stopping(std::function<void()> callback);

  /// Counts work that draining waits for.
  class Guard {
   public:
    Guard() noexcept = default;
    Guard(Guard&& other) noexcept;
    Guard& operator=(Guard&& other) noexcept;
    ~Guard();

   private:
    friend class Shutdown;
    explicit Guard(Shutdown* owner) noexcept : owner_(owner) {}
    Shutdown* owner_ = nullptr;
  };
  /// Registers one piece of running work.
  [[nodiscard]] Guard guard();
  std::size_t guarded() const noexcept;

  /// Blocks until begin() was called, then until no guard is left or `drain_limit` has passed, then
  /// enters `stopping` and runs its callbacks. For the main thread. Returns true when it drained.
  bool wait(std::chrono::milliseconds drain_limit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::runtime
