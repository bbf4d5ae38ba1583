// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/approximate_index.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace dynamo::kv_router {
namespace {

// Renewed names stay in their former batches until there are as many as valid ones, and this many
// more.
constexpr std::size_t kStaleNames = 1 << 14;

base::SteadyTime round_up(base::SteadyTime time) {
  const auto step =
      std::chrono::duration_cast<base::SteadyTime::duration>(ApproximateIndex::kExpiryStep);
  const auto past = time.time_since_epoch() % step;
  return past.count() == 0 ? time : time + (step - past);
}

}  // namespace

ApproximateIndex::ApproximateIndex(ApproximateIndexOptions options)
    : options_(options), index_(options.index) {}
ApproximateIndex::~ApproximateIndex() = default;

void ApproximateIndex::routed(WorkerKey worker, std::span<const LocalHash> blocks,
                              std::span<const tokens::SequenceHash> names, base::SteadyTime now) {
  const std::size_t count = std::min(blocks.size(), names.size());
  if (count == 0) return;
  KvStored stored;
  Batch batch{.number = next_number_,
              .expires = round_up(now + options_.ttl),
              .worker = worker,
              .names = {}};
  stored.blocks.reserve(count);
  batch.names.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const EngineHash name{std::to_underlying(names[i])};
    stored.blocks.push_back({name, blocks[i], std::nullopt});
    batch.names.push_back(name);
  }
  const ApplyStatus status = index_.store(worker, stored);
  if (status != ApplyStatus::applied && status != ApplyStatus::duplicate) return;
  ++next_number_;
  Blocks& held = workers_[worker];
  for (const EngineHash name : batch.names)
    held_ += held.insert_or_assign(std::to_underlying(name), batch.number).second ? 1 : 0;
  batched_ += count;
  batches_.push_back(std::move(batch));
  if (held_ > options_.blocks_max) prune();
  if (batched_ > 2 * held_ + kStaleNames) compact();
}

void ApproximateIndex::remove_worker(WorkerId worker) {
  index_.remove_worker(worker);
  std::erase_if(workers_, [&](const auto& entry) {
    if (entry.first.worker != worker) return false;
    held_ -= entry.second.size();
    return true;
  });
}

std::size_t ApproximateIndex::forget(Batch& batch, std::size_t most) {
  const auto found = workers_.find(batch.worker);
  if (found == workers_.end()) return 0;
  // What was renewed meanwhile is always a prefix; so from the end.
  std::vector<EngineHash> gone;
  while (gone.size() < most && !batch.names.empty()) {
    const EngineHash name = batch.names.back();
    batch.names.pop_back();
    --batched_;
    const auto entry = found->second.find(std::to_underlying(name));
    if (entry == found->second.end() || entry->second != batch.number) continue;
    found->second.erase(entry);
    gone.push_back(name);
  }
  held_ -= gone.size();
  // Some may have gone already, for want of memory.
  if (!gone.empty()) static_cast<void>(index_.remove(batch.worker, gone));
  if (found->second.empty()) workers_.erase(found);
  return gone.size();
}

void ApproximateIndex::pop_batch() {
  batched_ -= batches_.front().names.size();
  batches_.pop_front();
}

std::size_t ApproximateIndex::expire(base::SteadyTime now) {
  std::size_t forgotten = 0;
  if (options_.policy == ApproximatePolicy::lru) return forgotten;
  for (; !batches_.empty() && batches_.front().expires <= now; pop_batch())
    forgotten += forget(batches_.front(), std::numeric_limits<std::size_t>::max());
  return forgotten;
}

void ApproximateIndex::prune() {
  const double ratio = std::clamp(options_.prune_target_ratio, 0.0, 1.0);
  const auto target = static_cast<std::size_t>(ratio * static_cast<double>(options_.blocks_max));
  while (held_ > target && !batches_.empty()) {
    forget(batches_.front(), held_ - target);
    if (batches_.front().names.empty() || !workers_.contains(batches_.front().worker)) pop_batch();
  }
}

void ApproximateIndex::compact() {
  std::deque<Batch> kept;
  batched_ = 0;
  for (Batch& batch : batches_) {
    const auto found = workers_.find(batch.worker);
    if (found == workers_.end()) continue;
    std::erase_if(batch.names, [&](EngineHash name) {
      const auto entry = found->second.find(std::to_underlying(name));
      return entry == found->second.end() || entry->second != batch.number;
    });
    if (batch.names.empty()) continue;
    batched_ += batch.names.size();
    kept.push_back(std::move(batch));
  }
  batches_ = std::move(kept);
}

std::optional<base::SteadyTime> ApproximateIndex::next_expiry() const {
  if (batches_.empty() || options_.policy == ApproximatePolicy::lru) return std::nullopt;
  return batches_.front().expires;
}

}  // namespace dynamo::kv_router
