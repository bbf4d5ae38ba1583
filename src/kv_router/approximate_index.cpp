// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/approximate_index.h>

#include <algorithm>
#include <utility>

namespace dynamo::kv_router {
namespace {

base::SteadyTime round_up(base::SteadyTime time) {
  const auto step =
      std::chrono::duration_cast<base::SteadyTime::duration>(ApproximateIndex::kExpiryStep);
  const auto past = time.time_since_epoch() % step;
  return past.count() == 0 ? time : time + (step - past);
}

}  // namespace

ApproximateIndex::ApproximateIndex(ApproximateIndexOptions options)
    : ttl_(options.ttl), index_(options.index) {}
ApproximateIndex::~ApproximateIndex() = default;

void ApproximateIndex::routed(WorkerKey worker, std::span<const LocalHash> blocks,
                              std::span<const tokens::SequenceHash> names, base::SteadyTime now) {
  const std::size_t count = std::min(blocks.size(), names.size());
  if (count == 0) return;
  KvStored stored;
  Batch batch{.expires = round_up(now + ttl_), .worker = worker, .worker_life = 0, .names = {}};
  stored.blocks.reserve(count);
  batch.names.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const EngineHash name{std::to_underlying(names[i])};
    stored.blocks.push_back({name, blocks[i], std::nullopt});
    batch.names.push_back(name);
  }
  const ApplyStatus status = index_.store(worker, stored);
  if (status != ApplyStatus::applied && status != ApplyStatus::duplicate) return;
  Worker& state = workers_[worker];
  if (state.life == 0) state.life = next_life_++;
  batch.worker_life = state.life;
  for (const EngineHash name : batch.names) state.expires[std::to_underlying(name)] = batch.expires;
  batches_.push_back(std::move(batch));
}

void ApproximateIndex::remove_worker(WorkerId worker) {
  index_.remove_worker(worker);
  std::erase_if(workers_, [&](const auto& entry) { return entry.first.worker == worker; });
}

std::size_t ApproximateIndex::expire(base::SteadyTime now) {
  std::size_t forgotten = 0;
  for (; !batches_.empty() && batches_.front().expires <= now; batches_.pop_front()) {
    Batch& batch = batches_.front();
    const auto found = workers_.find(batch.worker);
    if (found == workers_.end() || found->second.life != batch.worker_life) continue;
    auto& expires = found->second.expires;
    // Blocks that were renewed meanwhile stand in a later batch; they are always a prefix.
    std::erase_if(batch.names, [&](EngineHash name) {
      const auto entry = expires.find(std::to_underlying(name));
      if (entry == expires.end() || entry->second > now) return true;
      expires.erase(entry);
      return false;
    });
    std::reverse(batch.names.begin(), batch.names.end());
    // Some may have gone already, to make room.
    static_cast<void>(index_.remove(batch.worker, batch.names));
    forgotten += batch.names.size();
    if (expires.empty()) workers_.erase(found);
  }
  return forgotten;
}

std::optional<base::SteadyTime> ApproximateIndex::next_expiry() const {
  if (batches_.empty()) return std::nullopt;
  return batches_.front().expires;
}

}  // namespace dynamo::kv_router
