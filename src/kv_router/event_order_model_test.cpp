// SPDX-License-Identifier: Apache-2.0
// Random streams against a model: workers whose true caches are known after every event, a network
// that loses, repeats and reorders, answers that are late, wrong or never come, restarts.
// DYNAMO_TEST_SEEDS=N runs N seeds instead of the 1,000 of every day.
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/event_order.h>
#include <dynamo/kv_router/naive_index.h>
#include <dynamo/kv_router/prefix_index.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::event_order_model_test {
namespace {

using std::chrono::milliseconds;

std::uint64_t seeds() {
  const char* text = std::getenv("DYNAMO_TEST_SEEDS");
  return text == nullptr ? 1000 : std::strtoull(text, nullptr, 10);
}

/// A worker and its publisher: the true cache after each event, and a ring of the last ones.
class Publisher {
 public:
  static constexpr std::size_t kRing = 12;
  explicit Publisher(WorkerKey worker, std::uint64_t id) : worker_(worker), id_(PublisherId{id}) {
    history_.push_back({});
  }

  PublisherId id() const { return id_; }
  std::uint64_t last() const { return history_.size() - 1; }
  /// The cache as it was after event `id` (0: none yet).
  const std::vector<DumpedBlock>& after(std::uint64_t id) const { return history_.at(id); }

  // Few names and few contents: parents are often unknown, names are used again for other blocks,
  // removals hit the middle of chains.
  RouterEvent emit(Rng& rng) {
    RouterEvent out;
    out.worker_id = worker_.worker;
    out.event.dp_rank = worker_.rank;
    out.event.event_id = history_.size();
    const std::uint64_t dice = rng.below(100);
    if (dice < 60) {
      KvStored stored;
      if (rng.below(3) != 0) stored.parent_hash = EngineHash{rng.below(16)};
      for (std::uint64_t i = 1 + rng.below(4); i != 0; --i)
        stored.blocks.push_back({EngineHash{rng.below(16)}, LocalHash{rng.below(5)}, std::nullopt});
      out.event.data = std::move(stored);
    } else if (dice < 97) {
      KvRemoved removed;
      for (std::uint64_t i = rng.below(3); i != 0; --i)
        removed.block_hashes.push_back(EngineHash{rng.below(16)});
      out.event.data = std::move(removed);
    } else {
      out.event.data = KvCleared{};
    }
    static_cast<void>(cache_.apply(out));
    history_.push_back(cache_.dump());
    ring_.push_back(out);
    if (ring_.size() > kRing) ring_.pop_front();
    return out;
  }

  /// Events from `from` on when the ring has them, else nothing.
  std::optional<std::vector<RouterEvent>> events(std::optional<std::uint64_t> from) const {
    if (!from || ring_.empty() || *from < ring_.front().event.event_id) return std::nullopt;
    std::vector<RouterEvent> out;
    for (const RouterEvent& event : ring_)
      if (event.event.event_id >= *from) out.push_back(event);
    return out;
  }
  /// The cache as stores, parents before children.
  std::vector<RouterEvent> dump() const {
    std::vector<RouterEvent> out;
    std::set<EngineHash> known;
    std::vector<DumpedBlock> left = history_.back();
    while (!left.empty()) {
      std::erase_if(left, [&](const DumpedBlock& block) {
        if (block.parent && !known.contains(*block.parent)) return false;
        RouterEvent event;
        event.worker_id = worker_.worker;
        event.event = {.event_id = out.size(),
                       .data = KvStored{block.parent,
                                        std::nullopt,
                                        {{block.block_hash, block.tokens_hash, std::nullopt}}},
                       .dp_rank = worker_.rank};
        out.push_back(std::move(event));
        known.insert(block.block_hash);
        return true;
      });
    }
    return out;
  }

 private:
  WorkerKey worker_;
  PublisherId id_;
  NaiveIndex cache_;
  std::vector<std::vector<DumpedBlock>> history_;
  std::deque<RouterEvent> ring_;
};

/// What has been seen of a name, for caches that are not known exactly.
struct Evidence {
  std::map<EngineHash, bool> held;  // by the newest event or dump about it

