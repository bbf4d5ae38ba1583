// SPDX-License-Identifier: Apache-2.0
#include "llm/http/engine_legs.h"

#include <map>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "llm/http/scripted_engine.h"

namespace dynamo::llm::http {
namespace engine_legs_test {
namespace {

namespace net = boost::asio;

PreprocessedRequest prompt(TokenId first, std::optional<std::int64_t> seed = std::nullopt) {
  PreprocessedRequest request;
  request.token_ids = {first};
  request.sampling_options.seed = seed;
  request.sampling_options.n = 3;
  return request;
}

TEST(EngineLegs, SplitsIntoOneRequestPerPromptAndChoice) {
  std::vector<PreprocessedRequest> prompts{prompt(1, 10), prompt(2)};
  const auto legs = EngineLegs::split(std::move(prompts), 3);
  ASSERT_EQ(legs.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(legs[i].token_ids[0], i / 3 + 1);
    EXPECT_EQ(legs[i].sampling_options.n, std::nullopt);
    EXPECT_EQ(
        legs[i].sampling_options.seed,
        i < 3 ? std::optional<std::int64_t>(10 + static_cast<std::int64_t>(i)) : std::nullopt);
  }
}

struct Seen {
  std::map<std::pair<std::size_t, std::uint32_t>, std::string> texts;  ///< by prompt and choice
  std::vector<std::size_t> over;
  Result<void> result;
};

net::awaitable<void> drain(EngineLegs& legs, std::shared_ptr<ScriptedEngine> engine,
                           std::vector<PreprocessedRequest> requests, std::size_t prompts,
                           Seen& seen) {
  seen.result = co_await legs.start(engine, std::move(requests), runtime::Context::create("id"));
  while (seen.result && seen.over.size() < prompts) {
    auto batch = co_await legs.next();
    if (!batch) {
      seen.result = fail(std::move(batch).error());
      break;
    }
    for (const auto& output : batch->outputs)
      for (const TokenId id : output.token_ids)
        seen.texts[{batch->prompt, output.index.value_or(0)}].push_back(static_cast<char>(id));
    if (batch->prompt_over) seen.over.push_back(batch->prompt);
  }
  co_await legs.close();
}

Seen run(std::shared_ptr<ScriptedEngine> engine, std::vector<PreprocessedRequest> requests,
         std::size_t prompts, std::uint32_t choices) {
  net::io_context io;
  Seen seen;
  EngineLegs legs(io.get_executor(), choices);
  net::co_spawn(io, drain(legs, engine, std::move(requests), prompts, seen),
                [](std::exception_ptr failure) { EXPECT_FALSE(failure); });
  io.run();
  return seen;
}

TEST(EngineLegs, MergesPromptsAndChoices) {
  const auto engine = std::make_shared<ScriptedEngine>([](const PreprocessedRequest& request) {
    return spell(
        std::string(request.token_ids[0] + 2, static_cast<char>('a' + request.token_ids[0])));
  });
  const Seen seen = run(engine, EngineLegs::split({prompt(0), prompt(1)}, 2), 2, 2);
  ASSERT_TRUE(seen.result);
  EXPECT_EQ(seen.texts.at({0, 0}), "aa");
  EXPECT_EQ(seen.texts.at({0, 1}), "aa");
  EXPECT_EQ(seen.texts.at({1, 0}), "bbb");
  EXPECT_EQ(seen.texts.at({1, 1}), "bbb");
  EXPECT_EQ(seen.over.size(), 2u);
  EXPECT_EQ(engine->running(), 0);
}

TEST(EngineLegs, ARefusalLeavesNothingRunning) {
  int count = 0;
  const auto engine = std::make_shared<ScriptedEngine>([&](const PreprocessedRequest&) {
    Script script{.refusal = {}, .steps = {}, .hang = true};
    if (++count == 3) script.refusal = Error(Errc::overloaded, "full");
    return script;
  });
  const Seen seen = run(engine, EngineLegs::split({prompt(0)}, 4), 1, 4);
  EXPECT_EQ(seen.result.error().code(), Errc::overloaded);
  EXPECT_EQ(engine->started(), 2);
  EXPECT_EQ(engine->running(), 0);
}

TEST(EngineLegs, AnErrorOfOneLegEndsAll) {
  int count = 0;
  const auto engine = std::make_shared<ScriptedEngine>([&](const PreprocessedRequest&) {
    Script script{.refusal = {}, .steps = {}, .hang = true};
    if (++count == 2)
      script.steps.push_back(
          {.delay = {}, .outputs = {}, .error = Error(Errc::internal, "broken")});
    return script;
  });
  const Seen seen = run(engine, EngineLegs::split({prompt(0)}, 3), 1, 3);
  EXPECT_EQ(seen.result.error().message(), "broken");
  EXPECT_EQ(engine->running(), 0);
}

}  // namespace
}  // namespace engine_legs_test
}  // namespace dynamo::llm::http
