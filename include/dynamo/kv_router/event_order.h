// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/clock.h>
#include <dynamo/kv_router/event.h>
#include <dynamo/kv_router/freshness.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <variant>
#include <vector>

/// Puts the events of many workers in order, notices what is missing and says what to ask for.
/// Source: spec kv-router 2.3 and 2.9; lib/kv-router and lib/llm/src/kv_router (v1.5).
namespace dynamo::kv_router {

/// One run of a publisher: a restart gets another id, and its event ids begin anew.
enum class PublisherId : std::uint64_t {};
/// Names a request for recovery, so that late answers to former ones are not taken for its answer.
enum class RecoveryId : std::uint64_t {};

/// Put the event into the index.
struct ApplyEvent {
  RouterEvent event;
};
/// Forget everything of the worker: a dump follows, or a new publisher begins.
struct ResetWorker {
  WorkerKey worker;
};
/// Ask the worker's publisher for events from `from` on, or (none) for a dump of everything; answer
/// with recovered_events(), recovered_dump() or recovery_failed().
struct RequestRecovery {
  WorkerKey worker;
  PublisherId publisher{};
  RecoveryId id{};
  std::optional<std::uint64_t> from;
};
using OrderAction = std::variant<ApplyEvent, ResetWorker, RequestRecovery>;

struct EventOrderOptions {
  std::size_t held_back_events_max =
      1024;  ///< per (worker, rank) while it recovers; oldest dropped
  std::size_t held_back_blocks_max = std::size_t{1} << 20;  ///< that these name, in all
  std::size_t recoveries_max = 16;                          ///< at the same time; the others wait
  std::uint32_t attempts_max = 8;
  std::chrono::milliseconds attempt_timeout{30'000};
  std::chrono::milliseconds retry_delay{200};        ///< doubles with each attempt
  std::chrono::milliseconds degraded_retry{30'000};  ///< until a degraded source is asked again
};

struct EventOrderStats {
  std::uint64_t applied = 0;
  std::uint64_t stale = 0;  ///< at or before the cursor: duplicates and late comers
  std::uint64_t gaps = 0;
  std::uint64_t dropped = 0;  ///< held back and then pushed out
  std::uint64_t recoveries_failed = 0;
  std::uint64_t restarts =
      0;  ///< streams that began anew: another publisher, or ids that went back
};

/// The state machine. It does nothing itself: each call adds to `actions` what the caller is to do,
/// in this order.
///
/// What the index then says of a source:
/// * fresh, recovering or lost: exactly what the worker held after the event cursor(); events
/// behind
///   a gap are held back until it is closed. A worker is not blanked while it recovers. (Applying
///   later removals early would say less, but a block that was stored again under another name in
///   the gap would then be remembered wrongly.)
/// * degraded: what the events that arrived leave, in their order. No block is claimed that none of
///   them stored, or that a later one removed. It is asked for a dump from time to time.
/// Once an answer closes the gap, index and worker are equal.
///
/// A `cleared` event closes any gap: what was missed before it does not matter.
///
/// A value without I/O, confined to one thread. Time comes in as an argument.
class EventOrder {
 public:
  using Actions = std::vector<OrderAction>;

  explicit EventOrder(EventOrderOptions options = {});
  ~EventOrder();
  EventOrder(const EventOrder&) = delete;
  EventOrder& operator=(const EventOrder&) = delete;

  /// A publisher was discovered. One that can be asked is asked for a dump at once; of any other
  /// the first event is taken as it comes; one that is not its publisher's first, or a gap,
  /// degrades it. A new publisher of a known (worker, rank) begins a new stream: what the former
  /// one said no longer holds.
  void add_source(WorkerKey worker, PublisherId publisher, bool can_be_asked, base::SteadyTime now,
                  Actions& actions);
  /// The publisher is gone while the worker lives: its cache changes unheard from now on. The index
  /// keeps what it has until a new source is added.
  void lose_source(WorkerKey worker, base::SteadyTime now, Actions& actions);
  /// The (worker, rank) is gone.
  void remove_source(WorkerKey worker, Actions& actions);
  /// Events of unknown (worker, rank)s begin a source that cannot be asked; those of a former
  /// publisher are stale.
  void on_event(PublisherId publisher, RouterEvent event, base::SteadyTime now, Actions& actions);

  /// Answers. `last_event_id` is the newest id that the answer includes; of a dump of 0.9 it is not
  /// known, and the next event is taken to follow it.
  void recovered_events(WorkerKey worker, RecoveryId id, std::vector<RouterEvent> events,
                        std::uint64_t last_event_id, base::SteadyTime now, Actions& actions);
  void recovered_dump(WorkerKey worker, RecoveryId id, std::vector<RouterEvent> events,
                      std::optional<std::uint64_t> last_event_id, base::SteadyTime now,
                      Actions& actions);
  /// The publisher knows no event as new as those asked for; its newest is `newest_event_id`.
  /// Before the cursor: its stream began anew without telling, and a dump is asked for.
  void recovery_too_new(WorkerKey worker, RecoveryId id, std::uint64_t newest_event_id,
                        base::SteadyTime now, Actions& actions);
  void recovery_failed(WorkerKey worker, RecoveryId id, base::SteadyTime now, Actions& actions);
  /// Times out and retries; call it when next_deadline() has come.
  void on_time(base::SteadyTime now, Actions& actions);
  std::optional<base::SteadyTime> next_deadline() const;

  Freshness freshness(WorkerKey worker) const;
  /// Events of the source that wait for a gap to close.
  std::size_t held_back(WorkerKey worker) const;
  /// The last event id in the index.
  std::optional<std::uint64_t> cursor(WorkerKey worker) const;
  const EventOrderStats& stats() const noexcept { return stats_; }

 private:
  struct Source;
  Source* find(WorkerKey worker, RecoveryId id);
  void accept(Source& source, RouterEvent event, Actions& actions);
  void hold_back(Source& source, RouterEvent event);
  void recover(Source& source, base::SteadyTime now, Actions& actions);
  void ask(Source& source, base::SteadyTime now, Actions& actions);
  void apply_contiguous(Source& source, Actions& actions);
  void drain(Source& source, base::SteadyTime now, Actions& actions);
  void finish(Source& source, base::SteadyTime now, Actions& actions);
  void end_recovery(Source& source);
  void start_waiting(base::SteadyTime now, Actions& actions);
  void retry(Source& source, base::SteadyTime now, Actions& actions);

  EventOrderOptions options_;
  std::map<WorkerKey, std::unique_ptr<Source>> sources_;
  std::vector<WorkerKey> waiting_;  // for a place among recoveries_max, first come first
  std::size_t recoveries_ = 0;
  std::uint64_t next_id_ = 1;
  EventOrderStats stats_;
};

}  // namespace dynamo::kv_router
