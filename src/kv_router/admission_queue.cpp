// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/admission_queue.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace dynamo::kv_router {
namespace {

// max_num_batched_tokens of a worker that does not say.
constexpr std::uint64_t kBatchedTokensUnknown = 10'000'000;

Error refused(std::string_view reason, std::uint64_t limit) {
  return Error(Errc::overloaded, "queue rejected: " + std::string(reason) + " of " +
                                     std::to_string(limit) + " reached")
      .with_reason(std::string(reason));
}

// limit per worker times workers, saturating.
std::uint64_t in_all(std::uint64_t limit, std::size_t workers) noexcept {
  const std::uint64_t count = std::max<std::uint64_t>(1, workers);
  return limit > std::numeric_limits<std::uint64_t>::max() / count
             ? std::numeric_limits<std::uint64_t>::max()
             : limit * count;
}

bool exceeds(std::uint64_t pending, std::uint64_t more, std::uint64_t limit) noexcept {
  return more > limit || pending > limit - more;
}

}  // namespace

Result<QueuePolicy> parse_queue_policy(std::string_view name) {
  if (name == "fcfs") return QueuePolicy::fcfs;
  if (name == "lcfs") return QueuePolicy::lcfs;
  if (name == "wspt") return QueuePolicy::wspt;
  return fail(Errc::invalid_argument, "router_queue_policy must be fcfs, lcfs or wspt, got '" +
                                          std::string(name.substr(0, 40)) + "'");
}

double queue_score(QueuePolicy policy, double priority_jump, double arrival_s,
                   std::uint64_t new_tokens) noexcept {
  const double jump = std::isfinite(priority_jump) ? std::max(priority_jump, 0.0) : 0.0;
  switch (policy) {
    case QueuePolicy::fcfs:
      return jump - arrival_s;
    case QueuePolicy::lcfs:
      return jump + arrival_s;
    case QueuePolicy::wspt:
      return (1.0 + jump) / static_cast<double>(std::max<std::uint64_t>(1, new_tokens));
  }
  return 0;
}

bool BusyThreshold::busy(std::uint64_t active_tokens,
                         std::optional<std::uint64_t> max_num_batched_tokens) const noexcept {
  if (tokens && active_tokens > *tokens) return true;
  return fraction && static_cast<double>(active_tokens) >
                         *fraction * static_cast<double>(
                                         max_num_batched_tokens.value_or(kBatchedTokensUnknown));
}

PolicyProfile PolicyProfile::single(PolicyClass only) {
  only.family = "default";
  only.cache_bucket = "all";
  return {.default_family = "default",
          .buckets = {{.min_tokens = 0, .name = "all"}},
          .classes = {std::move(only)}};
}

Result<void> PolicyProfile::validate() const {
  const auto wrong = [](const std::string& what) {
    return fail(Errc::invalid_argument, "router policy: " + what);
  };
  if (classes.empty()) return wrong("there must be a class");
  if (buckets.empty() || buckets.front().min_tokens != 0)
    return wrong("the first bucket must begin at 0 tokens");
  for (std::size_t i = 1; i < buckets.size(); ++i)
    if (buckets[i].min_tokens <= buckets[i - 1].min_tokens)
      return wrong("bucket " + buckets[i].name + " must begin above the one before");
  std::set<std::string> names;
  std::set<std::string> families;
  std::set<std::pair<std::string, std::string>> pairs;
  for (const PolicyClass& one : classes) {
    if (one.name.empty() || !names.insert(one.name).second)
      return wrong("classes need distinct names, '" + one.name + "' is not");
    if (one.quantum == 0) return wrong("class " + one.name + ": quantum must be positive");
    if (one.threshold.fraction &&
        (!std::isfinite(*one.threshold.fraction) || *one.threshold.fraction < 0))
      return wrong("class " + one.name + ": the busy threshold must be finite and not negative");
    if (one.family.empty() != one.cache_bucket.empty())
      return wrong("class " + one.name + " needs both a family and a bucket, or neither");
    if (one.family.empty()) continue;
    families.insert(one.family);
    if (std::ranges::find(buckets, one.cache_bucket, &Bucket::name) == buckets.end())
      return wrong("class " + one.name + " names an unknown bucket " + one.cache_bucket);
    if (!pairs.emplace(one.family, one.cache_bucket).second)
      return wrong("class " + one.name + " is the second of its family and bucket");
  }
  if (!families.contains(default_family))
    return wrong("no class belongs to the default family '" + default_family + "'");
  for (const std::string& family : families)
    for (const Bucket& bucket : buckets)
      if (!pairs.contains({family, bucket.name}))
        return wrong("family " + family + " has no class for bucket " + bucket.name);
  return {};
}

std::size_t PolicyProfile::class_of(std::string_view name_or_family,
                                    std::uint64_t uncached_tokens) const {
  std::string_view family = default_family;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i].family.empty() && classes[i].name == name_or_family) return i;
    if (!name_or_family.empty() && classes[i].family == name_or_family) family = name_or_family;
  }
  std::string_view bucket;
  for (const Bucket& one : buckets)
    if (one.min_tokens <= uncached_tokens) bucket = one.name;
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (classes[i].family == family && classes[i].cache_bucket == bucket) return i;
  return 0;
}

bool AdmissionQueue::Order::operator<(const Order& other) const noexcept {
  if (strict_priority != other.strict_priority) return strict_priority > other.strict_priority;
  if (score != other.score) return score > other.score;
  return ticket < other.ticket;
}

AdmissionQueue::AdmissionQueue(PolicyProfile profile, base::SteadyTime start)
    : profile_(std::move(profile)), start_(start), classes_(profile_.classes.size()) {}
