// SPDX-License-Identifier: Apache-2.0
#include <dynamo/kv_router/event_order.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::event_order_test {
namespace {

using std::chrono::milliseconds;
constexpr WorkerKey kWorker{WorkerId{1}, DpRank{0}};
constexpr PublisherId kPublisher{77};

RouterEvent event(std::uint64_t id) {
  RouterEvent out;
  out.worker_id = kWorker.worker;
  out.event = {.event_id = id, .data = KvRemoved{}, .dp_rank = kWorker.rank};
  return out;
}

// What a list of actions does, in a few letters.
std::string told(const EventOrder::Actions& actions) {
  std::string out;
  for (const OrderAction& action : actions) {
    if (!out.empty()) out += ' ';
    if (const auto* apply = std::get_if<ApplyEvent>(&action)) {
      out += "apply" + std::to_string(apply->event.event.event_id);
    } else if (std::holds_alternative<ResetWorker>(action)) {
      out += "reset";
    } else {
      const auto& request = std::get<RequestRecovery>(action);
      out += request.from ? "ask" + std::to_string(*request.from) : "ask";
    }
  }
  return out;
}

RecoveryId asked(const EventOrder::Actions& actions) {
  return std::get<RequestRecovery>(actions.back()).id;
}

struct Fixture : testing::Test {
  std::string on(std::uint64_t id) {
    actions.clear();
    order.on_event(kPublisher, event(id), now, actions);
    return told(actions);
  }
  EventOrder order;
  EventOrder::Actions actions;
  base::SteadyTime now{};
};
using EventOrderTest = Fixture;

TEST_F(EventOrderTest, ASourceThatCannotBeAskedDegradesOnAGap) {
  EXPECT_EQ(on(1), "apply1");
  EXPECT_EQ(on(2), "apply2");
  EXPECT_EQ(on(2), "");
  EXPECT_EQ(on(0), "");
  EXPECT_EQ(order.freshness(kWorker), Freshness::fresh);
  EXPECT_EQ(on(4), "apply4");
  EXPECT_EQ(order.freshness(kWorker), Freshness::degraded);
  EXPECT_EQ(order.stats().stale, 2u);
  EXPECT_EQ(order.stats().gaps, 1u);
}

TEST_F(EventOrderTest, ASourceHeardInTheMiddleOfItsStreamIsDegraded) {
  EXPECT_EQ(on(40), "apply40");
  EXPECT_EQ(order.freshness(kWorker), Freshness::degraded);
  EXPECT_FALSE(order.next_deadline());
}

TEST_F(EventOrderTest, ANewSourceIsAskedForADumpAndMergedWithWhatArrivedMeanwhile) {
  order.add_source(kWorker, kPublisher, true, now, actions);
  ASSERT_EQ(told(actions), "ask");
  const RecoveryId id = asked(actions);
  EXPECT_EQ(on(5), "");
  EXPECT_EQ(on(7), "");
  EXPECT_EQ(on(6), "");
  EXPECT_EQ(order.freshness(kWorker), Freshness::recovering);
  actions.clear();
  order.recovered_dump(kWorker, id, {event(0), event(1)}, 5, now, actions);
  EXPECT_EQ(told(actions), "reset apply0 apply1 apply6 apply7");
  EXPECT_EQ(order.freshness(kWorker), Freshness::fresh);
  EXPECT_EQ(order.cursor(kWorker), 7u);
}

TEST_F(EventOrderTest, AGapIsFilledWithoutBlankingTheWorker) {
  order.add_source(kWorker, kPublisher, true, now, actions);
  order.recovered_dump(kWorker, asked(actions), {}, 3, now, actions);
  EXPECT_EQ(on(4), "apply4");
  EXPECT_EQ(on(7), "ask5");
  const RecoveryId id = asked(actions);
  EXPECT_EQ(on(8), "");
  actions.clear();
  order.recovered_events(kWorker, id, {event(5), event(6), event(7)}, 7, now, actions);
  EXPECT_EQ(told(actions), "apply5 apply6 apply7 apply8");
  // A late copy of the answer changes nothing.
  actions.clear();
  order.recovered_events(kWorker, id, {event(5)}, 5, now, actions);
  EXPECT_EQ(told(actions), "");
}

TEST_F(EventOrderTest, AGapAmongTheHeldBackEventsAsksAgain) {
  order.add_source(kWorker, kPublisher, true, now, actions);
  const RecoveryId id = asked(actions);
  static_cast<void>(on(12));
  actions.clear();
  order.recovered_dump(kWorker, id, {}, 10, now, actions);
  EXPECT_EQ(told(actions), "reset ask11");
}

TEST_F(EventOrderTest, AnOldDumpDoesNotBringBackWhatWasRemoved) {
  EXPECT_EQ(on(1), "apply1");
  actions.clear();
  order.add_source(kWorker, kPublisher, true, now, actions);
  ASSERT_EQ(told(actions), "ask2");
  const RecoveryId id = asked(actions);
  actions.clear();
  order.recovered_dump(kWorker, id, {}, 0, now, actions);
  EXPECT_EQ(told(actions), "");
  EXPECT_EQ(order.freshness(kWorker), Freshness::recovering);
}

TEST_F(EventOrderTest, AttemptsTimeOutRestAndEndDegraded) {
  order.add_source(kWorker, kPublisher, true, now, actions);
  EXPECT_EQ(on(3), "");
  for (int attempt = 1; attempt < 8; ++attempt) {
    actions.clear();
    now = *order.next_deadline();
    order.on_time(now, actions);
    EXPECT_EQ(told(actions), "");
    EXPECT_EQ(*order.next_deadline() - now, milliseconds(200 << (attempt - 1)));
    now = *order.next_deadline();
    order.on_time(now, actions);
    EXPECT_EQ(told(actions), "ask");
  }
  actions.clear();
  order.on_time(*order.next_deadline(), actions);
  EXPECT_EQ(told(actions), "apply3");
  EXPECT_EQ(order.freshness(kWorker), Freshness::degraded);
}

TEST_F(EventOrderTest, ANewPublisherBeginsANewStream) {
  EXPECT_EQ(on(100), "apply100");
  actions.clear();
  order.add_source(kWorker, PublisherId{78}, true, now, actions);
  EXPECT_EQ(told(actions), "reset ask");
  EXPECT_EQ(on(101), "");  // of the former publisher
  actions.clear();
  order.on_event(PublisherId{78}, event(1), now, actions);
  EXPECT_EQ(told(actions), "");
  EXPECT_EQ(order.freshness(kWorker), Freshness::recovering);
}

TEST(EventOrder, OnlySoManyRecoveriesRunAtOnceAndEventsHeldBackAreBounded) {
  EventOrder order({.held_back_events_max = 4, .recoveries_max = 2});
  EventOrder::Actions actions;
  for (std::uint64_t w = 0; w < 5; ++w)
    order.add_source({WorkerId{w}, DpRank{0}}, kPublisher, true, {}, actions);
  EXPECT_EQ(told(actions), "ask ask");
  const auto first = std::get<RequestRecovery>(actions[0]);
  actions.clear();
  order.recovered_dump(first.worker, first.id, {}, 0, {}, actions);
  EXPECT_EQ(told(actions), "reset ask");
  for (std::uint64_t id = 1; id <= 10; ++id) {
    RouterEvent live = event(id);
    live.worker_id = WorkerId{1};
    order.on_event(kPublisher, live, {}, actions);
  }
  EXPECT_EQ(order.stats().dropped, 6u);
}

TEST_F(EventOrderTest, ALateComerClosesTheGapBeforeTheAnswer) {
  order.add_source(kWorker, kPublisher, true, now, actions);
  order.recovered_dump(kWorker, asked(actions), {}, 3, now, actions);
  EXPECT_EQ(on(6), "ask4");
  EXPECT_EQ(on(4), "apply4");
  EXPECT_EQ(order.freshness(kWorker), Freshness::recovering);
  EXPECT_EQ(on(5), "apply5 apply6");
  EXPECT_EQ(order.freshness(kWorker), Freshness::fresh);
  EXPECT_FALSE(order.next_deadline());
}

TEST_F(EventOrderTest, AClearedEventClosesAnyGap) {
  order.add_source(kWorker, kPublisher, true, now, actions);
  order.recovered_dump(kWorker, asked(actions), {}, 3, now, actions);
  EXPECT_EQ(on(9), "ask4");
  RouterEvent cleared = event(8);
  cleared.event.data = KvCleared{};
  actions.clear();
  order.on_event(kPublisher, cleared, now, actions);
  EXPECT_EQ(told(actions), "apply8 apply9");
  EXPECT_EQ(order.freshness(kWorker), Freshness::fresh);
}

TEST_F(EventOrderTest, ADegradedSourceIsAskedForADumpFromTimeToTime) {
  order.add_source(kWorker, kPublisher, true, now, actions);
  order.recovered_dump(kWorker, asked(actions), {}, 3, now, actions);
  EXPECT_EQ(on(9), "ask4");
  while (order.freshness(kWorker) == Freshness::recovering) {
    now = *order.next_deadline();
    order.on_time(now, actions);
  }
  EXPECT_EQ(order.freshness(kWorker), Freshness::degraded);
  EXPECT_EQ(*order.next_deadline() - now, milliseconds(30'000));
  now = *order.next_deadline();
  actions.clear();
  order.on_time(now, actions);
  ASSERT_EQ(told(actions), "ask");
  const RecoveryId id = asked(actions);
  // Meanwhile it goes on as well as it can, and the dump is merged with what it did.
  EXPECT_EQ(on(10), "apply10");
  EXPECT_EQ(order.freshness(kWorker), Freshness::degraded);
  actions.clear();
  order.recovered_dump(kWorker, id, {event(0)}, 9, now, actions);
  EXPECT_EQ(told(actions), "reset apply0 apply10");
  EXPECT_EQ(order.freshness(kWorker), Freshness::fresh);
}

TEST_F(EventOrderTest, ALostSourceKeepsWhatItSaidAndIsAskedWhenItReturns) {
  EXPECT_EQ(on(1), "apply1");
  actions.clear();
  order.lose_source(kWorker, now, actions);
  EXPECT_EQ(told(actions), "");
  EXPECT_EQ(order.freshness(kWorker), Freshness::lost);
  order.add_source(kWorker, kPublisher, true, now, actions);
  EXPECT_EQ(told(actions), "ask2");
  EXPECT_EQ(order.freshness(kWorker), Freshness::recovering);
}

TEST_F(EventOrderTest, AStreamThatWentBackIsAskedForADump) {
  order.add_source(kWorker, kPublisher, true, now, actions);
  order.recovered_dump(kWorker, asked(actions), {}, 100, now, actions);
  ASSERT_EQ(on(103), "ask101");
  const RecoveryId id = asked(actions);
  actions.clear();
  order.recovery_too_new(kWorker, id, 7, now, actions);
  EXPECT_EQ(told(actions), "reset ask");
  EXPECT_EQ(order.stats().restarts, 1u);
}

TEST_F(EventOrderTest, BlocksHeldBackAreBoundedToo) {
  EventOrder bounded({.held_back_blocks_max = 10});
  bounded.add_source(kWorker, kPublisher, true, now, actions);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    RouterEvent stored = event(id);
    stored.event.data = KvRemoved{std::vector<EngineHash>(4)};
    bounded.on_event(kPublisher, stored, now, actions);
  }
  EXPECT_EQ(bounded.held_back(kWorker), 2u);
  EXPECT_EQ(bounded.stats().dropped, 3u);
}

}  // namespace
}  // namespace dynamo::kv_router::event_order_test
