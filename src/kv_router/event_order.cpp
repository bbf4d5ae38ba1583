// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/event_order.h>

#include <algorithm>
#include <utility>

namespace dynamo::kv_router {

namespace {

// Publishers number from 1 (1.5) or 0 (0.9).
constexpr std::uint64_t kFirstEventId = 1;

std::size_t blocks_of(const RouterEvent& event) noexcept {
  if (const auto* stored = std::get_if<KvStored>(&event.event.data)) return stored->blocks.size();
  if (const auto* removed = std::get_if<KvRemoved>(&event.event.data))
    return removed->block_hashes.size();
  return 0;
}

// Whether nothing that happened before matters any more.
bool clears_everything(const RouterEvent& event) noexcept {
  return std::holds_alternative<KvCleared>(event.event.data) &&
         event.storage_tier == StorageTier::device;
}

}  // namespace

struct EventOrder::Source {
  enum class Recovery : std::uint8_t {
    none,
    waiting,  // for a place
    asked,    // until `due`
    resting,  // before the next attempt, until `due`
  };
  WorkerKey worker;
  PublisherId publisher{};
  bool can_be_asked = false;
  bool degraded = false;
  bool lost = false;
  std::optional<std::uint64_t> cursor;
  Recovery recovery = Recovery::none;
  RecoveryId id{};
  std::uint32_t attempt = 0;
  base::SteadyTime due{};
  // By event id. Of a degraded source these are copies of what was applied, for the time when a
  // dump replaces it.
  std::map<std::uint64_t, RouterEvent> held_back;
  std::size_t held_back_blocks = 0;

