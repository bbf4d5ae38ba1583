// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/replica_sync.h>

#include <algorithm>
#include <iterator>

namespace dynamo::kv_router {

ReplicaSync::ReplicaSync(ReplicaSyncOptions options) : options_(options) {}

void ReplicaSync::push(ActiveSequenceEvent event, base::SteadyTime now) {
  if (queue_.size() >= options_.queue_events_max) {
    ++stats_.dropped;
    return;
  }
  if (queue_.empty()) oldest_ = now;
  event.router_id = options_.router_id;
  queue_.push_back(std::move(event));
}

void ReplicaSync::added(const ActiveRequest& request, std::uint64_t isl_tokens,
                        std::optional<std::uint32_t> expected_output_tokens, base::SteadyTime now) {
  SequenceAdded added;
  if (!request.prompt.empty())
    added.token_sequence.emplace(request.prompt.begin(), request.prompt.end());
  added.expected_output_tokens = expected_output_tokens;
  if (options_.generation == WireGeneration::v0_9) {
    const std::uint64_t cached = isl_tokens - std::min(isl_tokens, request.prefill_tokens);
    added.load = PromptLength{.isl_tokens = isl_tokens,
                              .overlap_blocks = static_cast<std::uint32_t>(
                                  cached / std::max<std::uint32_t>(1, options_.block_size_tokens))};
  } else {
    added.load = PrefillLoad{.track_prefill_tokens = true,
                             .hint = PrefillLoadHint{.tokens = request.prefill_tokens,
                                                     .duration = request.prefill_duration}};
  }
  push({.request_id = request.request_id,
        .worker = request.worker,
        .data = std::move(added),
        .lora_name = {}},
       now);
}

void ReplicaSync::prefill_completed(std::string_view request_id, WorkerKey worker,
                                    base::SteadyTime now) {
  push({.request_id = std::string(request_id),
        .worker = worker,
        .data = PrefillCompleted{},
        .lora_name = {}},
       now);
}

void ReplicaSync::freed(std::string_view request_id, WorkerKey worker, base::SteadyTime now) {
  push({.request_id = std::string(request_id),
        .worker = worker,
        .data = SequenceFreed{},
        .lora_name = {}},
       now);
}

std::optional<base::SteadyTime> ReplicaSync::next_deadline() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.size() >= options_.batch_events_max ? oldest_ : oldest_ + options_.batch_delay;
}

std::vector<ActiveSequenceEvent> ReplicaSync::take_batch(base::SteadyTime now) {
  std::vector<ActiveSequenceEvent> out;
  const bool single = options_.generation == WireGeneration::v0_9;
  const auto due = next_deadline();
  if (!due || (!single && *due > now)) return out;
  const std::size_t count =
      single ? 1 : std::min(queue_.size(), std::max<std::size_t>(1, options_.batch_events_max));
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  out.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  stats_.sent += count;
  return out;
}

void ReplicaSync::receive(const ActiveSequenceEvent& event, ActiveSequences& active,
                          base::SteadyTime now) {
  if (event.router_id == options_.router_id) {
    ++stats_.own;
    return;
  }
  bool applied = false;
  if (const auto* added = std::get_if<SequenceAdded>(&event.data)) {
    if (!active.has_worker(event.worker)) {
      ++stats_.unknown_workers;
      return;
    }
    ActiveRequest request{.request_id = event.request_id,
                          .worker = event.worker,
                          .prompt = {},
                          .router = event.router_id};
    if (added->token_sequence) request.prompt = *added->token_sequence;
    if (const auto* length = std::get_if<PromptLength>(&added->load)) {
      const std::uint64_t cached =
          std::uint64_t{length->overlap_blocks} * options_.block_size_tokens;
      request.prefill_tokens = length->isl_tokens - std::min(length->isl_tokens, cached);
    } else {
      const auto& load = std::get<PrefillLoad>(added->load);
      if (load.track_prefill_tokens && load.hint) {
        request.prefill_tokens = load.hint->tokens;
        request.prefill_duration = load.hint->duration;
      }
    }
    applied = active.add(request, now);
  } else if (active.router_of(event.request_id) == event.router_id) {
    applied = std::holds_alternative<SequenceFreed>(event.data)
                  ? active.free(event.request_id, now)
                  : active.complete_prefill(event.request_id, now);
  }
  ++(applied ? stats_.applied : stats_.refused);
}

}  // namespace dynamo::kv_router
