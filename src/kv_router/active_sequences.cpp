// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/active_sequences.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace dynamo::kv_router {

ActiveSequences::ActiveSequences() : ActiveSequences(Options{}) {}
ActiveSequences::ActiveSequences(Options options) : options_(options) {}
ActiveSequences::~ActiveSequences() = default;

std::uint32_t ActiveSequences::slot_of(WorkerKey worker) {
  const auto [at, added] = slots_.try_emplace(worker, static_cast<std::uint32_t>(workers_.size()));
  if (added) {
    workers_.push_back(worker);
    states_.emplace_back();
  }
  return at->second;
}

void ActiveSequences::add_worker(WorkerKey worker) {
  static_cast<void>(slot_of(worker));
}

void ActiveSequences::remove_worker(WorkerKey worker) {
  const auto found = slots_.find(worker);
  if (found == slots_.end()) return;
  for (auto at = requests_.begin(); at != requests_.end();) {
    const auto request = at++;
    if (request->second.worker == worker) erase(request, {});
  }
  // The last worker moves into the gap.
  const std::uint32_t gap = found->second;
  const auto last = static_cast<std::uint32_t>(workers_.size() - 1);
  slots_.erase(found);
  if (gap != last) {
    workers_[gap] = workers_[last];
    states_[gap] = std::move(states_[last]);
    slots_[workers_[gap]] = gap;
    for (auto& [block, uses] : blocks_)
      for (Use& use : uses)
        if (use.slot == last) use.slot = gap;
  }
  workers_.pop_back();
  states_.pop_back();
}

void ActiveSequences::use(std::uint32_t slot, tokens::SequenceHash block) {
  std::vector<Use>& uses = blocks_[block];
  const auto mine =
      std::find_if(uses.begin(), uses.end(), [&](const Use& use) { return use.slot == slot; });
  if (mine != uses.end()) {
    ++mine->requests;
    return;
  }
  uses.push_back({slot, 1, kWhole});
  states_[slot].blocks += kWhole;
}

void ActiveSequences::leave(std::uint32_t slot, tokens::SequenceHash block) {
  const auto found = blocks_.find(block);
  std::vector<Use>& uses = found->second;
  const auto mine =
      std::find_if(uses.begin(), uses.end(), [&](const Use& use) { return use.slot == slot; });
  if (--mine->requests != 0) return;
  states_[slot].blocks -= mine->weight;
  *mine = uses.back();
  uses.pop_back();
  if (uses.empty()) blocks_.erase(found);
}

bool ActiveSequences::add(const ActiveRequest& request, base::SteadyTime now) {
  const auto [at, added] = requests_.try_emplace(request.request_id);
  if (!added) return false;
  const std::uint32_t slot = slot_of(request.worker);
  Request& state = at->second;
  state.worker = request.worker;
  state.prompt.assign(request.prompt.begin(), request.prompt.end());
  // A hash that a prompt repeats is one block.
  std::sort(state.prompt.begin(), state.prompt.end());
  state.prompt.erase(std::unique(state.prompt.begin(), state.prompt.end()), state.prompt.end());
  state.router = request.router;
  state.own_blocks = request.private_blocks;
  state.own_weight = kWhole * request.private_blocks;
  state.added = now;
  state.age = by_age_.insert(by_age_.end(), &at->first);
  for (const tokens::SequenceHash block : state.prompt) use(slot, block);
  WorkerState& worker = states_[slot];
  worker.blocks += state.own_weight;
  ++worker.requests;
  if (request.prefill_tokens != 0) {
    if (worker.prefills.empty()) worker.oldest_since = now;
    state.prefill = worker.prefills.insert(worker.prefills.end(),
                                           {request.prefill_tokens, request.prefill_duration});
    worker.prefill_tokens += request.prefill_tokens;
    worker.without_duration += request.prefill_duration ? 0 : 1;
  }
  return true;
}

void ActiveSequences::end_prefill(WorkerState& state, Request& request, base::SteadyTime now) {
  if (!request.prefill) return;
  const auto prefill = *std::exchange(request.prefill, std::nullopt);
  if (prefill == state.prefills.begin()) {
    state.oldest_since = now;
  } else if (prefill->duration) {
    // The time it took was not the oldest one's.
    state.oldest_since = std::min(
        now, state.oldest_since +
                 std::chrono::duration_cast<base::SteadyTime::duration>(*prefill->duration));
  }
  state.prefill_tokens -= prefill->tokens;
  state.without_duration -= prefill->duration ? 0 : 1;
  state.prefills.erase(prefill);
}

