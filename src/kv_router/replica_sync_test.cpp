// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/replica_sync.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::replica_sync_test {
namespace {

using std::chrono::milliseconds;
constexpr WorkerKey kWorker{WorkerId{7}, DpRank{1}};

struct Router {
  explicit Router(std::uint64_t id, WireGeneration generation = WireGeneration::v1_5)
      : sync({.router_id = id, .generation = generation, .block_size_tokens = 4}) {
    active.add_worker(kWorker);
  }
  void send(const std::string& id, std::uint64_t first, base::SteadyTime now) {
    const std::vector<tokens::SequenceHash> prompt{tokens::SequenceHash{first},
                                                   tokens::SequenceHash{first + 1}};
    const ActiveRequest request{
        .request_id = id, .worker = kWorker, .prompt = prompt, .prefill_tokens = 4};
    ASSERT_TRUE(active.add(request, now));
    sync.added(request, 8, std::nullopt, now);
  }
  // Over the wire and back.
  void tell(Router& other, base::SteadyTime now) {
    for (auto batch = sync.take_batch(now); !batch.empty(); batch = sync.take_batch(now)) {
      std::string bytes;
      MsgpackWriter writer(bytes);
      write_msgpack(writer, batch);
      for (const auto& event : sequence_events_from_msgpack(bytes).value())
        other.sync.receive(event, other.active, now);
    }
  }
  ActiveSequences active;
  ReplicaSync sync;
};

void expect_alike(const Router& a, const Router& b) {
  const ActiveLoad x = a.active.load(kWorker);
  const ActiveLoad y = b.active.load(kWorker);
  EXPECT_EQ(x.decode_blocks, y.decode_blocks);
  EXPECT_EQ(x.prefill_tokens, y.prefill_tokens);
  EXPECT_EQ(x.requests, y.requests);
}

TEST(ReplicaSync, RoutersBecomeAlikeInBothGenerations) {
  for (const WireGeneration generation : {WireGeneration::v0_9, WireGeneration::v1_5}) {
    Router a(1, generation);
    Router b(2, generation);
    base::SteadyTime now{milliseconds(100)};
    a.send("x", 10, now);
    a.send("y", 11, now);
    b.send("z", 20, now);
    now += milliseconds(1);
    a.tell(b, now);
    b.tell(a, now);
    expect_alike(a, b);
    EXPECT_EQ(b.active.load(kWorker).decode_blocks, 5u);
    EXPECT_EQ(b.active.load(kWorker).prefill_tokens, 12u);
    ASSERT_TRUE(a.active.complete_prefill("x", now));
    a.sync.prefill_completed("x", kWorker, now);
    ASSERT_TRUE(b.active.free("z", now));
    b.sync.freed("z", kWorker, now);
    now += milliseconds(1);
    a.tell(b, now);
    b.tell(a, now);
    expect_alike(a, b);
    EXPECT_EQ(a.active.load(kWorker).prefill_tokens, 4u);
  }
}

TEST(ReplicaSync, BatchesWaitAMillisecondOrUntilTheyAreFull) {
  Router router(1);
  const base::SteadyTime now{milliseconds(100)};
  router.sync.freed("a", kWorker, now);
  EXPECT_EQ(router.sync.next_deadline(), now + milliseconds(1));
  EXPECT_TRUE(router.sync.take_batch(now).empty());
  for (int i = 0; i < 299; ++i) router.sync.freed("b", kWorker, now);
  EXPECT_EQ(router.sync.take_batch(now).size(), 256u);
  EXPECT_TRUE(router.sync.take_batch(now).empty());
  EXPECT_EQ(router.sync.take_batch(now + milliseconds(1)).size(), 44u);
  EXPECT_FALSE(router.sync.next_deadline());
}

TEST(ReplicaSync, AFullQueueDropsTheNewest) {
  ReplicaSync sync({.router_id = 1, .queue_events_max = 2});
  for (const char* id : {"a", "b", "c"}) sync.freed(id, kWorker, {});
  const auto batch = sync.take_batch(base::SteadyTime{milliseconds(1)});
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[1].request_id, "b");
  EXPECT_EQ(sync.stats().dropped, 1u);
}

TEST(ReplicaSync, EchoesUnknownWorkersAndForeignRequestsChangeNothing) {
  Router a(1);
  a.send("mine", 1, {});
  ActiveSequenceEvent event{.request_id = "mine",
                            .worker = kWorker,
                            .data = SequenceFreed{},
                            .router_id = 1,
                            .lora_name = {}};
  a.sync.receive(event, a.active, {});
  EXPECT_EQ(a.sync.stats().own, 1u);
  event.router_id = 2;  // another router frees what it did not send
  a.sync.receive(event, a.active, {});
  event.data = SequenceAdded{};  // or takes an id that is in use
  a.sync.receive(event, a.active, {});
  EXPECT_EQ(a.sync.stats().refused, 2u);
  event.request_id = "other";
  event.worker.worker = WorkerId{99};
  a.sync.receive(event, a.active, {});
  EXPECT_EQ(a.sync.stats().unknown_workers, 1u);
  EXPECT_EQ(a.active.requests(), 1u);
}

}  // namespace
}  // namespace dynamo::kv_router::replica_sync_test