  void take(const RouterEvent& event) {
    if (const auto* stored = std::get_if<KvStored>(&event.event.data)) {
      for (const KvBlock& block : stored->blocks) held[block.block_hash] = true;
    } else if (const auto* removed = std::get_if<KvRemoved>(&event.event.data)) {
      for (const EngineHash name : removed->block_hashes) held[name] = false;
    } else {
      held.clear();
    }
  }
};

struct Source {
  WorkerKey worker;
  std::optional<Publisher> publisher;
  std::vector<std::pair<PublisherId, RouterEvent>> in_flight;
  NaiveIndex index;
  Evidence evidence;
};

class World {
 public:
  World(std::uint64_t seed, bool with_index)
      : rng_(seed),
        order_({.held_back_events_max = 8, .recoveries_max = 2, .attempts_max = 3}),
        with_index_(with_index) {
    for (std::uint64_t i = 0; i < 3; ++i) {
      Source& source = sources_.emplace_back();
      source.worker = {WorkerId{1 + i / 2}, DpRank{static_cast<std::uint32_t>(i % 2)}};
      restart(source);
    }
  }

  void run() {
    for (int step = 0; step < 40; ++step) {
      advance(milliseconds(rng_.below(8000)));
      Source& source = sources_[rng_.below(sources_.size())];
      emit(source, 1 + rng_.below(3));
      deliver(source, 3);
      if (!questions_.empty() && rng_.below(3) == 0) answer(false);
      const std::uint64_t dice = rng_.below(60);
      if (dice == 0) restart(source);
      if (dice == 1) lose(source);
      check();
      if (testing::Test::HasFailure()) return;
    }
    heal();
  }

  const EventOrderStats& stats() const { return order_.stats(); }

 private:
  EventOrder::Actions& actions() {
    actions_.clear();
    return actions_;
  }

  void perform() {
    for (OrderAction& action : actions_) {
      if (auto* apply = std::get_if<ApplyEvent>(&action)) {
        Source& source = of(apply->event.key());
        static_cast<void>(source.index.apply(apply->event));
        if (with_index_) static_cast<void>(index_.apply(apply->event));
        source.evidence.take(apply->event);
      } else if (auto* reset = std::get_if<ResetWorker>(&action)) {
        Source& source = of(reset->worker);
        source.index = NaiveIndex();
        if (with_index_) index_.clear(reset->worker);
        source.evidence = {};
      } else {
        questions_.push_back(std::get<RequestRecovery>(action));
      }
    }
    actions_.clear();
  }

  Source& of(WorkerKey worker) {
    for (Source& source : sources_)
      if (source.worker == worker) return source;
    std::abort();
  }

  void restart(Source& source) {
    source.publisher.emplace(source.worker, next_publisher_++);
    order_.add_source(source.worker, source.publisher->id(), rng_.below(8) != 0, now_, actions());
    perform();
  }
  void lose(Source& source) {
    order_.lose_source(source.worker, now_, actions());
    perform();
    if (rng_.below(2) == 0) {
      order_.add_source(source.worker, source.publisher->id(), true, now_, actions());
      perform();
    }
  }
  void emit(Source& source, std::uint64_t count) {
    for (; count != 0; --count) {
      const RouterEvent event = source.publisher->emit(rng_);
      if (rng_.below(8) != 0) source.in_flight.emplace_back(source.publisher->id(), event);
      if (rng_.below(8) == 0) source.in_flight.emplace_back(source.publisher->id(), event);
    }
  }
  void deliver(Source& source, std::size_t window) {
    while (!source.in_flight.empty() && rng_.below(4) != 0) {
      const std::size_t at = rng_.below(std::min(source.in_flight.size(), window));
      const auto& [publisher, event] = source.in_flight[at];
      order_.on_event(publisher, event, now_, actions());
      source.in_flight.erase(source.in_flight.begin() + static_cast<std::ptrdiff_t>(at));
      perform();
    }
  }
  void advance(milliseconds by) {
    now_ += by;
    order_.on_time(now_, actions());
    perform();
  }

