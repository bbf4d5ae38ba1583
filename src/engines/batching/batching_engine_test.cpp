// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/batching/batching_engine.h>
#include <dynamo/runtime/compute_pool.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "engines/batching/testing/requests.h"
#include "engines/batching/testing/stub_backend.h"

namespace dynamo::engines::batching {
namespace batching_engine_test {
namespace {

namespace net = boost::asio;
using namespace std::chrono_literals;
using testing::Answer;
using testing::ask;
using testing::greedy_request;
using testing::StubBackend;
using Tokens = std::vector<TokenId>;
using Kind = llm::FinishReason::Kind;

std::unique_ptr<BatchingEngine> make_engine(BatchingEngine::Options options = {},
                                            StubBackend::Options stub = {}) {
  options.kv_block_size_tokens = 4;
  options.seed = 1;
  auto engine =
      BatchingEngine::create(std::make_unique<StubBackend>(std::move(stub)), std::move(options));
  EXPECT_TRUE(engine) << engine.error().describe();
  return *std::move(engine);
}

Tokens numbers(TokenId first, std::size_t count) {
  Tokens out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = 1 + (first + static_cast<TokenId>(i)) % (StubBackend::kVocabulary - 1);
  }
  return out;
}

void wait_until(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(condition());
}

TEST(BatchingEngine, AnswersManyRequestsAtOnce) {
  const auto engine = make_engine({}, {.cells = 1024, .sequences = 32});
  std::vector<llm::PreprocessedRequest> requests;
  for (TokenId i = 0; i < 40; ++i) requests.push_back(greedy_request(numbers(i, 9 + i % 5), 10));
  const auto answers = ask(*engine, requests);
  for (TokenId i = 0; i < 40; ++i) {
    ASSERT_FALSE(answers[i].error) << answers[i].error->describe();
    EXPECT_EQ(answers[i].tokens, StubBackend::answer_to(numbers(i, 9 + i % 5), 10)) << i;
  }
  wait_until([&] { return engine->statistics().running == 0; });
  EXPECT_EQ(engine->statistics().generated_tokens_total, 400U);
}

TEST(BatchingEngine, TellsWhatItIs) {
  const auto engine = make_engine({.max_num_seqs = 3}, {.cells = 256, .batch_tokens = 32});
  const auto info = engine->info();
  EXPECT_EQ(info.name, "stub");
  EXPECT_EQ(info.context_length, 128U);
  EXPECT_EQ(info.kv_block_size_tokens, 4U);
  EXPECT_EQ(info.kv_blocks_total, 64U);
  EXPECT_EQ(info.max_num_seqs, 3U);
  EXPECT_EQ(info.max_num_batched_tokens, 32U);
}

TEST(BatchingEngine, OptionsThatDoNotFitTheBackendAreNamed) {
  const auto field_of = [](BatchingEngine::Options options) {
    auto engine = BatchingEngine::create(std::make_unique<StubBackend>(), std::move(options));
    return engine ? std::string() : engine.error().param();
  };
  EXPECT_EQ(field_of({.max_num_seqs = 0}), "max_num_seqs");
  EXPECT_EQ(field_of({.max_num_seqs = 17}), "max_num_seqs");
  EXPECT_EQ(field_of({.max_waiting = 0}), "max_waiting");
  EXPECT_EQ(field_of({.kv_block_size_tokens = 0}), "kv_block_size_tokens");
}

TEST(BatchingEngine, DroppingTheStreamFreesItsPlace) {
  const auto engine = make_engine({.max_num_seqs = 1}, {.step_time = 1ms});
  net::io_context io;
  net::co_spawn(io,
                testing::read_answer(*engine, greedy_request(numbers(1, 10), 100),
                                     runtime::Context::create("gone"),
                                     [](const Answer& answer) { return answer.tokens.size() < 3; }),
                [](const std::exception_ptr&, Answer answer) { EXPECT_FALSE(answer.error); });
  io.run();
  const Answer next = ask(*engine, greedy_request(numbers(5, 10), 4));
  EXPECT_EQ(next.tokens, StubBackend::answer_to(numbers(5, 10), 4));
  wait_until([&] { return engine->statistics().kv_blocks_active == 0; });
}

// Whoever hangs up is out with the next step, however long steps take: only one that is already
// being computed, or was planned in that moment, may still have him.
TEST(BatchingEngine, AKilledRequestIsInNoFurtherStep) {
  std::mutex mutex;
  std::optional<std::size_t> steps_with_both;  // since the kill
  const auto engine = make_engine({}, {.step_time = 2ms, .on_step = [&](std::size_t sequences) {
                                         const std::lock_guard lock(mutex);
                                         if (steps_with_both && sequences == 2) ++*steps_with_both;
                                       }});
  net::io_context io;
  Answer stays;
  net::co_spawn(io,
                testing::read_answer(*engine, greedy_request(numbers(30, 10), 60),
                                     runtime::Context::create("stays"), {}),
                [&](const std::exception_ptr&, Answer a) { stays = std::move(a); });
  auto context = runtime::Context::create("leaves");
  net::co_spawn(io,
                testing::read_answer(*engine, greedy_request(numbers(1, 10), 100), context,
                                     [&](const Answer& answer) {
                                       if (answer.tokens.size() < 10) return true;
                                       const std::lock_guard lock(mutex);
                                       if (!steps_with_both) steps_with_both = 0;
                                       context->kill();
                                       return true;
                                     }),
                [](const std::exception_ptr&, const Answer& answer) { EXPECT_TRUE(answer.error); });
  io.run();
  EXPECT_EQ(stays.tokens, StubBackend::answer_to(numbers(30, 10), 60));
  ASSERT_TRUE(steps_with_both);
  EXPECT_LE(*steps_with_both, 1U);
}

net::awaitable<Answer> interrupted(BatchingEngine& engine, bool kill) {
  auto context = runtime::Context::create("test");
  co_return co_await testing::read_answer(engine, greedy_request(numbers(1, 10), 100), context,
                                          [context, kill](const Answer& answer) {
                                            if (answer.tokens.size() >= 3) {
                                              kill ? context->kill() : context->stop();
                                            }
                                            return true;
                                          });
}

TEST(BatchingEngine, StopAndKillEndARequestInTheMiddle) {
  const auto engine = make_engine({}, {.step_time = 1ms});
  for (const bool kill : {false, true}) {
    net::io_context io;
    Answer answer;
    net::co_spawn(io, interrupted(*engine, kill),
                  [&](const std::exception_ptr&, Answer a) { answer = std::move(a); });
    io.run();
    EXPECT_LT(answer.tokens.size(), 20U);
    if (kill) {
      ASSERT_TRUE(answer.error);
      EXPECT_EQ(answer.error->code(), Errc::cancelled);
    } else {
      EXPECT_EQ(answer.finish(), Kind::cancelled);
    }
  }
}

/// Reads one batch, then nothing for a while, then the rest.
net::awaitable<Answer> read_slowly(BatchingEngine& engine, std::chrono::milliseconds pause) {
  Answer out;
  auto stream = co_await engine.generate(greedy_request(numbers(1, 10), 100),
                                         runtime::Context::create("slow"));
  auto batch = co_await (*stream)->next();
  append(out, *std::move(batch));
  net::steady_timer timer(co_await net::this_coro::executor, pause);
  co_await timer.async_wait(net::use_awaitable);
  for (;;) {
    batch = co_await (*stream)->next();
    if (!batch || batch->empty()) co_return out;
    EXPECT_LE(batch->size(), 8U + 1U);  // never more than the stream holds
    append(out, *std::move(batch));
  }
}

TEST(BatchingEngine, AStreamHoldsNoMoreThanItsBound) {
  const auto engine = make_engine({.stream_outputs_max = 8});
  net::io_context io;
  Answer slow;
  net::co_spawn(io, read_slowly(*engine, 50ms),
                [&](const std::exception_ptr&, Answer a) { slow = std::move(a); });
  io.run();
  EXPECT_EQ(slow.tokens, StubBackend::answer_to(numbers(1, 10), 100));
}

TEST(BatchingEngine, AFullQueueRefusesWithRetryAfter) {
  const auto engine = make_engine({.max_num_seqs = 1, .max_waiting = 2}, {.step_time = 2ms});
  std::vector<llm::PreprocessedRequest> requests(8, greedy_request(numbers(1, 10), 20));
  const auto answers = ask(*engine, requests);
  int refused = 0;
  for (const Answer& answer : answers) {
    if (!answer.error) {
      EXPECT_EQ(answer.tokens.size(), 20U);
      continue;
    }
    ++refused;
    EXPECT_EQ(answer.error->code(), Errc::overloaded);
    EXPECT_TRUE(answer.error->retry_after());
  }
  EXPECT_GE(refused, 5);
}

TEST(BatchingEngine, EndsQuicklyInTheMiddleOfAStepAndTellsItsReaders) {
  auto engine = make_engine({}, {.step_time = 60s});
  net::io_context io;
  Answer answer;
  net::co_spawn(io,
                testing::read_answer(*engine, greedy_request(numbers(1, 10), 10),
                                     runtime::Context::create("test")),
                [&](const std::exception_ptr&, Answer a) { answer = std::move(a); });
  std::thread reader([&io] { io.run(); });
  wait_until([&] { return engine->statistics().running + engine->statistics().waiting > 0; });
  const auto start = std::chrono::steady_clock::now();
  engine.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1s);
  reader.join();
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code(), Errc::unavailable);
}

