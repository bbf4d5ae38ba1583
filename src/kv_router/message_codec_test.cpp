// SPDX-License-Identifier: Apache-2.0
// The recorded bytes run in dynamo-conformance; here are the errors, and both encodings of a query.
#include <dynamo/base/rng.h>
#include <dynamo/kv_router/sequence_event.h>
#include <dynamo/kv_router/worker_query.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::kv_router::message_codec_test {
namespace {

template <class T>
std::string packed(const T& value) {
  std::string out;
  MsgpackWriter writer(out);
  write_msgpack(writer, value);
  return out;
}

std::vector<ActiveSequenceEvent> sample() {
  SequenceAdded added{
      .token_sequence = {{tokens::SequenceHash{1}, tokens::SequenceHash{2}}},
      .expected_output_tokens = 5,
      .load = PrefillLoad{
          .track_prefill_tokens = true,
          .hint = PrefillLoadHint{.tokens = 40, .duration = std::chrono::milliseconds(1500)}}};
  const WorkerKey worker{WorkerId{7}, DpRank{1}};
  return {{.request_id = "a", .worker = worker, .data = added, .router_id = 3, .lora_name = "l"},
          {.request_id = "b",
           .worker = worker,
           .data = PrefillCompleted{},
           .router_id = 3,
           .lora_name = {}}};
}

TEST(SequenceEventCodec, ErrorsNameEventAndField) {
  std::string bytes;
  MsgpackWriter out(bytes);
  out.map(1).value("events").array(1).map(4).value("request_id").value("a").value("worker").map(1);
  out.value("dp_rank").value(1).value("data").value("Free").value("router_id").value(1);
  const auto events = sequence_events_from_msgpack(bytes);
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().message(),
            "active sequence event: event 0: worker: worker_id is required");
}

TEST(SequenceEventCodec, EveryTruncationAndEveryChangedByteIsSafe) {
  const std::string bytes = packed(sample());
  EXPECT_EQ(sequence_events_from_msgpack(bytes).value(), sample());
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(sequence_events_from_msgpack(bytes.substr(0, length)));
  Rng rng(5);
  for (int round = 0; round < 5000; ++round) {
    std::string changed = bytes;
    changed[rng.below(changed.size())] = static_cast<char>(rng());
    static_cast<void>(sequence_events_from_msgpack(changed).has_value());
  }
}

TEST(WorkerQueryCodec, OptionalMembersMayBeLeftOut) {
  const auto query = worker_query_from_json(*parse_json(R"({"worker_id":5,"start_event_id":9})"));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->start_event_id, 9u);
  EXPECT_FALSE(query->end_event_id);
  EXPECT_EQ(worker_query_from_msgpack(packed(*query)).value(), *query);
  EXPECT_EQ(
      worker_query_from_json(*parse_json(R"({"worker_id":5,"kind":"status"})")).error().code(),
      Errc::unimplemented);
}

TEST(WorkerQueryCodec, AnswersOfOtherKindsAreErrors) {
  EXPECT_EQ(
      worker_query_answer_from_json(*parse_json(R"({"StateAgentRecovery":{}})")).error().code(),
      Errc::unimplemented);
  EXPECT_EQ(worker_query_answer_from_json(*parse_json(R"([1])")).error().code(), Errc::protocol);
  const auto answer = worker_query_answer_from_msgpack(
      packed(WorkerQueryAnswer(QueryDumpFailed{.last_event_id = 4, .message = "busy"})));
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::get<QueryDumpFailed>(*answer).message, "busy");
}

}  // namespace
}  // namespace dynamo::kv_router::message_codec_test
