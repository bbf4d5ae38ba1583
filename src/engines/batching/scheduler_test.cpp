// SPDX-License-Identifier: Apache-2.0
#include "engines/batching/scheduler.h"

#include <dynamo/base/clock.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engines/batching/testing/stub_backend.h"

namespace dynamo::engines::batching {
namespace scheduler_test {
namespace {

using testing::StubBackend;
using Tokens = std::vector<TokenId>;
using Kind = llm::FinishReason::Kind;

/// What one request got, and how it behaves as a reader.
struct Reader {
  OutputSink::Wish wish = OutputSink::Wish::go_on;
  std::size_t room = 1000;
  std::vector<llm::EngineOutput> outputs;
  int ends = 0;
  std::optional<Error> error;

  Tokens tokens(std::uint32_t choice = 0) const {
    Tokens out;
    for (const auto& output : outputs) {
      if (output.index == choice) {
        out.insert(out.end(), output.token_ids.begin(), output.token_ids.end());
      }
    }
    return out;
  }
  Kind finish() const { return outputs.back().finish_reason.value().kind; }
};

class ReaderSink final : public OutputSink {
 public:
  explicit ReaderSink(Reader& reader) : reader_(reader) {}
  Wish wish() const noexcept override { return reader_.wish; }
  std::size_t room() const override { return reader_.room; }
  void push(llm::EngineOutput output) override {
    EXPECT_EQ(reader_.ends, 0);
    if (!output.finish_reason) {
      ASSERT_GT(reader_.room, 0U) << "pushed into a full sink";
      --reader_.room;
    }
    reader_.outputs.push_back(std::move(output));
  }
  void end() override { ++reader_.ends; }
  void fail(Error error) override {
    ++reader_.ends;
    reader_.error = std::move(error);
  }

 private:
  Reader& reader_;
};

struct World {
  explicit World(StubBackend::Options options = {}, std::uint32_t max_num_seqs = 4,
                 std::uint32_t block_size = 4)
      : backend(options),
        scheduler(backend,
                  {.max_num_seqs = max_num_seqs,
                   .cache = {.block_size_tokens = block_size,
                             .prefix_caching = true,
                             .name_block = names,
                             .on_event = {}}},
                  clock) {}

  static BlockNames names(tokens::SaltHash salt, std::optional<tokens::SequenceHash> parent,
                          std::span<const TokenId> block) {
    const auto local = tokens::hash_block(block, salt);
    return {.local = local,
            .sequence = parent ? tokens::next_sequence_hash(*parent, local)
                               : tokens::first_sequence_hash(local)};
  }

  static llm::PreprocessedRequest request(Tokens prompt, std::uint32_t max_tokens) {
    llm::PreprocessedRequest out;
    out.token_ids = std::move(prompt);
    out.stop_conditions.max_tokens = max_tokens;
    out.sampling_options.temperature = 0.0F;
    return out;
  }
  Reader& add(llm::PreprocessedRequest request) {
    readers.push_back(std::make_unique<Reader>());
    auto choices =
        make_choices(std::move(request), backend, 1, std::make_unique<ReaderSink>(*readers.back()));
    EXPECT_TRUE(choices) << choices.error().describe();
    scheduler.add(*std::move(choices));
    return *readers.back();
  }
  Reader& add(Tokens prompt, std::uint32_t max_tokens) {
    return add(request(std::move(prompt), max_tokens));
  }
  void run(int steps_max = 10'000) {
    for (int i = 0; i < steps_max; ++i) {
      if (scheduler.step() != Scheduler::Progress::stepped) return;
      EXPECT_EQ(scheduler.cache().free_cells(), backend.free_cells());
    }
    FAIL() << "still running after " << steps_max << " steps";
  }