TEST(BatchingEngine, AStreamMayOutliveTheEngine) {
  auto engine = make_engine({}, {.step_time = 1ms});
  net::io_context io;
  std::unique_ptr<llm::OutputStream> stream;
  net::co_spawn(
      io, engine->generate(greedy_request(numbers(1, 10), 100), runtime::Context::create("test")),
      [&](const std::exception_ptr&, Result<std::unique_ptr<llm::OutputStream>> result) {
        stream = *std::move(result);
      });
  io.run();
  engine.reset();
  stream.reset();
}

TEST(BatchingEngine, GrammarsAreCompiledOnThePoolAndTheirErrorsComeFirst) {
  runtime::ComputePool pool({.threads = 2});
  const auto engine = make_engine({.compute_pool = &pool});
  auto request = greedy_request(numbers(1, 10), 30);
  request.sampling_options.guided_decoding.emplace().choice = std::vector<std::string>{"x"};
  EXPECT_EQ(ask(*engine, request).finish(), Kind::eos);
  request.sampling_options.guided_decoding->choice.reset();
  request.sampling_options.guided_decoding->grammar = "root :: = broken";
  const Answer refused = ask(*engine, request);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), Errc::invalid_argument);
  EXPECT_EQ(refused.error->param(), "guided_grammar");
  request.sampling_options.guided_decoding->grammar = "";
  EXPECT_EQ(ask(*engine, request).error->param(), "guided_grammar");
  // Small as text, too large once its repetitions are spelled out.
  request.sampling_options.guided_decoding->grammar.reset();
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a{2000}";
  request.sampling_options.guided_decoding->regex = pattern;
  EXPECT_EQ(ask(*engine, request).error->param(), "guided_regex");
}

TEST(BatchingEngine, ClearKvBlocksDropsWhatIsNotInUse) {
  const auto engine = make_engine();
  ask(*engine, greedy_request(numbers(1, 20), 4));
  EXPECT_EQ(ask(*engine, greedy_request(numbers(1, 20), 4)).cached_tokens(), 16U);
  engine->clear_kv_blocks();
  wait_until([&] { return engine->statistics().kv_blocks_cached == 0; });
  EXPECT_EQ(ask(*engine, greedy_request(numbers(1, 20), 4)).cached_tokens(), 0U);
}

}  // namespace
}  // namespace batching_engine_test
}  // namespace dynamo::engines::batching
