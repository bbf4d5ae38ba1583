// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace dynamo::runtime {

/// Where one thread sleeps until another wakes it. unpark() before park() is remembered.
///
/// On Linux a bare futex: std::atomic::wait of libstdc++ yields the processor a few times first,
/// which costs more than the sleep when there is nothing to do.
class Parking {
 public:
  void park() noexcept {
    while (word_.load(std::memory_order_acquire) == 0) wait();
    word_.store(0, std::memory_order_relaxed);
  }
  void unpark() noexcept {
    word_.store(1, std::memory_order_release);
    wake();
  }

 private:
#ifdef __linux__
  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
  void wait() noexcept { call(FUTEX_WAIT_PRIVATE, 0); }
  void wake() noexcept { call(FUTEX_WAKE_PRIVATE, 1); }
  void call(int operation, std::uint32_t value) noexcept {
    ::syscall(SYS_futex, &word_, operation, value, nullptr, nullptr, 0);
  }
#else
  void wait() noexcept { word_.wait(0, std::memory_order_acquire); }
  void wake() noexcept { word_.notify_one(); }
#endif

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace dynamo::runtime
