// SPDX-License-Identifier: Apache-2.0
#include <dynamo/config/configuration.h>
#include <dynamo/engines/echo/echo_engine.h>
#include <dynamo/runtime/context.h>

#include <chrono>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

namespace dynamo::engines::echo {
namespace echo_engine_test {
namespace {

namespace net = boost::asio;
using llm::EngineOutput;
using llm::FinishReason;
using llm::TokenId;
using Batches = std::vector<std::vector<EngineOutput>>;

/// Runs a coroutine to its end on an io_context of its own.
template <class T>
T run(net::awaitable<T> work) {
  net::io_context io;
  std::optional<T> out;
  net::co_spawn(io, std::move(work), [&out](std::exception_ptr failure, T value) {
    if (failure) std::rethrow_exception(failure);
    out.emplace(std::move(value));
  });
  io.run();
  return std::move(*out);
}

llm::PreprocessedRequest request_of(std::vector<TokenId> prompt) {
  llm::PreprocessedRequest request;
  request.token_ids = std::move(prompt);
  return request;
}

net::awaitable<Result<Batches>> collect(EchoEngine& engine, llm::PreprocessedRequest request,
                                        runtime::ContextPtr context) {
  DYN_CO_TRY(auto stream, co_await engine.generate(std::move(request), std::move(context)));
  Batches out;
  for (;;) {
    DYN_CO_TRY(auto batch, co_await stream->next());
    if (batch.empty()) co_return out;
    out.push_back(std::move(batch));
  }
}

Batches collect(EchoEngine& engine, llm::PreprocessedRequest request) {
  auto result = run(collect(engine, std::move(request), runtime::Context::create("test")));
  EXPECT_TRUE(result) << result.error().describe();
  return std::move(result).value_or(Batches{});
}

std::vector<TokenId> tokens_of(const Batches& batches) {
  std::vector<TokenId> out;
  for (const auto& batch : batches) {
    for (const auto& output : batch) {
      out.insert(out.end(), output.token_ids.begin(), output.token_ids.end());
    }
  }
  return out;
}

TEST(EchoEngine, WithoutDelayTheAnswerIsOneBatchOfOneTokenPerOutput) {
  EchoEngine engine({.delay = std::chrono::milliseconds(0)});
  const Batches batches = collect(engine, request_of({5, 6, 7}));
  ASSERT_EQ(batches.size(), 1U);
  ASSERT_EQ(batches[0].size(), 3U);
  EXPECT_EQ(tokens_of(batches), (std::vector<TokenId>{5, 6, 7}));
  EXPECT_FALSE(batches[0][1].finish_reason);
  EXPECT_EQ(batches[0][2].finish_reason->kind, FinishReason::Kind::stop);
  EXPECT_EQ(batches[0][2].completion_usage->prompt_tokens, 3U);
  EXPECT_EQ(batches[0][2].completion_usage->total_tokens, 6U);
}

TEST(EchoEngine, ALongAnswerComesInBatchesOfBoundedSize) {
  EchoEngine engine({.delay = std::chrono::milliseconds(0)});
  const Batches batches = collect(engine, request_of(std::vector<TokenId>(5'000, 7)));
  EXPECT_EQ(tokens_of(batches).size(), 5'000U);
  for (const auto& batch : batches) EXPECT_LE(batch.size(), 1'024U);
  EXPECT_EQ(batches.back().back().completion_usage->completion_tokens, 5'000U);
}

TEST(EchoEngine, SaysBackTheLastUserMessageWhenThePreprocessorSentIt) {
  EchoEngine engine({.delay = std::chrono::milliseconds(0)});
  EXPECT_TRUE(engine.info().wants_last_user_tokens);
  auto request = request_of({1, 2, 3, 4});
  request.extra_args = Json::object({{"last_user_token_ids", Json(Json::Array{2, 3})}});
  EXPECT_EQ(tokens_of(collect(engine, request)), (std::vector<TokenId>{2, 3}));

  request.extra_args = Json::object({{"last_user_token_ids", Json(Json::Array{2, -3})}});
  const auto refused = run(collect(engine, request, runtime::Context::create("test")));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::invalid_argument);
}

TEST(EchoEngine, MaxTokensEndsWithLengthOnlyWhenItCutsTheAnswer) {
  EchoEngine engine({.delay = std::chrono::milliseconds(0)});
  for (const auto& [limit, kind] :
       {std::pair{2U, FinishReason::Kind::length}, std::pair{3U, FinishReason::Kind::stop},
        std::pair{0U, FinishReason::Kind::length}}) {
    auto request = request_of({5, 6, 7});
    request.stop_conditions.max_tokens = limit;
    const Batches batches = collect(engine, request);
    EXPECT_EQ(tokens_of(batches).size(), limit);
    EXPECT_EQ(batches.back().back().finish_reason->kind, kind) << limit;
  }
}

TEST(EchoEngine, EveryChoiceSaysTheSame) {
  EchoEngine engine({.delay = std::chrono::milliseconds(0)});
  auto request = request_of({5, 6});
  request.sampling_options.n = 2;
  const Batches batches = collect(engine, request);
  ASSERT_EQ(batches.size(), 1U);
  ASSERT_EQ(batches[0].size(), 4U);
  EXPECT_EQ(tokens_of(batches), (std::vector<TokenId>{5, 5, 6, 6}));
  EXPECT_EQ(batches[0][1].index, 1U);
  EXPECT_TRUE(batches[0][2].finish_reason && batches[0][3].finish_reason);
  EXPECT_FALSE(batches[0][2].completion_usage);
  EXPECT_EQ(batches[0][3].completion_usage->completion_tokens, 4U);
}

TEST(EchoEngine, AnEmptyAnswerStillHasItsFinishReason) {
  EchoEngine engine({.delay = std::chrono::milliseconds(1)});
  const Batches batches = collect(engine, request_of({}));
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0][0].finish_reason->kind, FinishReason::Kind::stop);
}

TEST(EchoEngine, LogprobsAreCertain) {
  EchoEngine engine({.delay = std::chrono::milliseconds(0)});
  auto request = request_of({5});
  request.output_options.logprobs = 2;
  const Batches batches = collect(engine, request);
  EXPECT_EQ(*batches[0][0].log_probs, std::vector<double>{0.0});
  EXPECT_EQ((*batches[0][0].top_logprobs)[0][0].token_id, 5U);
}

TEST(EchoEngine, WithADelayTokensKeepThePaceOfTheClock) {
  EchoEngine engine({.delay = std::chrono::milliseconds(2)});
  const auto start = std::chrono::steady_clock::now();
  const Batches batches = collect(engine, request_of({1, 2, 3, 4, 5}));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(10));
  EXPECT_EQ(tokens_of(batches).size(), 5U);
}

/// Reads one batch, stops or kills the context, and returns what comes then.
net::awaitable<Result<std::vector<EngineOutput>>> interrupted(EchoEngine& engine, bool kill) {
  auto context = runtime::Context::create("test");
  DYN_CO_TRY(auto stream, co_await engine.generate(request_of({1, 2, 3}), context));
  net::steady_timer timer(co_await net::this_coro::executor, std::chrono::milliseconds(1));
  timer.async_wait(
      [&context, kill](boost::system::error_code) { kill ? context->kill() : context->stop(); });
  auto batch = co_await stream->next();  // would take an hour
  DYN_CO_TRY(auto after, co_await stream->next());
  EXPECT_TRUE(after.empty());
  co_return batch;
}

TEST(EchoEngine, StopEndsAWaitWithFinishReasonCancelled) {
  EchoEngine engine({.delay = std::chrono::hours(1)});
  const auto batch = run(interrupted(engine, false));
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->size(), 1U);
  EXPECT_TRUE(batch->front().token_ids.empty());
  EXPECT_EQ(batch->front().finish_reason->kind, FinishReason::Kind::cancelled);
}

TEST(EchoEngine, KillEndsAWaitWithAnError) {
  EchoEngine engine({.delay = std::chrono::hours(1)});
  const auto batch = run(interrupted(engine, true));
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code(), Errc::cancelled);
}

TEST(EchoEngine, AThousandStreamsShareOneThread) {
  EchoEngine engine({.delay = std::chrono::milliseconds(5)});
  net::io_context io;
  std::size_t ended = 0;
  for (int i = 0; i < 1000; ++i) {
    net::co_spawn(io, collect(engine, request_of({1, 2, 3, 4}), runtime::Context::create("test")),
                  [&ended](const std::exception_ptr& failure, Result<Batches> result) {
                    ended += !failure && result && tokens_of(*result).size() == 4 ? 1 : 0;
                  });
  }
  io.run();
  EXPECT_EQ(ended, 1000U);
}

TEST(EchoEngine, TheDelayIsConfigured) {
  {
    const config::ScopedConfiguration unset;
    EXPECT_EQ(options_from_configuration().delay, std::chrono::milliseconds(10));
  }
  const config::ScopedConfiguration none{{"DYN_TOKEN_ECHO_DELAY_MS", "0"}};
  EXPECT_EQ(options_from_configuration().delay.count(), 0);
}

}  // namespace
}  // namespace echo_engine_test
}  // namespace dynamo::engines::echo
