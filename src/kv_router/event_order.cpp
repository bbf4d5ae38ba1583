// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/event_order.h>

#include <algorithm>

namespace dynamo::kv_router {

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
  std::optional<std::uint64_t> cursor;
  Recovery recovery = Recovery::none;
  RecoveryId id{};
  std::uint32_t attempt = 0;
  base::SteadyTime due{};
  std::map<std::uint64_t, RouterEvent> held_back;  // by event id

  bool has_place() const noexcept {
    return recovery == Recovery::asked || recovery == Recovery::resting;
  }
};

EventOrder::EventOrder(EventOrderOptions options) : options_(options) {}
EventOrder::~EventOrder() = default;

void EventOrder::add_source(WorkerKey worker, PublisherId publisher, bool can_be_asked,
                            base::SteadyTime now, Actions& actions) {
  auto& slot = sources_[worker];
  if (slot && slot->publisher == publisher && slot->can_be_asked == can_be_asked) return;
  if (slot) {
    end_recovery(*slot);
    // What the former publisher said stands until a dump replaces it; without one it must go.
    if (!can_be_asked && slot->publisher != publisher) actions.push_back(ResetWorker{worker});
  }
  const bool same_stream = slot && slot->publisher == publisher;
  const std::optional<std::uint64_t> cursor = same_stream ? slot->cursor : std::nullopt;
  slot = std::make_unique<Source>();
  slot->worker = worker;
  slot->publisher = publisher;
  slot->can_be_asked = can_be_asked;
  slot->cursor = cursor;
  if (can_be_asked) recover(*slot, now, actions);
  start_waiting(now, actions);
}

void EventOrder::remove_source(WorkerKey worker, Actions& actions) {
  const auto found = sources_.find(worker);
  if (found == sources_.end()) return;
  end_recovery(*found->second);
  sources_.erase(found);
  actions.push_back(ResetWorker{worker});
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
  const bool contiguous = !source.cursor || id == *source.cursor + 1;
  if (source.recovery == Source::Recovery::none) {
    if (contiguous) return accept(source, std::move(event), actions);
    ++stats_.gaps;
    if (!source.can_be_asked) {
      source.degraded = true;
      return accept(source, std::move(event), actions);
    }
  }
  if (!source.held_back.emplace(id, std::move(event)).second) ++stats_.stale;
  if (source.held_back.size() > options_.held_back_events_max) {
    source.held_back.erase(source.held_back.begin());
    ++stats_.dropped;
  }
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
  const std::optional<std::uint64_t> from =
      source.cursor ? std::optional(*source.cursor + 1) : std::nullopt;
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
    // A range with a hole does not close the gap.
    if (source->cursor && next != *source->cursor + 1) return retry(*source, now, actions);
    accept(*source, std::move(event), actions);
  }
  if (!source->cursor || last_event_id > *source->cursor) return retry(*source, now, actions);
  finish(*source, last_event_id, now, actions);
}

void EventOrder::recovered_dump(WorkerKey worker, RecoveryId id, std::vector<RouterEvent> events,
                                std::uint64_t last_event_id, base::SteadyTime now,
                                Actions& actions) {
  Source* source = find(worker, id);
  if (source == nullptr) return;
  // A dump older than what is applied would bring back what was removed since.
  if (source->cursor && last_event_id < *source->cursor) return retry(*source, now, actions);
  if (std::any_of(events.begin(), events.end(),
                  [&](const RouterEvent& event) { return event.key() != worker; }))
    return retry(*source, now, actions);
  actions.push_back(ResetWorker{worker});
  for (RouterEvent& event : events) {
    ++stats_.applied;
    actions.push_back(ApplyEvent{std::move(event)});
  }
  source->degraded = false;
  finish(*source, last_event_id, now, actions);
}

void EventOrder::finish(Source& source, std::uint64_t last_event_id, base::SteadyTime now,
                        Actions& actions) {
  source.cursor = std::max(source.cursor.value_or(0), last_event_id);
  end_recovery(source);
  drain(source, now, actions);
  start_waiting(now, actions);
}

void EventOrder::drain(Source& source, base::SteadyTime now, Actions& actions) {
  while (!source.held_back.empty()) {
    const auto first = source.held_back.begin();
    if (source.cursor && first->first > *source.cursor + 1) {
      ++stats_.gaps;
      return recover(source, now, actions);
    }
    auto held = source.held_back.extract(first);
    if (source.cursor && held.key() <= *source.cursor) {
      ++stats_.stale;
    } else {
      accept(source, std::move(held.mapped()), actions);
    }
  }
}

void EventOrder::recovery_failed(WorkerKey worker, RecoveryId id, base::SteadyTime now,
                                 Actions& actions) {
  if (Source* source = find(worker, id)) retry(*source, now, actions);
}

void EventOrder::retry(Source& source, base::SteadyTime now, Actions& actions) {
  if (source.attempt < options_.attempts_max) {
    source.recovery = Source::Recovery::resting;
    source.due = now + options_.retry_delay * (1u << std::min(source.attempt - 1, 16u));
    return;
  }
  // Go on with what there is, and say so.
  ++stats_.recoveries_failed;
  source.degraded = true;
  end_recovery(source);
  for (auto& [event_id, event] : std::exchange(source.held_back, {})) {
    if (source.cursor && event_id <= *source.cursor) {
      ++stats_.stale;
    } else {
      accept(source, std::move(event), actions);
    }
  }
  start_waiting(now, actions);
}

void EventOrder::on_time(base::SteadyTime now, Actions& actions) {
  for (auto& [worker, source] : sources_) {
    if (!source->has_place() || source->due > now) continue;
    if (source->recovery == Source::Recovery::asked) {
      retry(*source, now, actions);
    } else {
      ask(*source, now, actions);
    }
  }
}

std::optional<base::SteadyTime> EventOrder::next_deadline() const {
  std::optional<base::SteadyTime> next;
  for (const auto& [worker, source] : sources_)
    if (source->has_place() && (!next || source->due < *next)) next = source->due;
  return next;
}

Freshness EventOrder::freshness(WorkerKey worker) const {
  const auto found = sources_.find(worker);
  if (found == sources_.end()) return Freshness::unknown;
  const Source& source = *found->second;
  if (source.recovery != Source::Recovery::none) return Freshness::recovering;
  if (source.degraded) return Freshness::degraded;
  return source.cursor ? Freshness::fresh : Freshness::unknown;
}

std::optional<std::uint64_t> EventOrder::cursor(WorkerKey worker) const {
  const auto found = sources_.find(worker);
  return found == sources_.end() ? std::nullopt : found->second->cursor;
}

}  // namespace dynamo::kv_router
