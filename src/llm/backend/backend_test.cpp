// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/backend/backend.h>

#include <gtest/gtest.h>

#include "llm/test_tokenizer.h"

namespace dynamo::llm::backend_test {
namespace {

using Kind = FinishReason::Kind;

/// What a client would have seen of one choice in the end.
struct Seen {
  std::string text;
  std::optional<FinishReason> finish;
  std::optional<StopReason> stop;
  std::size_t outputs_behind_finish = 0;
  bool operator==(const Seen&) const = default;
};

PreprocessedRequest request() {
  PreprocessedRequest one;
  one.stop_conditions.stop_token_ids_hidden = {{test::kEndOfText}};
  return one;
}

void note(std::vector<BackendOutput>& outputs, Seen& seen) {
  for (const BackendOutput& output : outputs) {
    if (seen.finish) ++seen.outputs_behind_finish;
    seen.text += output.text;
    if (output.finish_reason) seen.finish = output.finish_reason;
    if (output.stop_reason) seen.stop = output.stop_reason;
  }
  outputs.clear();
}

/// Feeds `tokens` in pieces that end at `cuts`; the engine's finish reason comes with the last.
Seen run(const PreprocessedRequest& asked, const std::vector<TokenId>& tokens,
         std::optional<FinishReason> engine_finish, const std::vector<std::size_t>& cuts,
         bool one_batch) {
  Backend backend(test::byte_tokenizer(), asked);
  std::vector<EngineOutput> batch;
  std::vector<BackendOutput> outputs;
  Seen seen;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : tokens.size();
    EngineOutput& piece = batch.emplace_back();
    piece.token_ids.assign(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                           tokens.begin() + static_cast<std::ptrdiff_t>(end));
    if (i == cuts.size()) piece.finish_reason = engine_finish;
    begin = end;
    if (one_batch && i < cuts.size()) continue;
    backend.feed(batch, outputs);
    batch.clear();
    note(outputs, seen);
    if (backend.all_finished()) break;
  }
  backend.finish(outputs);
  note(outputs, seen);
  return seen;
}

/// The result, which must not depend on how the tokens are cut.
Seen run(const PreprocessedRequest& asked, const std::vector<TokenId>& tokens,
         std::optional<FinishReason> engine_finish = std::nullopt) {
  const Seen whole = run(asked, tokens, engine_finish, {}, false);
  std::vector<std::size_t> singles;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    singles.push_back(i);
    EXPECT_EQ(run(asked, tokens, engine_finish, {i}, false), whole) << "cut at " << i;
    EXPECT_EQ(run(asked, tokens, engine_finish, {i}, true), whole)
        << "cut at " << i << ", one batch";
  }
  EXPECT_EQ(run(asked, tokens, engine_finish, singles, false), whole) << "token by token";
  EXPECT_EQ(run(asked, tokens, engine_finish, singles, true), whole) << "token by token, one batch";
  return whole;
}

std::vector<TokenId> operator+(std::vector<TokenId> a, const std::vector<TokenId>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Backend, TextIsThatOfTheTokensAndTheEnginesReasonIsKept) {
  const Seen seen =
      run(request(), test::ids("naïve ☕ 日本語 🙂"), FinishReason{.kind = Kind::length});
  EXPECT_EQ(seen.text, "naïve ☕ 日本語 🙂");
  EXPECT_EQ(seen.finish->kind, Kind::length);
  EXPECT_FALSE(seen.stop);
}

TEST(Backend, AnIncompleteCharacterAtTheEndIsShownAsReplacement) {
  const Seen seen = run(request(), test::ids("a\xE6\x97"), FinishReason{.kind = Kind::length});
  EXPECT_EQ(seen.text, "a\xEF\xBF\xBD");
}

TEST(Backend, EndOfTextStopsWithoutItsTextAndWithoutReason) {
  const Seen seen =
      run(request(), test::ids("hi") + std::vector<TokenId>{test::kEndOfText} + test::ids("junk"));
  EXPECT_EQ(seen, (Seen{"hi", FinishReason{.kind = Kind::stop}, std::nullopt, 0}));
}

TEST(Backend, UserStopIdsAreHiddenAndReported) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop_token_ids = {{'!'}};
  const Seen seen = run(asked, test::ids("hi! there"));
  EXPECT_EQ(seen.text, "hi");
  EXPECT_EQ(seen.stop, StopReason(std::int64_t{'!'}));
}

TEST(Backend, VisibleStopIdsKeepTheirText) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop_token_ids_visible = {{'!'}};
  const Seen seen = run(asked, test::ids("hi! there"));
  EXPECT_EQ(seen.text, "hi!");
  EXPECT_EQ(seen.stop, StopReason(std::int64_t{'!'}));
}

TEST(Backend, NoByteOfAHiddenStopStringReachesTheClient) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop = {{"</answer>", "END"}};
  const Seen seen = run(asked, test::ids("x < y </answer> more"));
  EXPECT_EQ(seen, (Seen{"x < y ", FinishReason{.kind = Kind::stop}, StopReason("</answer>"), 0}));
}