  ManualClock clock;
  StubBackend backend;
  std::vector<std::unique_ptr<Reader>> readers;
  Scheduler scheduler;
};

Tokens numbers(TokenId first, std::size_t count) {
  Tokens out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = 1 + (first + static_cast<TokenId>(i)) % (StubBackend::kVocabulary - 1);
  }
  return out;
}

TEST(Scheduler, AnswersWithWhatTheModelSays) {
  World world;
  const Reader& reader = world.add(numbers(3, 10), 6);
  world.run();
  EXPECT_EQ(reader.tokens(), StubBackend::answer_to(numbers(3, 10), 6));
  EXPECT_EQ(reader.outputs.size(), 6U);
  EXPECT_EQ(reader.finish(), Kind::length);
  EXPECT_EQ(reader.ends, 1);
  const auto& usage = *reader.outputs.back().completion_usage;
  EXPECT_EQ(usage.prompt_tokens, 10U);
  EXPECT_EQ(usage.completion_tokens, 6U);
  EXPECT_EQ(usage.total_tokens, 16U);
  EXPECT_EQ(usage.prompt_tokens_details->cached_tokens, 0U);
  EXPECT_EQ(world.scheduler.statistics().running, 0U);
}

TEST(Scheduler, ThePromptIsComputedInChunksOfTheBatch) {
  World world({.cells = 256, .context_length = 128, .batch_tokens = 16});
  const Reader& reader = world.add(numbers(3, 100), 2);
  world.run();
  EXPECT_EQ(reader.tokens(), StubBackend::answer_to(numbers(3, 100), 2));
  EXPECT_EQ(world.backend.largest_batch, 16U);
  EXPECT_EQ(world.backend.steps, 7U + 1U);
}

TEST(Scheduler, ASecondRequestReusesTheBlocksOfTheFirst) {
  World world;
  world.add(numbers(3, 41), 5);
  world.run();
  const std::size_t before = world.backend.decoded_tokens;
  const Reader& reader = world.add(numbers(3, 41), 5);
  world.run();
  EXPECT_EQ(reader.tokens(), StubBackend::answer_to(numbers(3, 41), 5));
  EXPECT_EQ(reader.outputs.back().completion_usage->prompt_tokens_details->cached_tokens, 40U);
  EXPECT_EQ(world.backend.decoded_tokens - before, 1U + 4U);
}

TEST(Scheduler, RequestsTogetherAnswerAsTheyDoAlone) {
  World world({.cells = 512, .context_length = 128, .sequences = 16, .batch_tokens = 16});
  std::vector<Reader*> readers;
  for (TokenId i = 0; i < 10; ++i) readers.push_back(&world.add(numbers(i * 5, 7 + i * 3), 12));
  world.run();
  for (TokenId i = 0; i < 10; ++i) {
    EXPECT_EQ(readers[i]->tokens(), StubBackend::answer_to(numbers(i * 5, 7 + i * 3), 12)) << i;
  }
}

TEST(Scheduler, ABurstWithOneSystemPromptComputesItOnce) {
  World world({.cells = 512, .context_length = 128, .sequences = 16, .batch_tokens = 64});
  std::vector<Reader*> readers;
  for (TokenId i = 0; i < 4; ++i) {
    Tokens prompt = numbers(3, 40);
    prompt.push_back(i + 1);
    readers.push_back(&world.add(prompt, 3));
  }
  world.run();
  EXPECT_EQ(world.scheduler.statistics().prefill_tokens_total, 41U);
  for (TokenId i = 0; i < 4; ++i) {
    Tokens prompt = numbers(3, 40);
    prompt.push_back(i + 1);
    EXPECT_EQ(readers[i]->tokens(), StubBackend::answer_to(prompt, 3));
  }
}

TEST(Scheduler, MoreRequestsThanCellsAllFinishByPreemption) {
  World world({.cells = 64, .context_length = 64, .sequences = 16, .batch_tokens = 32}, 4);
  std::vector<Reader*> readers;
  for (TokenId i = 0; i < 8; ++i) readers.push_back(&world.add(numbers(i * 7, 8), 40));
  world.run();
  for (TokenId i = 0; i < 8; ++i) {
    EXPECT_EQ(readers[i]->tokens(), StubBackend::answer_to(numbers(i * 7, 8), 40)) << i;
    EXPECT_EQ(readers[i]->outputs.back().completion_usage->completion_tokens, 40U);
  }
  EXPECT_GT(world.scheduler.statistics().preemptions_total, 0U);
}

TEST(Scheduler, AnAnswerThatFillsTheContextEndsWithLength) {
  World world({.cells = 64, .context_length = 64, .batch_tokens = 32});
  auto request = World::request(numbers(1, 60), 0);
  request.stop_conditions.max_tokens.reset();
  const Reader& reader = world.add(request);
  world.run();
  EXPECT_EQ(reader.tokens().size(), 4U);
  EXPECT_EQ(reader.finish(), Kind::length);
}

TEST(Scheduler, EndAndStopTokensEndAnAnswerAndSayWhich) {
  const Tokens prompt = numbers(3, 10);
  const Tokens answer = StubBackend::answer_to(prompt, 8);
  World world;
  auto request = World::request(prompt, 8);
  request.stop_conditions.stop_token_ids = Tokens{answer[4]};
  const Reader& stopped = world.add(request);
  request.stop_conditions.stop_token_ids.reset();
  request.eos_token_ids = {answer[4]};
  const Reader& ended = world.add(request);
  request.stop_conditions.ignore_eos = true;
  const Reader& ignored = world.add(request);
  request.stop_conditions.ignore_eos.reset();
  request.stop_conditions.min_tokens = 6;
  const Reader& late = world.add(request);
  world.run();
  const std::size_t first =
      static_cast<std::size_t>(std::ranges::find(answer, answer[4]) - answer.begin());
  EXPECT_EQ(stopped.tokens().size(), first + 1);
  EXPECT_EQ(stopped.finish(), Kind::stop);
  EXPECT_EQ(std::get<std::int64_t>(*stopped.outputs.back().stop_reason), answer[4]);
  EXPECT_EQ(ended.tokens().size(), first + 1);
  EXPECT_EQ(ended.finish(), Kind::eos);
  EXPECT_FALSE(ended.outputs.back().stop_reason);
  EXPECT_EQ(ignored.tokens(), answer);
  EXPECT_GE(late.tokens().size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NE(late.tokens()[i], answer[4]);
}

TEST(Scheduler, AReaderThatDoesNotReadPausesOnlyItself) {
  World world;
  Reader& slow = world.add(numbers(3, 10), 20);
  slow.room = 3;
  const Reader& quick = world.add(numbers(9, 10), 20);
  world.run();
  EXPECT_EQ(quick.tokens(), StubBackend::answer_to(numbers(9, 10), 20));
  EXPECT_EQ(slow.tokens().size(), 3U);
  EXPECT_EQ(world.scheduler.step(), Scheduler::Progress::blocked);
  slow.room = 100;
  world.run();
  EXPECT_EQ(slow.tokens(), StubBackend::answer_to(numbers(3, 10), 20));
}

TEST(Scheduler, APausedRequestGivesItsPlaceToOneThatWaits) {
  World world({}, 1);
  Reader& slow = world.add(numbers(3, 10), 20);
  slow.room = 3;
  world.run();
  const Reader& quick = world.add(numbers(9, 10), 5);
  EXPECT_EQ(world.scheduler.step(), Scheduler::Progress::blocked);
  EXPECT_TRUE(quick.outputs.empty());
  world.clock.advance(std::chrono::seconds(2));
  world.run();
  EXPECT_EQ(quick.tokens(), StubBackend::answer_to(numbers(9, 10), 5));
  EXPECT_EQ(slow.ends, 0);
  slow.room = 100;
  world.run();
  EXPECT_EQ(slow.tokens(), StubBackend::answer_to(numbers(3, 10), 20));
}

TEST(Scheduler, StopEndsWithCancelledAndDropWithAnError) {
  World world({}, 2);
  Reader& stopped = world.add(numbers(3, 10), 50);
  Reader& dropped = world.add(numbers(9, 10), 50);
  Reader& waiting = world.add(numbers(20, 10), 50);
  for (int i = 0; i < 5; ++i) world.scheduler.step();
  EXPECT_TRUE(waiting.outputs.empty());
  stopped.wish = OutputSink::Wish::stop;
  dropped.wish = OutputSink::Wish::drop;
  waiting.wish = OutputSink::Wish::stop;
  EXPECT_EQ(world.scheduler.step(), Scheduler::Progress::idle);
  EXPECT_EQ(stopped.finish(), Kind::cancelled);
  EXPECT_EQ(stopped.outputs.back().completion_usage->completion_tokens, stopped.tokens().size());
  EXPECT_EQ(dropped.error->code(), Errc::cancelled);
  EXPECT_EQ(waiting.finish(), Kind::cancelled);
  for (const auto& reader : world.readers) EXPECT_EQ(reader->ends, 1);
  EXPECT_EQ(world.scheduler.statistics().kv_blocks_active, 0U);
}

TEST(Scheduler, ChoicesShareThePromptAndOneStream) {
  World world({.cells = 256, .context_length = 128, .sequences = 16, .batch_tokens = 64});
  auto request = World::request(numbers(3, 40), 6);
  request.sampling_options.n = 3;
  const Reader& reader = world.add(request);
  world.run();
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(reader.tokens(i), StubBackend::answer_to(numbers(3, 40), 6));
  }
  EXPECT_EQ(reader.ends, 1);
  EXPECT_EQ(std::ranges::count_if(reader.outputs,
                                  [](const auto& o) { return o.finish_reason.has_value(); }),
            3);
  EXPECT_EQ(std::ranges::count_if(reader.outputs,
                                  [](const auto& o) { return o.completion_usage.has_value(); }),
            1);
  EXPECT_EQ(reader.outputs.back().completion_usage->completion_tokens, 18U);
  EXPECT_LE(world.scheduler.statistics().prefill_tokens_total, 40U + 2U * 4U);
}

TEST(Scheduler, ChoicesWithASeedDiffer) {
  World world;
  auto request = World::request(numbers(3, 10), 16);
  request.sampling_options.temperature = 5.0F;
  request.sampling_options.n = 2;
  request.sampling_options.seed = 11;
  const Reader& both = world.add(request);
  request.sampling_options.n = 1;
  const Reader& one = world.add(request);
  world.run();
  EXPECT_NE(both.tokens(0), both.tokens(1));
  EXPECT_EQ(both.tokens(0), one.tokens(0));
}

TEST(Scheduler, ASeedGivesTheSameTokensWhateverElseRuns) {
  auto request = World::request(numbers(3, 10), 16);
  request.sampling_options.temperature = 3.0F;
  request.sampling_options.top_p = 0.9F;
  request.sampling_options.seed = 5;
  World alone;
  const Reader& expected = alone.add(request);
  alone.run();
  World crowd({.cells = 64, .context_length = 64, .sequences = 16, .batch_tokens = 16}, 4);
  for (TokenId i = 0; i < 3; ++i) crowd.add(numbers(i * 7, 8), 40);
  const Reader& reader = crowd.add(request);
  crowd.run();
  EXPECT_GT(crowd.scheduler.statistics().preemptions_total, 0U);
  EXPECT_EQ(reader.tokens(), expected.tokens());
}

TEST(Scheduler, AGrammarShapesTheAnswerAndEndsIt) {
  World world;
  auto request = World::request(numbers(3, 10), 16);
  request.sampling_options.guided_decoding.emplace().choice = std::vector<std::string>{"x"};
  const Reader& reader = world.add(request);  // the stub reads the letters of "root ::= r\nr ::= x"
  world.run();
  EXPECT_EQ(reader.finish(), Kind::eos);
  EXPECT_EQ(reader.tokens().back(), StubBackend::kEnd);
  EXPECT_GT(reader.tokens().size(), 2U);
}

TEST(Scheduler, ACompleteGrammarWithoutAnEndStopsTheAnswer) {
  World world;
  auto request = World::request(numbers(3, 10), 16);
  request.sampling_options.guided_decoding.emplace().choice = std::vector<std::string>{"x"};
  request.stop_conditions.min_tokens = 16;  // rules the end token out
  const Reader& reader = world.add(request);
  world.run();
  EXPECT_EQ(reader.finish(), Kind::stop);
  EXPECT_EQ(reader.ends, 1);
}

TEST(Scheduler, AGrammarThatCostsTooMuchEndsItsRequestAndNoOther) {
  World world;
  auto hostile = World::request(numbers(3, 10), 16);
  hostile.sampling_options.guided_decoding.emplace().grammar = "root ::= \"!\"";
  const Reader& refused = world.add(hostile);
  const Reader& other = world.add(World::request(numbers(30, 10), 16));
  world.run();
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), Errc::invalid_argument);
  EXPECT_EQ(other.tokens(), StubBackend::answer_to(numbers(30, 10), 16));
}

