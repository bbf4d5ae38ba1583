// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/kv_router/worker_key.h>
#include <dynamo/tokens/hash.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// The load that the router itself has put on each worker, before any worker says so.
/// Source: lib/kv-router/src/sequences (v1.5); spec kv-router 7.
namespace dynamo::kv_router {

struct ActiveRequest {
  std::string request_id;
  WorkerKey worker;
  /// Sequence hashes of the prompt's complete blocks; empty when blocks are not tracked.
  std::span<const tokens::SequenceHash> prompt;
  /// Blocks that count but are shared with nobody (KV reuse is not assumed).
  std::uint32_t private_blocks = 0;
  std::uint64_t prefill_tokens = 0;  ///< that the worker still has to compute
  /// How long it will take to; with it what is owed decays while the worker computes.
  std::optional<std::chrono::nanoseconds> prefill_duration;
  std::uint64_t router = 0;  ///< which router sent it; 0: this one
};

struct ActiveLoad {
  std::uint64_t decode_blocks = 0;   ///< distinct blocks in use, weighted, rounded half up
  std::uint64_t prefill_tokens = 0;  ///< still owed
  std::uint64_t requests = 0;
};

/// Live requests by worker. Blocks that several requests of a worker use count once.
/// Confined to one thread; each operation costs time proportional to the request's blocks.
class ActiveSequences {
 public:
  struct Options {
    /// A request that was never freed is, after this.
    std::chrono::seconds request_expiry{300};
  };
  ActiveSequences();
  explicit ActiveSequences(Options options);
  ~ActiveSequences();
  ActiveSequences(const ActiveSequences&) = delete;
  ActiveSequences& operator=(const ActiveSequences&) = delete;

  void add_worker(WorkerKey worker);
  /// With all its requests.
  void remove_worker(WorkerKey worker);

  /// False when the id is in use; nothing changes then. An unknown worker becomes known.
  bool add(const ActiveRequest& request, base::SteadyTime now);
  /// The first output arrived: nothing is owed any more. Harmless when repeated. False when
  /// unknown.
  bool complete_prefill(std::string_view request_id, base::SteadyTime now);
  /// Another block was generated. `remaining` in [0, 1], when the length of the output is foreseen:
  /// what is still to come; the blocks that this request alone uses then weigh that much.
  bool add_output_block(std::string_view request_id, std::optional<double> remaining);
  /// False when unknown.
  bool free(std::string_view request_id, base::SteadyTime now);
  /// Frees what is older than the expiry; returns how many. Call it every half minute or so.
  std::size_t expire(base::SteadyTime now);

  /// With all that was owed when the requests were sent.
  ActiveLoad load(WorkerKey worker) const;
  /// With what is owed at `now`. A worker prefills one request after the other, the oldest first:
  /// since that became the oldest, time completes its tokens at its rate, and then those of the
  /// ones behind it if all have a duration.
  ActiveLoad load(WorkerKey worker, base::SteadyTime now) const;
  bool has_worker(WorkerKey worker) const { return slots_.contains(worker); }
  /// Which router sent a request; none when it is unknown.
  std::optional<std::uint64_t> router_of(std::string_view request_id) const;
  std::size_t requests() const noexcept { return requests_.size(); }
  /// For each worker, in the order of workers(): how many of the prompt's blocks it would have to
  /// add, counted from the first that is not in use there. The span is valid until the next call.
  std::span<const std::uint32_t> additional_blocks(std::span<const tokens::SequenceHash> prompt);
  std::span<const WorkerKey> workers() const noexcept { return workers_; }

 private:
  // Weights in units that add up without rounding: all that is added is taken away exactly.
  using Weight = std::int64_t;
  static constexpr Weight kWhole = Weight{1} << 32;

  struct Use {
    std::uint32_t slot;
    std::uint32_t requests;
    Weight weight;
  };
  struct Prefill {
    std::uint64_t tokens = 0;
    std::optional<std::chrono::nanoseconds> duration;
  };
  struct WorkerState {
    Weight blocks = 0;
    std::uint64_t prefill_tokens = 0;
    std::uint64_t requests = 0;
    std::list<Prefill> prefills;  // oldest first: the one that is being computed
    base::SteadyTime oldest_since{};
    std::size_t without_duration = 0;
  };
  struct Request {
    WorkerKey worker;
    std::vector<tokens::SequenceHash> prompt;
    std::optional<std::list<Prefill>::iterator> prefill;  // while something is owed
    std::uint64_t router = 0;
    std::uint64_t own_blocks = 0;
    Weight own_weight = 0;  // of all own blocks together
    base::SteadyTime added{};
    std::list<const std::string*>::iterator age;
  };
  struct IdHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view id) const noexcept {
      return std::hash<std::string_view>{}(id);
    }
  };
  struct BlockHash {
    std::size_t operator()(tokens::SequenceHash hash) const noexcept {
      return static_cast<std::size_t>(hash);
    }
  };
  using Requests = std::unordered_map<std::string, Request, IdHash, std::equal_to<>>;

  std::uint32_t slot_of(WorkerKey worker);
  void use(std::uint32_t slot, tokens::SequenceHash block);
  void leave(std::uint32_t slot, tokens::SequenceHash block);
  void end_prefill(WorkerState& state, Request& request, base::SteadyTime now);
  static std::uint64_t owed(const WorkerState& state, base::SteadyTime now);
  void erase(Requests::iterator request, base::SteadyTime now);

  Options options_;
  std::unordered_map<WorkerKey, std::uint32_t> slots_;
  std::vector<WorkerKey> workers_;
  std::vector<WorkerState> states_;
  // Who uses a block; few workers use the same one at a time.
  std::unordered_map<tokens::SequenceHash, std::vector<Use>, BlockHash> blocks_;
  Requests requests_;
  std::list<const std::string*> by_age_;  // ids in requests_, oldest first
  std::vector<std::uint32_t> additional_;
};

}  // namespace dynamo::kv_router