TEST(Backend, IncludeStopStrKeepsTheStopString) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop = {{"END"}};
  asked.sampling_options.include_stop_str_in_output = true;
  EXPECT_EQ(run(asked, test::ids("abc END more")).text, "abc END");
}

TEST(Backend, WhatWasHeldBackIsReleasedWhenItIsNoStopString) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop = {{"</answer>"}};
  EXPECT_EQ(run(asked, test::ids("a </ans b")).text, "a </ans b");
  EXPECT_EQ(run(asked, test::ids("a </ans"), FinishReason{.kind = Kind::length}).text, "a </ans");
  EXPECT_EQ(run(asked, test::ids("a </ans") + std::vector<TokenId>{test::kEndOfText}).text,
            "a </ans");
}

TEST(Backend, MinTokensDelaysEveryCheck) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop = {{"b"}};
  asked.stop_conditions.min_tokens = 3;
  EXPECT_EQ(run(asked, test::ids("abab")).text, "aba");
  EXPECT_EQ(run(asked, std::vector<TokenId>{'a', test::kEndOfText, 'b', 'c'}).text, "a");
  asked.stop_conditions.min_tokens = 4;
  EXPECT_EQ(run(asked, test::ids("abab")).text, "aba");
  asked.stop_conditions.min_tokens = 5;
  EXPECT_EQ(run(asked, test::ids("abab")).text, "abab");
}

TEST(Backend, AStopIdWinsOverAStopString) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop = {{"b!"}};
  asked.stop_conditions.stop_token_ids = {{'!'}};
  const Seen seen = run(asked, test::ids("ab!"));
  EXPECT_EQ(seen.text, "ab");
  EXPECT_EQ(seen.stop, StopReason(std::int64_t{'!'}));
}

TEST(Backend, AStopStringCanBeginInTheMiddleOfAToken) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop = {{"lo wor"}};
  EXPECT_EQ(run(asked, {test::kHello, test::kWorld}).text, "Hel");
}

TEST(Backend, MaxTokensIsEnforcedWhenTheEngineForgets) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.max_tokens = 2;
  const Seen seen = run(asked, test::ids("abcd"));
  EXPECT_EQ(seen, (Seen{"ab", FinishReason{.kind = Kind::length}, std::nullopt, 0}));
}

TEST(Backend, TheEnginesOwnEndAtMaxTokensMayComeInAnOutputOfItsOwn) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.max_tokens = 2;
  Backend backend(test::byte_tokenizer(), asked);
  std::vector<EngineOutput> batch(2);
  batch[0].token_ids = test::ids("ab");
  batch[1].finish_reason = FinishReason{.kind = Kind::length};
  std::vector<BackendOutput> outputs;
  backend.feed(batch, outputs);
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_FALSE(outputs[0].finish_reason);
  EXPECT_EQ(outputs[1].finish_reason->kind, Kind::length);
  EXPECT_FALSE(backend.all_finished()) << "the engine ends by itself";
}

TEST(Backend, SpecialTokensAreSkippedUnlessAskedFor) {
  PreprocessedRequest asked = request();
  const std::vector<TokenId> tokens{'a', test::kEndOfTurn, 'b'};
  EXPECT_EQ(run(asked, tokens).text, "ab");
  asked.output_options.skip_special_tokens = false;
  EXPECT_EQ(run(asked, tokens).text, "a<|turn|>b");
}

TEST(Backend, TextOfTheEngineIsPassedThrough) {
  PreprocessedRequest asked = request();
  asked.stop_conditions.stop = {{"b"}};
  Backend backend(test::byte_tokenizer(), asked);
  std::vector<EngineOutput> batch(3);
  batch[0].token_ids = {0xE6};
  batch[0].tokens.emplace(1);
  batch[1].token_ids = {0x97, 0xA5};
  batch[1].text = "日";
  batch[2].token_ids = {'b'};
  batch[2].text = "b";
  batch[2].finish_reason = FinishReason{.kind = Kind::eos};
  std::vector<BackendOutput> outputs;
  backend.feed(batch, outputs);
  backend.finish(outputs);
  ASSERT_EQ(outputs.size(), 3U);
  EXPECT_EQ(outputs[0].text, "");
  EXPECT_EQ(outputs[1].text, "日");
  EXPECT_EQ(outputs[2].text, "b");
}