TEST(Scheduler, LogprobsSumUp) {
  World world;
  auto request = World::request(numbers(3, 10), 4);
  request.output_options.logprobs = 3;
  const Reader& reader = world.add(request);
  world.run();
  double sum = 0;
  for (const auto& output : reader.outputs) {
    sum += output.log_probs->front();
    EXPECT_EQ(output.top_logprobs->front().size(), 3U);
    EXPECT_EQ(output.top_logprobs->front().front().token_id, output.token_ids.front());
    EXPECT_DOUBLE_EQ(*output.cum_log_probs, sum);
  }
}

TEST(Scheduler, AFailedStepFailsWhatRanAndNothingElse) {
  World world({}, 1);
  const Reader& running = world.add(numbers(3, 10), 50);
  const Reader& waiting = world.add(numbers(9, 10), 5);
  world.scheduler.step();
  world.backend.scripted = {DecodeStatus::failed};
  world.run();
  EXPECT_EQ(running.error->code(), Errc::internal);
  EXPECT_EQ(waiting.tokens(), StubBackend::answer_to(numbers(9, 10), 5));
  EXPECT_EQ(world.backend.resets, 1U);
  EXPECT_TRUE(world.scheduler.healthy());
}

TEST(Scheduler, AnEngineThatCannotBeResetIsUnhealthyAndEndsEverything) {
  World world({}, 1);
  const Reader& running = world.add(numbers(3, 10), 50);
  const Reader& waiting = world.add(numbers(9, 10), 5);
  world.backend.scripted = {DecodeStatus::failed};
  world.backend.reset_fails = true;
  world.run();
  EXPECT_EQ(running.error->code(), Errc::internal);
  EXPECT_EQ(waiting.error->code(), Errc::unavailable);
  EXPECT_FALSE(world.scheduler.healthy());
}

