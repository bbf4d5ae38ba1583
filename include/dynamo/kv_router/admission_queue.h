// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/base/error.h>
#include <dynamo/kv_router/worker_key.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Requests that wait in the router until a worker has room for their prefill, by class of service.
/// Source: lib/kv-router/src/scheduling/policy_queue.rs (v1.5); spec kv-router 5.7.
namespace dynamo::kv_router {

/// Order within a class: first come first served, the newest first, or the shortest first weighted
/// by priority.
enum class QueuePolicy : std::uint8_t { fcfs, lcfs, wspt };
Result<QueuePolicy> parse_queue_policy(std::string_view name);

/// The larger goes first. `arrival_s` counts from when the queue began; `new_tokens` are those that
/// no worker has cached.
double queue_score(QueuePolicy policy, double priority_jump, double arrival_s,
                   std::uint64_t new_tokens) noexcept;

/// When a worker has enough prefill to do: above either bound. None of them: never.
struct BusyThreshold {
  std::optional<std::uint64_t> tokens;
  std::optional<double> fraction;  ///< of max_num_batched_tokens, 10 000 000 when unknown

  bool any() const noexcept { return tokens || fraction; }
  bool busy(std::uint64_t active_tokens,
            std::optional<std::uint64_t> max_num_batched_tokens) const noexcept;
};

/// A class of service. Limits are per eligible worker, over what waits in the class.
struct PolicyClass {
  std::string name;
  std::string family;  ///< with `cache_bucket`; a class without both is chosen by its name only
  std::string cache_bucket;
  QueuePolicy policy = QueuePolicy::fcfs;
  std::uint64_t quantum = 8192;  ///< uncached tokens that the class may send per round
  BusyThreshold threshold;       ///< none: the class never waits
  std::optional<std::uint64_t> requests_max;
  std::optional<std::uint64_t> isl_tokens_max;
  std::optional<std::uint64_t> cached_tokens_max;
};

/// `router_policy_config`. Requests with at least `min_tokens` uncached tokens fall into a bucket,
/// into the last that fits.
struct PolicyProfile {
  struct Bucket {
    std::uint64_t min_tokens = 0;
    std::string name;
  };
  std::string default_family;
  std::vector<Bucket> buckets;  ///< ascending by min_tokens, the first from 0
  std::vector<PolicyClass> classes;

  /// One class for everything, as without a configuration file.
  static PolicyProfile single(PolicyClass only);
  /// Names are distinct, quanta positive, thresholds finite, and each pair of family and bucket has
  /// exactly one class. Errors: Errc::invalid_argument naming the class.
  Result<void> validate() const;
  /// The class of that exact name if it stands for itself, else that of the family (the default
  /// family when it is unknown) and the bucket of the uncached tokens.
  std::size_t class_of(std::string_view name_or_family, std::uint64_t uncached_tokens) const;
};

/// Names a waiting request.
enum class QueueTicket : std::uint64_t {};

struct WaitingRequest {
  std::size_t policy_class = 0;
  std::uint32_t strict_priority = 0;  ///< before any score
  double priority_jump = 0;
  std::uint64_t isl_tokens = 0;
  std::uint64_t cached_tokens = 0;  ///< on the worker that has most of it
  std::optional<WorkerKey> pinned;
  base::SteadyTime arrival{};
  base::SteadyTime overlap_known{};  ///< when cached_tokens was looked up

  std::uint64_t uncached_tokens() const noexcept {
    return isl_tokens - std::min(isl_tokens, cached_tokens);
  }
};

/// Who goes next. Within a class by strict priority, then score, then arrival; pinned requests
/// wait in lanes of their own, so that a busy worker holds up nobody else. Among classes deficit
/// round robin over uncached tokens, so that each gets its share however long its prompts are.
///
/// A value without I/O; confined to one thread. Bounded by the classes' limits.
class AdmissionQueue {
 public:
  /// `profile` must be valid.
  AdmissionQueue(PolicyProfile profile, base::SteadyTime start);
  ~AdmissionQueue();
  AdmissionQueue(const AdmissionQueue&) = delete;
  AdmissionQueue& operator=(const AdmissionQueue&) = delete;

  const PolicyProfile& profile() const noexcept { return profile_; }

  /// Whether a request of the class must wait at all: it has a threshold, and others of the class
  /// wait already or every eligible worker is busy.
  bool must_wait(std::size_t policy_class, bool all_workers_busy) const noexcept;

  /// Errors: Errc::overloaded with reason `request_limit`, `raw_isl_token_limit` or
  /// `cached_token_limit`.
  Result<QueueTicket> push(const WaitingRequest& request, std::size_t eligible_workers);
  /// The caller gave up. False when the ticket is not waiting.
  bool remove(QueueTicket ticket);
  /// The next request that may go now, which leaves the queue. `has_room` is asked about the first
  /// of each lane only: whoever stands behind one that cannot go waits for it.
  struct Next {
    QueueTicket ticket{};
    WaitingRequest request;
  };
  std::optional<Next> next(const std::function<bool(const WaitingRequest&)>& has_room);

  struct Pending {
    std::uint64_t requests = 0;
    std::uint64_t isl_tokens = 0;
    std::uint64_t cached_tokens = 0;
  };
  const Pending& pending(std::size_t policy_class) const noexcept {
    return classes_[policy_class].pending;
  }
  std::size_t size() const noexcept { return waiting_.size(); }

  /// Cached tokens older than this are looked up again before a waiting request is sent.
  static constexpr std::chrono::seconds kOverlapAgeMax{10};

 private:
  struct Order {
    std::uint32_t strict_priority = 0;
    double score = 0;
    std::uint64_t ticket = 0;
    /// Whether this goes before the other.
    bool operator<(const Order& other) const noexcept;
  };
  using Lane = std::map<Order, WaitingRequest>;
  struct ClassState {
    Lane shared;
    std::map<WorkerKey, Lane> pinned;
    Pending pending;
    std::uint64_t deficit = 0;
  };
  struct Place {
    std::size_t policy_class = 0;
    std::optional<WorkerKey> pinned;
    Order order;
  };

  Lane* first_with_room(ClassState& state,
                        const std::function<bool(const WaitingRequest&)>& has_room);
  Next take(std::size_t policy_class, Lane& lane);
  void forget(std::size_t policy_class, const WaitingRequest& request);

  PolicyProfile profile_;
  base::SteadyTime start_;
  std::vector<ClassState> classes_;
  std::unordered_map<std::uint64_t, Place> waiting_;
  std::uint64_t next_ticket_ = 1;
  std::size_t turn_ = 0;    // the class whose turn it is
  bool turn_paid_ = false;  // it has had its quantum of this round
};

}  // namespace dynamo::kv_router
