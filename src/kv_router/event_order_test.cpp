// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/event_order.h>
#include <dynamo/kv_router/naive_index.h>

#include <deque>
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
  out.event = {.event_id = id, .data = KvCleared{}, .dp_rank = kWorker.rank};
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

TEST_F(EventOrderTest, ASourceThatCannotBeAskedStartsAnywhereAndDegradesOnAGap) {
  EXPECT_EQ(on(40), "apply40");
  EXPECT_EQ(on(41), "apply41");
  EXPECT_EQ(on(41), "");
  EXPECT_EQ(on(7), "");
  EXPECT_EQ(order.freshness(kWorker), Freshness::fresh);
  EXPECT_EQ(on(43), "apply43");
  EXPECT_EQ(order.freshness(kWorker), Freshness::degraded);
  EXPECT_EQ(order.stats().stale, 2u);
  EXPECT_EQ(order.stats().gaps, 1u);
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
  EXPECT_FALSE(order.next_deadline());
}

TEST_F(EventOrderTest, ANewPublisherBeginsANewStream) {
  EXPECT_EQ(on(100), "apply100");
  actions.clear();
  order.add_source(kWorker, PublisherId{78}, true, now, actions);
  EXPECT_EQ(told(actions), "ask");
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

/// A worker's publisher: its true cache, the last events, answers to questions.
struct Publisher {
  NaiveIndex cache;
  std::deque<RouterEvent> ring;
  std::uint64_t last = 0;

  RouterEvent emit(Rng& rng) {
    RouterEvent out;
    out.worker_id = kWorker.worker;
    out.event.event_id = ++last;
    const auto hash = [&] { return 1 + rng.below(30); };
    if (rng.below(3) != 0) {
      const std::uint64_t block = hash();
      KvStored stored;
      if (block > 3) stored.parent_hash = EngineHash{block / 2};
      stored.blocks = {{EngineHash{block}, LocalHash{block}, std::nullopt}};
      out.event.data = stored;
    } else if (rng.below(20) == 0) {
      out.event.data = KvCleared{};
    } else {
      out.event.data = KvRemoved{{EngineHash{hash()}}};
    }
    static_cast<void>(cache.apply(out));
    ring.push_back(out);
    if (ring.size() > 20) ring.pop_front();
    return out;
  }
  std::vector<RouterEvent> dump() const {
    // Parents are smaller than their children here, so the order by hash will do.
    std::vector<DumpedBlock> blocks = cache.dump();
    std::sort(blocks.begin(), blocks.end(), [](const DumpedBlock& a, const DumpedBlock& b) {
      return a.block_hash < b.block_hash;
    });
    std::vector<RouterEvent> out;
    for (const DumpedBlock& block : blocks) {
      RouterEvent stored = event(out.size());
      stored.event.data = KvStored{
          block.parent, std::nullopt, {{block.block_hash, block.tokens_hash, std::nullopt}}};
      out.push_back(stored);
    }
    return out;
  }
};

TEST(EventOrder, AfterLossDuplicationAndReorderingTheIndexEqualsTheWorkersCache) {
  std::size_t compared = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Publisher publisher;
    EventOrder order;
    NaiveIndex index;
    base::SteadyTime now{};
    std::vector<RouterEvent> in_flight;
    std::vector<RequestRecovery> questions;
    const auto perform = [&](EventOrder::Actions& actions) {
      for (OrderAction& action : actions) {
        if (auto* apply = std::get_if<ApplyEvent>(&action)) {
          static_cast<void>(index.apply(apply->event));
        } else if (std::holds_alternative<ResetWorker>(action)) {
          index.clear(kWorker);
        } else {
          questions.push_back(std::get<RequestRecovery>(action));
        }
      }
      actions.clear();
    };
    const auto answer = [&](bool reliable) {
      const RequestRecovery question = questions.front();
      questions.erase(questions.begin());
      EventOrder::Actions actions;
      if (!reliable && rng.below(3) == 0) {
        if (rng.below(2) == 0) order.recovery_failed(kWorker, question.id, now, actions);
      } else if (question.from && !publisher.ring.empty() &&
                 *question.from >= publisher.ring.front().event.event_id) {
        std::vector<RouterEvent> events;
        for (const RouterEvent& past : publisher.ring)
          if (past.event.event_id >= *question.from) events.push_back(past);
        order.recovered_events(kWorker, question.id, events, publisher.last, now, actions);
      } else {
        order.recovered_dump(kWorker, question.id, publisher.dump(), publisher.last, now, actions);
      }
      perform(actions);
    };

    EventOrder::Actions actions;
    order.add_source(kWorker, kPublisher, true, now, actions);
    perform(actions);
    for (int step = 0; step < 300; ++step) {
      now += milliseconds(rng.below(2000));
      order.on_time(now, actions);
      perform(actions);
      const RouterEvent emitted = publisher.emit(rng);
      if (rng.below(10) != 0) in_flight.push_back(emitted);
      if (rng.below(10) == 0) in_flight.push_back(emitted);
      while (!in_flight.empty() && rng.below(3) != 0) {
        const std::size_t at = rng.below(std::min<std::size_t>(in_flight.size(), 3));
        order.on_event(kPublisher, in_flight[at], now, actions);
        in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(at));
        perform(actions);
      }
      if (!questions.empty() && rng.below(3) == 0) answer(false);
    }
    // The network becomes reliable, and another event shows what was lost.
    in_flight.push_back(publisher.emit(rng));
    for (const RouterEvent& late : in_flight) order.on_event(kPublisher, late, now, actions);
    perform(actions);
    for (int round = 0; round < 100 && order.freshness(kWorker) == Freshness::recovering; ++round) {
      if (!questions.empty()) answer(true);
      if (const auto due = order.next_deadline()) now = std::max(now, *due);
      order.on_time(now, actions);
      perform(actions);
    }
    if (order.freshness(kWorker) == Freshness::degraded) continue;  // eight failures in a row
    ASSERT_EQ(order.freshness(kWorker), Freshness::fresh);
    ASSERT_EQ(order.cursor(kWorker), publisher.last);
    ASSERT_EQ(index.dump(), publisher.cache.dump());
    ++compared;
  }
  EXPECT_GT(compared, 280u);
}

}  // namespace
}  // namespace dynamo::kv_router::event_order_test
