// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/admission_queue.h>

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::admission_queue_test {
namespace {

using std::chrono::seconds;
constexpr WorkerKey kWorker{WorkerId{1}, DpRank{0}};

PolicyClass one_class(std::string name, std::uint64_t quantum = 100) {
  PolicyClass out;
  out.name = std::move(name);
  out.quantum = quantum;
  out.threshold.tokens = 0;
  return out;
}
bool always(const WaitingRequest&) {
  return true;
}
WaitingRequest waiting(std::uint64_t isl, int arrival_s = 0) {
  return {.isl_tokens = isl, .arrival = base::SteadyTime{seconds(arrival_s)}};
}

// The isl of requests as they leave.
std::vector<std::uint64_t> order_of(AdmissionQueue& queue) {
  std::vector<std::uint64_t> out;
  while (const auto next = queue.next(always)) out.push_back(next->request.isl_tokens);
  return out;
}

TEST(AdmissionQueue, PoliciesOrderByArrivalOrLength) {
  using Order = std::vector<std::uint64_t>;
  const std::map<QueuePolicy, Order> expected{{QueuePolicy::fcfs, {30, 10, 20}},
                                              {QueuePolicy::lcfs, {20, 10, 30}},
                                              {QueuePolicy::wspt, {10, 20, 30}}};
  for (const auto& [policy, order] : expected) {
    PolicyClass only = one_class("only");
    only.policy = policy;
    AdmissionQueue queue(PolicyProfile::single(only), {});
    ASSERT_TRUE(queue.push(waiting(30, 1), 1));
    ASSERT_TRUE(queue.push(waiting(10, 2), 1));
    ASSERT_TRUE(queue.push(waiting(20, 3), 1));
    EXPECT_EQ(order_of(queue), order);
  }
}

TEST(AdmissionQueue, StrictPriorityComesBeforeTheScoreAndArrivalAmongEquals) {
  AdmissionQueue queue(PolicyProfile::single(one_class("only")), {});
  WaitingRequest urgent = waiting(3, 9);
  urgent.strict_priority = 1;
  WaitingRequest jumping = waiting(4, 9);
  jumping.priority_jump = 10;
  ASSERT_TRUE(queue.push(waiting(1, 5), 1));
  ASSERT_TRUE(queue.push(waiting(2, 5), 1));
  ASSERT_TRUE(queue.push(jumping, 1));
  ASSERT_TRUE(queue.push(urgent, 1));
  EXPECT_EQ(order_of(queue), (std::vector<std::uint64_t>{3, 4, 1, 2}));
}

TEST(AdmissionQueue, WaitsOnlyWithAThresholdAndABacklogOrBusyWorkers) {
  PolicyClass open = one_class("open");
  open.threshold = {};
  AdmissionQueue never(PolicyProfile::single(open), {});
  EXPECT_FALSE(never.must_wait(0, true));
  AdmissionQueue queue(PolicyProfile::single(one_class("only")), {});
  EXPECT_FALSE(queue.must_wait(0, false));
  EXPECT_TRUE(queue.must_wait(0, true));
  ASSERT_TRUE(queue.push(waiting(1), 1));
  EXPECT_TRUE(queue.must_wait(0, false));
}

TEST(AdmissionQueue, APinnedLaneThatCannotGoHoldsUpNobodyElse) {
  AdmissionQueue queue(PolicyProfile::single(one_class("only")), {});
  WaitingRequest pinned = waiting(1, 1);
  pinned.pinned = kWorker;
  ASSERT_TRUE(queue.push(pinned, 1));
  ASSERT_TRUE(queue.push(waiting(2, 2), 1));
  ASSERT_TRUE(queue.push(waiting(3, 3), 1));
  const auto not_pinned = [](const WaitingRequest& request) { return !request.pinned; };
  EXPECT_EQ(queue.next(not_pinned)->request.isl_tokens, 2u);
  // Nobody passes the first of the lane, though.
  const auto not_first = [](const WaitingRequest& request) {
    return !request.pinned && request.isl_tokens != 3;
  };
  ASSERT_TRUE(queue.push(waiting(4, 4), 1));
  EXPECT_FALSE(queue.next(not_first));
  EXPECT_EQ(order_of(queue), (std::vector<std::uint64_t>{1, 3, 4}));
}

TEST(AdmissionQueue, ClassesShareByUncachedTokensHoweverLongTheirPrompts) {
  PolicyProfile profile{.default_family = "f",
                        .buckets = {{.min_tokens = 0, .name = "all"}},
                        .classes = {one_class("long", 300), one_class("short", 100)}};
  profile.classes[0].family = "f";
  profile.classes[0].cache_bucket = "all";
  ASSERT_TRUE(profile.validate());
  AdmissionQueue queue(profile, {});
  std::map<std::size_t, std::uint64_t> sent;
  for (int i = 0; i < 200; ++i) {
    WaitingRequest request = waiting(1000);
    ASSERT_TRUE(queue.push(request, 1));
    request = waiting(110);
    request.cached_tokens = 100;
    request.policy_class = 1;
    for (int k = 0; k < 100; ++k) ASSERT_TRUE(queue.push(request, 1));
  }
  for (std::uint64_t total = 0; total < 100'000;) {
    const auto next = queue.next(always);
    ASSERT_TRUE(next);
    sent[next->request.policy_class] += next->request.uncached_tokens();
    total += next->request.uncached_tokens();
  }
  // 3 to 1, within a prompt.
  EXPECT_NEAR(static_cast<double>(sent[0]), 75'000, 1000);
}

TEST(AdmissionQueue, LimitsArePerEligibleWorkerAndSayWhichWasReached) {
  PolicyClass only = one_class("only");
  only.requests_max = 2;
  only.isl_tokens_max = 100;
  only.cached_tokens_max = 30;
  AdmissionQueue queue(PolicyProfile::single(only), {});
  EXPECT_EQ(queue.push(waiting(201), 2).error().reason(), "raw_isl_token_limit");
  WaitingRequest cached = waiting(100);
  cached.cached_tokens = 61;
  EXPECT_EQ(queue.push(cached, 2).error().reason(), "cached_token_limit");
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(queue.push(waiting(50), 2));
  EXPECT_EQ(queue.push(waiting(0), 2).error().reason(), "request_limit");
  EXPECT_EQ(queue.pending(0).isl_tokens, 200u);
  EXPECT_EQ(order_of(queue).size(), 4u);
  EXPECT_EQ(queue.pending(0).isl_tokens, 0u);
}

TEST(AdmissionQueue, WhoeverGivesUpLeaves) {
  AdmissionQueue queue(PolicyProfile::single(one_class("only")), {});
  const QueueTicket first = queue.push(waiting(1, 1), 1).value();
  WaitingRequest pinned = waiting(2, 2);
  pinned.pinned = kWorker;
  const QueueTicket second = queue.push(pinned, 1).value();
  EXPECT_TRUE(queue.remove(first));
  EXPECT_FALSE(queue.remove(first));
  EXPECT_TRUE(queue.remove(second));
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_FALSE(queue.next(always));
}

TEST(AdmissionQueue, EverythingThatEntersLeavesOnce) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    PolicyProfile profile = PolicyProfile::single(one_class("a", 1 + rng.below(1000)));
    profile.classes.push_back(one_class("b", 1 + rng.below(10)));
    ASSERT_TRUE(profile.validate());
    AdmissionQueue queue(profile, {});
    std::map<QueueTicket, bool> in;
    for (int step = 0; step < 200; ++step) {
      if (rng.below(3) != 0) {
        WaitingRequest request = waiting(rng.below(5000), static_cast<int>(rng.below(100)));
        request.policy_class = rng.below(2);
        if (rng.below(3) == 0) request.pinned = WorkerKey{WorkerId{rng.below(3)}, DpRank{0}};
        in[queue.push(request, 4).value()] = true;
      } else if (!in.empty() && rng.below(4) == 0) {
        ASSERT_TRUE(queue.remove(in.begin()->first));
        in.erase(in.begin());
      } else {
        const std::uint64_t busy = rng.below(4);
        const auto next = queue.next([&](const WaitingRequest& request) {
          return !request.pinned || request.pinned->worker != WorkerId{busy};
        });
        if (next) ASSERT_EQ(in.erase(next->ticket), 1u);
      }
      ASSERT_EQ(queue.size(), in.size());
    }
    while (const auto next = queue.next(always)) ASSERT_EQ(in.erase(next->ticket), 1u);
    ASSERT_TRUE(in.empty());
    ASSERT_EQ(queue.pending(0).requests + queue.pending(1).requests, 0u);
  }
}

TEST(PolicyProfile, EveryFamilyAndBucketHasExactlyOneClass) {
  PolicyProfile profile{.default_family = "chat",
                        .buckets = {{0, "small"}, {1000, "large"}},
                        .classes = {one_class("a"), one_class("b"), one_class("batch")}};
  profile.classes[0].family = profile.classes[1].family = "chat";
  profile.classes[0].cache_bucket = "small";
  EXPECT_FALSE(profile.validate());  // half a pair
  profile.classes[1].cache_bucket = "small";
  EXPECT_FALSE(profile.validate());  // twice the same, and none for large
  profile.classes[1].cache_bucket = "large";
  ASSERT_TRUE(profile.validate());
  EXPECT_EQ(profile.class_of("", 999), 0u);
  EXPECT_EQ(profile.class_of("", 1000), 1u);
  EXPECT_EQ(profile.class_of("batch", 5), 2u);
  EXPECT_EQ(profile.class_of("a", 5000), 1u);  // the name of a family's class does not choose it
  profile.classes[2].quantum = 0;
  EXPECT_NE(profile.validate().error().message().find("batch"), std::string::npos);
}

}  // namespace
}  // namespace dynamo::kv_router::admission_queue_test
