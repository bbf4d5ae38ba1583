// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/worker_caches.h>

#include <algorithm>
#include <utility>

namespace dynamo::kv_router {

WorkerCaches::WorkerCaches(WorkerCachesOptions options)
    : options_(options), order_(options.order), index_(options.index) {
  if (options_.lower_tiers) lower_tiers_.emplace(*options_.lower_tiers);
  if (options_.routed) {
    routed_.emplace(*options_.routed);
    routed_reader_.emplace(routed_->index());
  }
}
WorkerCaches::~WorkerCaches() = default;

void WorkerCaches::count(ApplyStatus status) {
  switch (status) {
    case ApplyStatus::applied:
      return;
    case ApplyStatus::duplicate:
      ++stats_.duplicate_stores;
      return;
    case ApplyStatus::parent_not_found:
      ++stats_.parents_not_found;
      return;
    case ApplyStatus::block_not_found:
      ++stats_.blocks_not_found;
      return;
    case ApplyStatus::malformed:
      ++stats_.malformed;
      return;
    case ApplyStatus::over_budget:
      ++stats_.over_budget;
      return;
  }
}

void WorkerCaches::apply(const RouterEvent& event) {
  if (event.residency_domain == ResidencyDomain::cache_owner) {
    ++stats_.unsupported_domains;
    return;
  }
  const bool device = event.storage_tier == StorageTier::device;
  if (!device && !lower_tiers_) {
    ++stats_.other_tiers;
    return;
  }
  ++stats_.events;
  const ApplyStatus below = lower_tiers_ ? lower_tiers_->apply(event) : ApplyStatus::applied;
  count(device ? index_.apply(event) : below);
}

// Does what the order of events asks for.
void WorkerCaches::perform() {
  for (OrderAction& action : actions_) {
    if (const auto* event = std::get_if<ApplyEvent>(&action)) {
      apply(event->event);
    } else if (const auto* reset = std::get_if<ResetWorker>(&action)) {
      index_.clear(reset->worker);
      if (lower_tiers_) lower_tiers_->clear(reset->worker);
    } else {
      questions_.push_back(std::get<RequestRecovery>(action));
    }
  }
  actions_.clear();
}

// The same after a call about one worker.
void WorkerCaches::perform(WorkerKey worker) {
  perform();
  states_[worker].freshness = order_.freshness(worker);
}

void WorkerCaches::add_source(WorkerKey worker, PublisherId publisher, bool can_be_asked,
                              base::SteadyTime now) {
  order_.add_source(worker, publisher, can_be_asked, now, actions_);
  perform(worker);
}

void WorkerCaches::lose_source(WorkerKey worker, base::SteadyTime now) {
  order_.lose_source(worker, now, actions_);
  perform(worker);
}

void WorkerCaches::remove_worker(WorkerId worker) {
  std::vector<WorkerKey> ranks;
  for (const auto& [key, state] : states_)
    if (key.worker == worker) ranks.push_back(key);
  for (const WorkerKey& rank : ranks) {
    order_.remove_source(rank, actions_);
    perform(rank);
    states_.erase(rank);
  }
  index_.remove_worker(worker);
  if (lower_tiers_) lower_tiers_->remove_worker(worker);
  if (routed_) routed_->remove_worker(worker);
}

void WorkerCaches::on_event(PublisherId publisher, RouterEvent event, base::SteadyTime now) {
  const WorkerKey worker = event.key();
  order_.on_event(publisher, std::move(event), now, actions_);
  perform(worker);
}

std::vector<RequestRecovery> WorkerCaches::take_questions() {
  return std::exchange(questions_, {});
}

void WorkerCaches::answer(WorkerKey worker, RecoveryId id, WorkerQueryAnswer answer,
                          base::SteadyTime now) {
  if (auto* events = std::get_if<QueriedEvents>(&answer)) {
    order_.recovered_events(worker, id, std::move(events->events), events->last_event_id, now,
                            actions_);
  } else if (auto* dump = std::get_if<QueriedDump>(&answer)) {
    order_.recovered_dump(worker, id, std::move(dump->events), dump->last_event_id, now, actions_);
  } else if (const auto* too_new = std::get_if<QueryTooNew>(&answer)) {
    order_.recovery_too_new(worker, id, too_new->newest_available, now, actions_);
  } else {
    order_.recovery_failed(worker, id, now, actions_);
  }
  perform(worker);
}

void WorkerCaches::recovery_failed(WorkerKey worker, RecoveryId id, base::SteadyTime now) {
  order_.recovery_failed(worker, id, now, actions_);
  perform(worker);
}

void WorkerCaches::on_time(base::SteadyTime now) {
  order_.on_time(now, actions_);
  perform();
  for (auto& [worker, state] : states_) state.freshness = order_.freshness(worker);
  if (routed_) routed_->expire(now);
}

std::optional<base::SteadyTime> WorkerCaches::next_deadline() const {
  const auto order = order_.next_deadline();
  const auto expiry = routed_ ? routed_->next_expiry() : std::nullopt;
  if (!order || !expiry) return order ? order : expiry;
  return std::min(*order, *expiry);
}

void WorkerCaches::routed(WorkerKey worker, std::span<const LocalHash> blocks,
                          std::span<const tokens::SequenceHash> sequence, base::SteadyTime now) {
  if (routed_) routed_->routed(worker, blocks, sequence, now);
}

WorkerCaches::State& WorkerCaches::seen(WorkerKey worker) {
  State& state = states_[worker];
  if (state.seen != lookup_) state = {.freshness = state.freshness, .seen = lookup_};
  return state;
}

void WorkerCaches::fill(std::span<const LocalHash> blocks,
                        std::span<const tokens::SequenceHash> sequence,
                        const SelectorConfig& config, std::uint32_t block_size_tokens,
                        std::span<Candidate> candidates) {
  ++lookup_;
  for (const WorkerOverlap& overlap : reader_.find_matches(blocks))
    seen(overlap.worker).held = overlap.blocks;
  if (routed_reader_)
    for (const WorkerOverlap& overlap : routed_reader_->find_matches(blocks))
      seen(overlap.worker).routed = overlap.blocks;
  for (Candidate& candidate : candidates) {
    const auto found = states_.find(candidate.worker);
    const State state = found == states_.end() ? State{} : found->second;
    const bool current = state.seen == lookup_;
    const std::uint32_t held = current ? state.held : 0;
    const std::uint32_t routed = current ? state.routed : 0;
    const bool predict = options_.predict_on_route || !is_exact(state.freshness);
    candidate.predicted = predict && routed > held;
    const std::uint32_t device = candidate.predicted ? routed : held;
    candidate.freshness = state.freshness;
    candidate.overlap = lower_tiers_ ? lower_tiers_->extend(candidate.worker, sequence, device)
                                     : TierOverlap{.device_blocks = device};
    candidate.effective_overlap_blocks = device;
    candidate.effective_cached_tokens =
        effective_cached_tokens(config, *candidate.overlap, block_size_tokens);
    if (config.generation == CostGeneration::v0_9)
      candidate.tree_size_blocks = index_.blocks(candidate.worker);
  }
}

}  // namespace dynamo::kv_router