  void answer(bool reliable) {
    const std::size_t at = rng_.below(questions_.size());
    const RequestRecovery question = questions_[at];
    questions_.erase(questions_.begin() + static_cast<std::ptrdiff_t>(at));
    Publisher& publisher = *of(question.worker).publisher;
    if (publisher.id() != question.publisher) return;  // nobody answers for a former run
    const std::uint64_t kind = reliable ? 9 : rng_.below(10);
    if (kind < 2) return;  // lost
    if (kind == 2) {
      order_.recovery_failed(question.worker, question.id, now_, actions());
    } else if (question.from && *question.from > publisher.last()) {
      order_.recovery_too_new(question.worker, question.id, publisher.last(), now_, actions());
    } else if (auto events = publisher.events(question.from)) {
      if (kind == 3 && events->size() > 1) events->erase(events->begin());  // a hole
      order_.recovered_events(question.worker, question.id, *events, publisher.last(), now_,
                              actions());
    } else {
      order_.recovered_dump(question.worker, question.id, publisher.dump(), publisher.last(), now_,
                            actions());
    }
    perform();
    if (rng_.below(4) == 0) questions_.push_back(question);  // it is answered twice
  }

  void check() {
    for (Source& source : sources_) {
      SCOPED_TRACE("worker " + std::to_string(static_cast<std::uint64_t>(source.worker.worker)) +
                   ":" + std::to_string(static_cast<std::uint32_t>(source.worker.rank)) + " " +
                   std::string(name_of(order_.freshness(source.worker))));
      const auto claimed = source.index.dump();
      // Whatever the state: nothing that no event stored or that a later one removed.
      for (const DumpedBlock& block : claimed) {
        const auto found = source.evidence.held.find(block.block_hash);
        ASSERT_TRUE(found != source.evidence.held.end() && found->second);
      }
      const Freshness freshness = order_.freshness(source.worker);
      const auto cursor = order_.cursor(source.worker);
      if (freshness == Freshness::unknown) ASSERT_TRUE(claimed.empty());
      if (freshness == Freshness::recovering)
        ASSERT_EQ(claimed, source.publisher->after(cursor.value_or(0)));
      if (freshness == Freshness::fresh) ASSERT_EQ(claimed, source.publisher->after(*cursor));
    }
  }

  // The network becomes reliable, and one more event shows each gap.
  void heal() {
    for (Source& source : sources_) {
      order_.add_source(source.worker, source.publisher->id(), true, now_, actions());
      perform();
      source.in_flight.emplace_back(source.publisher->id(), source.publisher->emit(rng_));
      for (const auto& [publisher, late] : source.in_flight) {
        order_.on_event(publisher, late, now_, actions());
        perform();
      }
    }
    for (int round = 0; round < 200; ++round) {
      while (!questions_.empty()) answer(true);
      const auto due = order_.next_deadline();
      if (!due) break;
      now_ = std::max(now_, *due);
      order_.on_time(now_, actions());
      perform();
    }
    std::vector<DumpedBlock> all;
    for (Source& source : sources_) {
      ASSERT_EQ(order_.freshness(source.worker), Freshness::fresh);
      ASSERT_EQ(order_.cursor(source.worker), source.publisher->last());
      ASSERT_EQ(source.index.dump(), source.publisher->after(source.publisher->last()));
      for (const DumpedBlock& block : source.publisher->after(source.publisher->last()))
        all.push_back(block);
    }
    std::sort(all.begin(), all.end());
    if (with_index_) ASSERT_EQ(index_.dump(), all);
  }

  Rng rng_;
  EventOrder order_;
  EventOrder::Actions actions_;
  std::deque<Source> sources_;
  std::vector<RequestRecovery> questions_;
  PrefixIndex index_;
  bool with_index_;
  base::SteadyTime now_{};
  std::uint64_t next_publisher_ = 1;
};

TEST(EventOrder, ClaimsOnlyWhatEventsJustifyAndEqualsTheWorkersAfterRecovery) {
  EventOrderStats seen;
  for (std::uint64_t seed = 0; seed < seeds(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed, seed % 8 == 0);
    world.run();
    if (HasFailure()) return;
    seen.gaps += world.stats().gaps;
    seen.dropped += world.stats().dropped;
    seen.recoveries_failed += world.stats().recoveries_failed;
    seen.restarts += world.stats().restarts;
  }
  // The streams were as bad as they are meant to be.
  EXPECT_GT(seen.gaps, seeds());
  EXPECT_GT(seen.dropped, seeds() / 50);
  EXPECT_GT(seen.recoveries_failed, seeds() / 50);
  EXPECT_GT(seen.restarts, seeds() / 50);
}

}  // namespace
}  // namespace dynamo::kv_router::event_order_model_test