std::uint64_t ActiveSequences::owed(const WorkerState& state, base::SteadyTime now) {
  std::uint64_t owed = state.prefill_tokens;
  std::chrono::nanoseconds elapsed = now - state.oldest_since;
  for (const Prefill& prefill : state.prefills) {
    if (!prefill.duration || elapsed.count() <= 0) break;
    if (elapsed < *prefill.duration) {
      const double done =
          static_cast<double>(elapsed.count()) / static_cast<double>(prefill.duration->count());
      owed -= std::min(prefill.tokens,
                       static_cast<std::uint64_t>(static_cast<double>(prefill.tokens) * done));
      break;
    }
    owed -= prefill.tokens;
    elapsed -= *prefill.duration;
    if (state.without_duration != 0) break;
  }
  return owed;
}

bool ActiveSequences::complete_prefill(std::string_view request_id, base::SteadyTime now) {
  const auto found = requests_.find(request_id);
  if (found == requests_.end()) return false;
  end_prefill(states_[slots_.at(found->second.worker)], found->second, now);
  return true;
}

bool ActiveSequences::add_output_block(std::string_view request_id,
                                       std::optional<double> remaining) {
  const auto found = requests_.find(request_id);
  if (found == requests_.end()) return false;
  Request& request = found->second;
  const std::uint32_t slot = slots_.at(request.worker);
  WorkerState& state = states_[slot];
  ++request.own_blocks;
  const Weight before = request.own_weight;
  if (!remaining) {
    request.own_weight += kWhole;
  } else {
    const double part = std::isfinite(*remaining) ? std::clamp(*remaining, 0.0, 1.0) : 1.0;
    const auto weight = static_cast<Weight>(std::llround(part * static_cast<double>(kWhole)));
    request.own_weight = weight * static_cast<Weight>(request.own_blocks);
    for (const tokens::SequenceHash block : request.prompt) {
      for (Use& use : blocks_.at(block)) {
        if (use.slot != slot || use.requests != 1) continue;
        state.blocks += weight - use.weight;
        use.weight = weight;
      }
    }
  }
  state.blocks += request.own_weight - before;
  return true;
}

void ActiveSequences::erase(Requests::iterator at, base::SteadyTime now) {
  Request& request = at->second;
  const std::uint32_t slot = slots_.at(request.worker);
  for (const tokens::SequenceHash block : request.prompt) leave(slot, block);
  states_[slot].blocks -= request.own_weight;
  end_prefill(states_[slot], request, now);
  --states_[slot].requests;
  by_age_.erase(request.age);
  requests_.erase(at);
}

bool ActiveSequences::free(std::string_view request_id, base::SteadyTime now) {
  const auto found = requests_.find(request_id);
  if (found == requests_.end()) return false;
  erase(found, now);
  return true;
}

std::size_t ActiveSequences::expire(base::SteadyTime now) {
  std::size_t freed = 0;
  while (!by_age_.empty()) {
    const auto oldest = requests_.find(*by_age_.front());
    if (now - oldest->second.added <= options_.request_expiry) break;
    erase(oldest, now);
    ++freed;
  }
  return freed;
}

ActiveLoad ActiveSequences::load(WorkerKey worker) const {
  const auto found = slots_.find(worker);
  if (found == slots_.end()) return {};
  const WorkerState& state = states_[found->second];
  return {.decode_blocks = static_cast<std::uint64_t>((state.blocks + kWhole / 2) / kWhole),
          .prefill_tokens = state.prefill_tokens,
          .requests = state.requests};
}

ActiveLoad ActiveSequences::load(WorkerKey worker, base::SteadyTime now) const {
  ActiveLoad out = load(worker);
  const auto found = slots_.find(worker);
  if (found != slots_.end()) out.prefill_tokens = owed(states_[found->second], now);
  return out;
}

std::optional<std::uint64_t> ActiveSequences::router_of(std::string_view request_id) const {
  const auto found = requests_.find(request_id);
  return found == requests_.end() ? std::nullopt : std::optional(found->second.router);
}

std::span<const std::uint32_t> ActiveSequences::additional_blocks(
    std::span<const tokens::SequenceHash> prompt) {
  const auto count = static_cast<std::uint32_t>(prompt.size());
  additional_.assign(workers_.size(), count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto found = blocks_.find(prompt[i]);
    if (found == blocks_.end()) break;
    bool anyone = false;
    for (const Use& use : found->second) {
      if (additional_[use.slot] != count - i) continue;  // it missed an earlier block
      --additional_[use.slot];
      anyone = true;
    }
    if (!anyone) break;
  }
  return additional_;
}

}  // namespace dynamo::kv_router
