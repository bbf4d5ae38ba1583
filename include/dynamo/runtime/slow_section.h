// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>

namespace dynamo::runtime {

/// Watches a piece of work that runs on a shard and says when it took over 1 ms, which is a bug
/// there: it delays every other request of that shard and belongs on the compute pool.
///
/// `name` is a literal, "library::what", and becomes the label of kSlowSections
/// (runtime_metrics.h); the shard also logs one such event a second. Two clock reads when nothing
/// is wrong, so once per request or batch. Not across a co_await: waiting is not work. Elsewhere
/// than on a shard it does nothing.
class [[nodiscard]] SlowSection {
 public:
  static constexpr std::chrono::milliseconds kLimit{1};

  explicit SlowSection(std::string_view name) noexcept
      : name_(name), begin_(std::chrono::steady_clock::now()) {}
  SlowSection(const SlowSection&) = delete;
  SlowSection& operator=(const SlowSection&) = delete;
  ~SlowSection() {
    if (const auto took = std::chrono::steady_clock::now() - begin_; took > kLimit) [[unlikely]]
      report(took);
  }

 private:
  void report(std::chrono::nanoseconds took) const noexcept;

  std::string_view name_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace dynamo::runtime