TEST(Backend, ChoicesDoNotShareState) {
  PreprocessedRequest asked = request();
  asked.sampling_options.n = 2;
  asked.stop_conditions.stop = {{"END"}};
  Backend backend(test::byte_tokenizer(), asked);
  std::vector<BackendOutput> outputs;
  std::array<std::string, 2> texts;
  const std::array<std::string_view, 2> sent{"aENxyz", "bEND..."};
  for (std::size_t i = 0; i < 6; ++i) {
    std::vector<EngineOutput> batch(2);
    for (std::uint32_t choice = 0; choice < 2; ++choice) {
      batch[choice].index = choice;
      batch[choice].token_ids = test::ids(sent[choice].substr(i, 1));
    }
    backend.feed(batch, outputs);
  }
  EXPECT_FALSE(backend.all_finished()) << "choice 0 goes on";
  std::vector<EngineOutput> end(1);
  end[0].index = 0;
  end[0].finish_reason = FinishReason{.kind = Kind::eos};
  backend.feed(end, outputs);
  EXPECT_TRUE(backend.all_finished());
  for (const BackendOutput& output : outputs) texts[output.index] += output.text;
  EXPECT_EQ(texts[0], "aENxyz");
  EXPECT_EQ(texts[1], "b");
}

TEST(Backend, AnUnknownChoiceIsAnErrorOfTheEngine) {
  Backend backend(test::byte_tokenizer(), request());
  std::vector<EngineOutput> batch(1);
  batch[0].index = 1;
  std::vector<BackendOutput> outputs;
  backend.feed(batch, outputs);
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0].finish_reason,
            (FinishReason{.kind = Kind::error, .message = "invalid choice index 1"}));
}

TEST(Backend, TokensBehindAStopAreDroppedFromTheTextButNotFromTheIds) {
  Backend backend(test::byte_tokenizer(), request());
  std::vector<EngineOutput> batch(2);
  batch[0].token_ids = {'a', test::kEndOfText, 'b'};
  batch[1].token_ids = {'c'};
  std::vector<BackendOutput> outputs;
  backend.feed(batch, outputs);
  ASSERT_EQ(outputs.size(), 1U) << "the choice is over";
  EXPECT_EQ(outputs[0].text, "a");
  EXPECT_EQ(outputs[0].token_ids.size(), 3U);
}

TEST(Backend, AUsageBehindTheStopStillArrives) {
  Backend backend(test::byte_tokenizer(), request());
  std::vector<EngineOutput> batch(2);
  batch[0].token_ids = {'a', test::kEndOfText};
  batch[1].token_ids = {'c'};
  batch[1].completion_usage = CompletionUsage{.prompt_tokens = 7};
  std::vector<BackendOutput> outputs;
  backend.feed(batch, outputs);
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_TRUE(outputs[1].text.empty());
  EXPECT_EQ(outputs[1].completion_usage->prompt_tokens, 7U);
}

TEST(Backend, AnOutputBehindTheEnginesEndIsPassedOn) {
  Backend backend(test::byte_tokenizer(), request());
  std::vector<EngineOutput> batch(2);
  batch[0].token_ids = {test::kHello};
  batch[0].finish_reason = FinishReason{.kind = Kind::stop};
  batch[1].token_ids = {','};
  std::vector<BackendOutput> outputs;
  backend.feed(batch, outputs);
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[1].text, ",");
}

TEST(Backend, LogprobsCarryTextAndBytesOfTheTokensShown) {
  PreprocessedRequest asked = request();
  asked.output_options.logprobs = 1;
  Backend backend(test::byte_tokenizer(), asked);
  std::vector<EngineOutput> batch(1);
  batch[0].token_ids = {test::kWorld, 0xE6, test::kEndOfText, 'x'};
  batch[0].log_probs = {{-0.5, -1.0, -1.5, -2.0}};
  batch[0].top_logprobs = {{{{.rank = 1, .token_id = test::kHello, .logprob = -0.25}}, {}, {}, {}}};
  std::vector<BackendOutput> outputs;
  backend.feed(batch, outputs);
  ASSERT_EQ(outputs.size(), 1U);
  const auto& entries = outputs[0].logprobs;
  ASSERT_EQ(entries.size(), 2U) << "neither the end token nor what follows";
  EXPECT_EQ(entries[0].token, " world");
  EXPECT_EQ(entries[0].bytes, " world");
  EXPECT_EQ(entries[0].logprob, -0.5);
  ASSERT_EQ(entries[0].top_logprobs.size(), 1U);
  EXPECT_EQ(entries[0].top_logprobs[0].token, "Hello");
  EXPECT_EQ(entries[1].token, "\xEF\xBF\xBD");
  EXPECT_EQ(entries[1].bytes, "\xE6");
}

TEST(Backend, TokensCanBeShownAsIds) {
  PreprocessedRequest asked = request();
  asked.output_options.logprobs = 0;
  asked.output_options.return_tokens_as_token_ids = true;
  Backend backend(test::byte_tokenizer(), asked);
  std::vector<EngineOutput> batch(1);
  batch[0].token_ids = {'a'};
  batch[0].log_probs = {{-0.5}};
  std::vector<BackendOutput> outputs;
  backend.feed(batch, outputs);
  ASSERT_EQ(outputs.at(0).logprobs.size(), 1U);
  EXPECT_EQ(outputs[0].logprobs[0].token, "token_id:97");
}

}  // namespace
}  // namespace dynamo::llm::backend_test
