// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/context.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::runtime {
namespace context_test {
namespace {

using State = Context::State;

TEST(Context, IsLiveUntilItIsStopped) {
  const auto context = Context::create("r1", Deadline::never());
  EXPECT_EQ(context->id(), "r1");
  EXPECT_EQ(context->state(), State::live);
  EXPECT_FALSE(context->is_stopped());
  context->stop();
  EXPECT_TRUE(context->is_stopped());
  EXPECT_FALSE(context->is_killed());
}

TEST(Context, StopAfterKillDoesNotDowngrade) {
  const auto context = Context::create("r1");
  context->kill();
  context->stop();
  EXPECT_EQ(context->state(), State::killed);
}

TEST(Context, StopCallbackRunsOnceForStopAndKill) {
  const auto context = Context::create("r1");
  int stops = 0;
  int kills = 0;
  const auto on_stop = context->on_stop([&] { ++stops; });
  const auto on_kill = context->on_kill([&] { ++kills; });
  context->stop();
  context->stop();
  EXPECT_EQ(stops, 1);
  EXPECT_EQ(kills, 0);
  context->kill();
  EXPECT_EQ(stops, 1);
  EXPECT_EQ(kills, 1);
}

TEST(Context, KillOfALiveContextRunsBothKindsStopFirst) {
  const auto context = Context::create("r1");
  std::vector<std::string> order;
  const auto on_kill = context->on_kill([&] { order.push_back("kill"); });
  const auto on_stop = context->on_stop([&] { order.push_back("stop"); });
  context->kill();
  EXPECT_EQ(order, (std::vector<std::string>{"stop", "kill"}));
}

TEST(Context, CallbackOfAStoppedContextRunsAtOnce) {
  const auto context = Context::create("r1");
  context->stop();
  bool stopped = false;
  bool killed = false;
  const auto on_stop = context->on_stop([&] { stopped = true; });
  const auto on_kill = context->on_kill([&] { killed = true; });
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(killed);
}

TEST(Context, StopReachesTheTreeBelowAndChildrensCallbacksRunFirst) {
  const auto root = Context::create("root");
  const auto child = root->child("child");
  const auto leaf = child->child("leaf");
  const auto other = Context::create("other");
  std::vector<std::string> order;
  const auto a = root->on_stop([&] { order.push_back("root"); });
  const auto b = child->on_stop([&] { order.push_back("child"); });
  const auto c = leaf->on_stop([&] { order.push_back("leaf"); });
  root->stop();
  EXPECT_EQ(order, (std::vector<std::string>{"leaf", "child", "root"}));
  EXPECT_FALSE(other->is_stopped());
}

TEST(Context, StoppingAChildLeavesItsParentAlone) {
  const auto root = Context::create("root");
  const auto child = root->child("child");
  child->kill();
  EXPECT_FALSE(root->is_stopped());
}

TEST(Context, ChildOfAStoppedContextIsBornStopped) {
  const auto root = Context::create("root");
  root->kill();
  EXPECT_TRUE(root->child("late")->is_killed());
}

TEST(Context, ChildInheritsDeadlineAndMetadata) {
  const auto deadline = Deadline::after(std::chrono::seconds(5));
  const auto root = Context::create("root", deadline);
  root->metadata()["tenant"] = "a";
  const auto child = root->child("child");
  EXPECT_EQ(child->deadline().time(), deadline.time());
  EXPECT_EQ(child->metadata().at("tenant"), "a");
}

TEST(Context, ParentDoesNotKeepItsChildren) {
  const auto root = Context::create("root");
  std::weak_ptr<Context> child = root->child("child");
  EXPECT_TRUE(child.expired());
  root->stop();
}

TEST(Context, ChildKeepsItsParent) {
  auto root = Context::create("root");
  const std::weak_ptr<Context> weak = root;
  auto child = root->child("child");
  root.reset();
  EXPECT_FALSE(weak.expired());
  child.reset();
  EXPECT_TRUE(weak.expired());
}

TEST(Context, DroppedSubscriptionIsNotCalled) {
  const auto context = Context::create("r1");
  bool called = false;
  {
    const auto subscription = context->on_stop([&] { called = true; });
  }
  context->stop();
  EXPECT_FALSE(called);
}

TEST(Context, DroppedSubscriptionFreesWhatItsCallbackHeld) {
  const auto context = Context::create("r1");
  auto held = std::make_shared<int>(1);
  auto subscription = context->on_stop([held] {});
  EXPECT_EQ(held.use_count(), 2);
  subscription.reset();
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Context, SubscriptionMayOutliveItsContext) {
  auto context = Context::create("r1");
  auto subscription = context->on_stop([] {});
  context.reset();
  subscription.reset();
}

TEST(Context, CallbackMayDropItsOwnSubscription) {
  const auto context = Context::create("r1");
  std::optional<Context::Subscription> subscription;
  bool called = false;
  subscription = context->on_stop([&] {
    called = true;
    subscription.reset();
  });
  context->stop();
  EXPECT_TRUE(called);
}

TEST(Context, CallbackMayDropAnotherSubscriptionThatThenDoesNotRun) {
  const auto context = Context::create("r1");
  std::optional<Context::Subscription> second;
  bool second_called = false;
  const auto first = context->on_stop([&] { second.reset(); });
  second = context->on_stop([&] { second_called = true; });
  context->stop();
  EXPECT_FALSE(second_called);
}

TEST(Context, CallbackMayDropTheLastReference) {
  auto context = Context::create("r1");
  auto* raw = context.get();
  const auto subscription = context->on_stop([&] { context.reset(); });
  raw->stop();
  EXPECT_EQ(context, nullptr);
}

TEST(Context, CallbacksThatStopEachOtherDoNotDeadlock) {
  const auto a = Context::create("a");
  const auto b = Context::create("b");
  const auto on_a = a->on_stop([&] { b->stop(); });
  const auto on_b = b->on_stop([&] { a->stop(); });
  std::thread other([&] { b->stop(); });
  a->stop();
  other.join();
  EXPECT_TRUE(a->is_stopped());
  EXPECT_TRUE(b->is_stopped());
}

TEST(Context, DroppingASubscriptionWaitsForItsRunningCallback) {
  const auto context = Context::create("r1");
  std::latch entered(1);
  std::latch leave(1);
  bool ended = false;  // not atomic: the wait must order it
  auto subscription = context->on_stop([&] {
    entered.count_down();
    leave.wait();
    ended = true;
  });
  std::thread stopper([&] { context->stop(); });
  entered.wait();
  std::thread releaser([&] { leave.count_down(); });
  subscription.reset();
  EXPECT_TRUE(ended);
  stopper.join();
  releaser.join();
}

TEST(Context, ManyThreadsMayUseOneTree) {
  for (int round = 0; round < 50; ++round) {
    const auto root = Context::create("root");
    std::atomic<int> calls{0};
    std::atomic<int> dropped{0};
    std::latch begin(4);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        begin.arrive_and_wait();
        for (int i = 0; i < 20; ++i) {
          const auto child = root->child("child");
          auto kept = child->on_stop([&] { calls.fetch_add(1); });
          auto lost = root->on_kill([&] { dropped.fetch_add(1); });
          lost.reset();
          if (t == 0 && i == 10) root->stop();
          if (t == 1 && i == 15) root->kill();
          if (t == 2) child->kill();
          kept.reset();
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_TRUE(root->is_killed());
    EXPECT_TRUE(root->child("late")->is_killed());
    EXPECT_GE(calls.load(), 20);  // at least those that their own thread killed
  }
}

}  // namespace
}  // namespace context_test
}  // namespace dynamo::runtime