TEST(Scheduler, WhenTheLibraryFindsNoRoomTheNewestMakesWay) {
  World world({}, 4);
  const Reader& a = world.add(numbers(3, 10), 12);
  const Reader& b = world.add(numbers(9, 10), 12);
  world.scheduler.step();
  world.backend.scripted = {DecodeStatus::no_room, DecodeStatus::no_room, DecodeStatus::no_room};
  world.run();
  EXPECT_EQ(a.tokens(), StubBackend::answer_to(numbers(3, 10), 12));
  EXPECT_EQ(b.tokens(), StubBackend::answer_to(numbers(9, 10), 12));
  EXPECT_GT(world.scheduler.statistics().preemptions_total, 0U);
}

TEST(Choices, RequestsThatCannotBeServedSayWhy) {
  StubBackend backend({.context_length = 32});
  Reader reader;
  const auto refuse = [&](auto change) {
    auto request = World::request(numbers(1, 10), 5);
    change(request);
    auto choices =
        make_choices(std::move(request), backend, 1, std::make_unique<ReaderSink>(reader));
    EXPECT_FALSE(choices);
    return choices ? Error(Errc::internal, "") : choices.error();
  };
  const Error too_long = refuse([](auto& r) { r.token_ids = numbers(1, 32); });
  EXPECT_EQ(too_long.code(), Errc::invalid_argument);
  EXPECT_EQ(too_long.reason(), "context_length_exceeded");
  EXPECT_NE(too_long.message().find("32 tokens"), std::string::npos);
  EXPECT_EQ(refuse([](auto& r) { r.token_ids.clear(); }).param(), "token_ids");
  EXPECT_EQ(refuse([](auto& r) { r.token_ids[3] = 64; }).param(), "token_ids[3]");
  EXPECT_EQ(refuse([](auto& r) { r.stop_conditions.max_tokens = 0; }).param(), "max_tokens");
  EXPECT_EQ(refuse([](auto& r) { r.sampling_options.n = 0; }).param(), "n");
  EXPECT_EQ(refuse([](auto& r) { r.sampling_options.use_beam_search = true; }).code(),
            Errc::unimplemented);
  EXPECT_EQ(refuse([](auto& r) { r.sampling_options.best_of = 3; }).param(), "best_of");
  EXPECT_EQ(refuse([](auto& r) { r.output_options.prompt_logprobs = 1; }).param(),
            "prompt_logprobs");
  EXPECT_EQ(refuse([](auto& r) { r.prompt_embeds = "x"; }).param(), "prompt_embeds");
  EXPECT_EQ(refuse([](auto& r) { r.routing.emplace().lora_name = "a"; }).code(), Errc::not_found);
  const Error regex =
      refuse([](auto& r) { r.sampling_options.guided_decoding.emplace().regex = "(?=a)"; });
  EXPECT_EQ(regex.code(), Errc::unimplemented);
  EXPECT_EQ(regex.param(), "guided_regex");
  EXPECT_EQ(reader.ends, 0);
}

TEST(PrefillPacing, FollowsTheMachine) {
  PrefillPacing pacing;
  EXPECT_EQ(pacing.limit(false), 128U);
  EXPECT_EQ(pacing.limit(true), 30U);
  for (int i = 0; i < 50; ++i) pacing.observe(1000, std::chrono::milliseconds(10));
  EXPECT_GT(pacing.limit(true), 5000U);
  for (int i = 0; i < 50; ++i) pacing.observe(16, std::chrono::seconds(1));
  EXPECT_EQ(pacing.limit(false), PrefillPacing::kTokensMin);
  pacing.observe(3, std::chrono::nanoseconds(1));  // too few to tell anything
  EXPECT_EQ(pacing.limit(false), PrefillPacing::kTokensMin);
}

}  // namespace
}  // namespace scheduler_test
}  // namespace dynamo::engines::batching