  void forget_held_back() {
    held_back.clear();
    held_back_blocks = 0;
  }
  bool has_place() const noexcept {
    return recovery == Recovery::asked || recovery == Recovery::resting;
  }
  bool has_deadline() const noexcept {
    return has_place() || (recovery == Recovery::none && degraded && can_be_asked);
  }
};

EventOrder::EventOrder(EventOrderOptions options) : options_(options) {}
EventOrder::~EventOrder() = default;

void EventOrder::add_source(WorkerKey worker, PublisherId publisher, bool can_be_asked,
                            base::SteadyTime now, Actions& actions) {
  auto& slot = sources_[worker];
  if (slot && slot->publisher == publisher && slot->can_be_asked == can_be_asked && !slot->lost)
    return;
  const bool same_stream = slot && slot->publisher == publisher;
  if (slot) end_recovery(*slot);
  if (slot && !same_stream) {
    ++stats_.restarts;
    actions.push_back(ResetWorker{worker});
  }
  auto source = std::make_unique<Source>();
  source->worker = worker;
  source->publisher = publisher;
  source->can_be_asked = can_be_asked;
  if (same_stream) {
    source->cursor = slot->cursor;
    source->degraded = slot->degraded;
    source->held_back = std::move(slot->held_back);
    source->held_back_blocks = slot->held_back_blocks;
  }
  slot = std::move(source);
  if (can_be_asked) recover(*slot, now, actions);
  start_waiting(now, actions);
}

void EventOrder::lose_source(WorkerKey worker, base::SteadyTime now, Actions& actions) {
  const auto found = sources_.find(worker);
  if (found == sources_.end()) return;
  Source& source = *found->second;
  end_recovery(source);
  source.forget_held_back();  // nobody is left who could close the gap before them
  source.lost = true;
  source.can_be_asked = false;
  start_waiting(now, actions);
}

void EventOrder::remove_source(WorkerKey worker, Actions& actions) {
  const auto found = sources_.find(worker);
  if (found == sources_.end()) return;
  end_recovery(*found->second);
  sources_.erase(found);
  actions.push_back(ResetWorker{worker});
}

void EventOrder::hold_back(Source& source, RouterEvent event) {
  const std::uint64_t id = event.event.event_id;
  const std::size_t blocks = blocks_of(event);
  if (!source.held_back.emplace(id, std::move(event)).second) {
    ++stats_.stale;
    return;
  }
  source.held_back_blocks += blocks;
  while (source.held_back.size() > options_.held_back_events_max ||
         (source.held_back_blocks > options_.held_back_blocks_max && source.held_back.size() > 1)) {
    const auto oldest = source.held_back.begin();
    source.held_back_blocks -= blocks_of(oldest->second);
    source.held_back.erase(oldest);
    ++stats_.dropped;
  }
}

void EventOrder::accept(Source& source, RouterEvent event, Actions& actions) {
  source.cursor = event.event.event_id;
  ++stats_.applied;
  actions.push_back(ApplyEvent{std::move(event)});
}

void EventOrder::on_event(PublisherId publisher, RouterEvent event, base::SteadyTime now,
                          Actions& actions) {
  const WorkerKey worker = event.key();
  if (!sources_.contains(worker)) add_source(worker, publisher, false, now, actions);
  Source& source = *sources_.at(worker);
  const std::uint64_t id = event.event.event_id;
  if (source.publisher != publisher || (source.cursor && id <= *source.cursor)) {
    ++stats_.stale;
    return;
  }
  if (source.lost) {
    // Somebody still sends under its name; what happened in between is not known.
    source.lost = false;
    source.degraded = true;
  }
  const bool contiguous = !source.cursor || id == *source.cursor + 1;
  if (!source.cursor && !source.can_be_asked && id > kFirstEventId && !clears_everything(event))
    source.degraded = true;
  if (source.recovery == Source::Recovery::none && contiguous)
    return accept(source, std::move(event), actions);
  if (source.cursor && contiguous && !source.degraded) {
    // A late comer may close the gap before the answer does.
    accept(source, std::move(event), actions);
    apply_contiguous(source, actions);
    if (!source.held_back.empty()) return;
    end_recovery(source);
    return start_waiting(now, actions);
  }
  if (clears_everything(event)) {
    if (source.recovery == Source::Recovery::none) ++stats_.gaps;
    source.degraded = false;
    end_recovery(source);
    accept(source, std::move(event), actions);
    drain(source, now, actions);
    return start_waiting(now, actions);
  }
  if (source.recovery == Source::Recovery::none) {
    ++stats_.gaps;
    if (!source.can_be_asked) {
      source.degraded = true;
      return accept(source, std::move(event), actions);
    }
  } else if (source.degraded) {
    accept(source, event, actions);
  }
  hold_back(source, std::move(event));
  if (source.recovery == Source::Recovery::none) recover(source, now, actions);
}

void EventOrder::recover(Source& source, base::SteadyTime now, Actions& actions) {
  source.attempt = 0;
  if (recoveries_ < options_.recoveries_max) {
    ++recoveries_;
    return ask(source, now, actions);
  }
  source.recovery = Source::Recovery::waiting;
  waiting_.push_back(source.worker);
}

void EventOrder::ask(Source& source, base::SteadyTime now, Actions& actions) {
  source.recovery = Source::Recovery::asked;
  source.id = RecoveryId{next_id_++};
  source.due = now + options_.attempt_timeout;
  ++source.attempt;
  // What a degraded source missed lies before its cursor.
  const std::optional<std::uint64_t> from =
      source.cursor && !source.degraded ? std::optional(*source.cursor + 1) : std::nullopt;
  actions.push_back(RequestRecovery{source.worker, source.publisher, source.id, from});
}

void EventOrder::end_recovery(Source& source) {
  if (source.has_place()) --recoveries_;
  std::erase(waiting_, source.worker);
  source.recovery = Source::Recovery::none;
}

void EventOrder::start_waiting(base::SteadyTime now, Actions& actions) {
  while (!waiting_.empty() && recoveries_ < options_.recoveries_max) {
    Source& source = *sources_.at(waiting_.front());
    waiting_.erase(waiting_.begin());
    ++recoveries_;
    ask(source, now, actions);
  }
}

EventOrder::Source* EventOrder::find(WorkerKey worker, RecoveryId id) {
  const auto found = sources_.find(worker);
  if (found == sources_.end()) return nullptr;
  Source& source = *found->second;
  return source.recovery == Source::Recovery::asked && source.id == id ? &source : nullptr;
}

void EventOrder::recovered_events(WorkerKey worker, RecoveryId id, std::vector<RouterEvent> events,
                                  std::uint64_t last_event_id, base::SteadyTime now,
                                  Actions& actions) {
  Source* source = find(worker, id);
  if (source == nullptr) return;
  std::sort(events.begin(), events.end(), [](const RouterEvent& a, const RouterEvent& b) {
    return a.event.event_id < b.event.event_id;
  });
  for (RouterEvent& event : events) {
    const std::uint64_t next = event.event.event_id;
    if (event.key() != worker) return retry(*source, now, actions);
    if (source->cursor && next <= *source->cursor) continue;
    // A range with a hole does not close the gap, unless everything before it was cleared.
    if (source->cursor && next != *source->cursor + 1 && !clears_everything(event))
      return retry(*source, now, actions);
    accept(*source, std::move(event), actions);
  }
  if (!source->cursor || last_event_id > *source->cursor) return retry(*source, now, actions);
  finish(*source, now, actions);
}

void EventOrder::recovered_dump(WorkerKey worker, RecoveryId id, std::vector<RouterEvent> events,
                                std::optional<std::uint64_t> last_event_id, base::SteadyTime now,
                                Actions& actions) {
  Source* source = find(worker, id);
  if (source == nullptr) return;
  // A dump older than what is applied would bring back what was removed since; of a degraded source
  // the events since are at hand.
  if (source->cursor && last_event_id && *last_event_id < *source->cursor && !source->degraded)
    return retry(*source, now, actions);
  if (std::any_of(events.begin(), events.end(),
                  [&](const RouterEvent& event) { return event.key() != worker; }))
    return retry(*source, now, actions);
  actions.push_back(ResetWorker{worker});
  for (RouterEvent& event : events) {
    ++stats_.applied;
    actions.push_back(ApplyEvent{std::move(event)});
  }
  source->degraded = false;
  source->cursor = last_event_id;
  finish(*source, now, actions);
}

void EventOrder::finish(Source& source, base::SteadyTime now, Actions& actions) {
  end_recovery(source);
  drain(source, now, actions);
  start_waiting(now, actions);
}

void EventOrder::apply_contiguous(Source& source, Actions& actions) {
  while (!source.held_back.empty()) {
    const auto first = source.held_back.begin();
    if (source.cursor && first->first > *source.cursor + 1 && !clears_everything(first->second))
      return;
    auto held = source.held_back.extract(first);
    source.held_back_blocks -= blocks_of(held.mapped());
    if (source.cursor && held.key() <= *source.cursor) {
      ++stats_.stale;
    } else {
      accept(source, std::move(held.mapped()), actions);
    }
  }
}

void EventOrder::drain(Source& source, base::SteadyTime now, Actions& actions) {
  apply_contiguous(source, actions);
  if (source.held_back.empty()) return;
  ++stats_.gaps;
  recover(source, now, actions);
}

void EventOrder::recovery_failed(WorkerKey worker, RecoveryId id, base::SteadyTime now,
                                 Actions& actions) {
  if (Source* source = find(worker, id)) retry(*source, now, actions);
}

void EventOrder::recovery_too_new(WorkerKey worker, RecoveryId id, std::uint64_t newest_event_id,
                                  base::SteadyTime now, Actions& actions) {
  Source* source = find(worker, id);
  if (source == nullptr) return;
  if (!source->cursor || newest_event_id >= *source->cursor) return retry(*source, now, actions);
  ++stats_.restarts;
  end_recovery(*source);
  source->cursor.reset();
  source->degraded = false;
  source->forget_held_back();
  actions.push_back(ResetWorker{worker});
  recover(*source, now, actions);
  start_waiting(now, actions);
}

void EventOrder::retry(Source& source, base::SteadyTime now, Actions& actions) {
  if (source.attempt < options_.attempts_max) {
    source.recovery = Source::Recovery::resting;
    source.due = now + options_.retry_delay * (1u << std::min(source.attempt - 1, 16u));
    return;
  }
  // Go on with what there is, and say so.
  ++stats_.recoveries_failed;
  end_recovery(source);
  // Of a degraded source these have been applied.
  if (std::exchange(source.degraded, true)) source.forget_held_back();
  for (auto& [event_id, event] : std::exchange(source.held_back, {})) {
    if (source.cursor && event_id <= *source.cursor) {
      ++stats_.stale;
    } else {
      accept(source, std::move(event), actions);
    }
  }
  source.held_back_blocks = 0;
  source.due = now + options_.degraded_retry;
  start_waiting(now, actions);
}

void EventOrder::on_time(base::SteadyTime now, Actions& actions) {
  for (auto& [worker, source] : sources_) {
    if (!source->has_deadline() || source->due > now) continue;
    if (source->recovery == Source::Recovery::asked) {
      retry(*source, now, actions);
    } else if (source->recovery == Source::Recovery::resting) {
      ask(*source, now, actions);
    } else {
      recover(*source, now, actions);
    }
  }
}

std::optional<base::SteadyTime> EventOrder::next_deadline() const {
  std::optional<base::SteadyTime> next;
  for (const auto& [worker, source] : sources_)
    if (source->has_deadline() && (!next || source->due < *next)) next = source->due;
  return next;
}

Freshness EventOrder::freshness(WorkerKey worker) const {
  const auto found = sources_.find(worker);
  if (found == sources_.end()) return Freshness::unknown;
  const Source& source = *found->second;
  if (source.lost) return Freshness::lost;
  if (source.degraded) return Freshness::degraded;
  if (source.recovery != Source::Recovery::none) return Freshness::recovering;
  return source.cursor ? Freshness::fresh : Freshness::unknown;
}

std::size_t EventOrder::held_back(WorkerKey worker) const {
  const auto found = sources_.find(worker);
  return found == sources_.end() ? 0 : found->second->held_back.size();
}

std::optional<std::uint64_t> EventOrder::cursor(WorkerKey worker) const {
  const auto found = sources_.find(worker);
  return found == sources_.end() ? std::nullopt : found->second->cursor;
}

}  // namespace dynamo::kv_router