AdmissionQueue::~AdmissionQueue() = default;

bool AdmissionQueue::must_wait(std::size_t policy_class, bool all_workers_busy) const noexcept {
  return profile_.classes[policy_class].threshold.any() &&
         (classes_[policy_class].pending.requests != 0 || all_workers_busy);
}

Result<QueueTicket> AdmissionQueue::push(const WaitingRequest& request,
                                         std::size_t eligible_workers) {
  const PolicyClass& rules = profile_.classes[request.policy_class];
  ClassState& state = classes_[request.policy_class];
  const auto check = [&](std::optional<std::uint64_t> limit, std::uint64_t pending,
                         std::uint64_t more, std::string_view reason) -> Result<void> {
    if (!limit) return {};
    const std::uint64_t total = in_all(*limit, eligible_workers);
    return exceeds(pending, more, total) ? fail(refused(reason, total)) : Result<void>{};
  };
  DYN_CHECK(check(rules.requests_max, state.pending.requests, 1, "request_limit"));
  DYN_CHECK(check(rules.isl_tokens_max, state.pending.isl_tokens, request.isl_tokens,
                  "raw_isl_token_limit"));
  DYN_CHECK(check(rules.cached_tokens_max, state.pending.cached_tokens, request.cached_tokens,
                  "cached_token_limit"));
  const double arrival_s = std::chrono::duration<double>(request.arrival - start_).count();
  const Order order{.strict_priority = request.strict_priority,
                    .score = queue_score(rules.policy, request.priority_jump, arrival_s,
                                         request.uncached_tokens()),
                    .ticket = next_ticket_++};
  Lane& lane = request.pinned ? state.pinned[*request.pinned] : state.shared;
  lane.emplace(order, request);
  waiting_[order.ticket] = {request.policy_class, request.pinned, order};
  ++state.pending.requests;
  state.pending.isl_tokens += request.isl_tokens;
  state.pending.cached_tokens += request.cached_tokens;
  return QueueTicket{order.ticket};
}

void AdmissionQueue::forget(std::size_t policy_class, const WaitingRequest& request) {
  ClassState& state = classes_[policy_class];
  --state.pending.requests;
  state.pending.isl_tokens -= request.isl_tokens;
  state.pending.cached_tokens -= request.cached_tokens;
  if (request.pinned) {
    const auto lane = state.pinned.find(*request.pinned);
    if (lane != state.pinned.end() && lane->second.empty()) state.pinned.erase(lane);
  }
  // Who has nothing to send saves nothing up.
  if (state.pending.requests == 0) state.deficit = 0;
}

bool AdmissionQueue::remove(QueueTicket ticket) {
  const auto found = waiting_.find(static_cast<std::uint64_t>(ticket));
  if (found == waiting_.end()) return false;
  const Place place = found->second;
  waiting_.erase(found);
  ClassState& state = classes_[place.policy_class];
  Lane& lane = place.pinned ? state.pinned.at(*place.pinned) : state.shared;
  const auto node = lane.extract(place.order);
  forget(place.policy_class, node.mapped());
  return true;
}

AdmissionQueue::Lane* AdmissionQueue::first_with_room(
    ClassState& state, const std::function<bool(const WaitingRequest&)>& has_room) {
  Lane* best = nullptr;
  const auto consider = [&](Lane& lane) {
    if (lane.empty()) return;
    if (best != nullptr && best->begin()->first < lane.begin()->first) return;
    if (has_room(lane.begin()->second)) best = &lane;
  };
  consider(state.shared);
  for (auto& [worker, lane] : state.pinned) consider(lane);
  return best;
}

AdmissionQueue::Next AdmissionQueue::take(std::size_t policy_class, Lane& lane) {
  auto node = lane.extract(lane.begin());
  waiting_.erase(node.key().ticket);
  Next out{QueueTicket{node.key().ticket}, node.mapped()};
  forget(policy_class, out.request);
  return out;
}

std::optional<AdmissionQueue::Next> AdmissionQueue::next(
    const std::function<bool(const WaitingRequest&)>& has_room) {
  std::vector<Lane*> heads(classes_.size());
  bool anyone = false;
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    heads[i] = first_with_room(classes_[i], has_room);
    anyone = anyone || heads[i] != nullptr;
  }
  if (!anyone) return std::nullopt;
  const auto cost = [&](std::size_t i) {
    return std::max<std::uint64_t>(1, heads[i]->begin()->second.uncached_tokens());
  };
  // Rounds in which nobody could afford its first request pass at once.
  std::uint64_t rounds = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    if (heads[i] == nullptr) continue;
    const std::uint64_t quantum = profile_.classes[i].quantum;
    const std::uint64_t missing = cost(i) - std::min(cost(i), classes_[i].deficit);
    rounds = std::min(rounds, missing / quantum + (missing % quantum != 0 ? 1 : 0));
  }
  for (std::size_t i = 0; rounds > 1 && i < classes_.size(); ++i)
    if (heads[i] != nullptr) classes_[i].deficit += (rounds - 1) * profile_.classes[i].quantum;
  while (true) {
    if (heads[turn_] != nullptr) {
      if (!turn_paid_) {
        classes_[turn_].deficit += profile_.classes[turn_].quantum;
        turn_paid_ = true;
      }
      if (cost(turn_) <= classes_[turn_].deficit) {
        classes_[turn_].deficit -= cost(turn_);
        return take(turn_, *heads[turn_]);
      }
    }
    turn_ = (turn_ + 1) % classes_.size();
    turn_paid_ = false;
  }
}

}  // namespace dynamo::kv_router
