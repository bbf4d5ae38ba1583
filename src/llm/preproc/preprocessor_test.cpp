// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/preproc/prompt_formatter.h>
#include <dynamo/openai/chat.h>
#include <dynamo/openai/completions.h>

#include <cstdlib>

#include <gtest/gtest.h>

#include "llm/preproc/request_mapping.h"
#include "llm/preproc/thinking.h"
#include "llm/test_tokenizer.h"
#include "openai/recorded_traffic.h"

namespace dynamo::llm::preprocessor_test {
namespace {

namespace recorded = openai::recorded;

/// Shows what it was given: "role: content" lines, the tools and the template arguments.
class PlainFormatter final : public PromptFormatter {
 public:
  Result<RenderedPrompt> render(const ChatPrompt& prompt) const override {
    RenderedPrompt rendered;
    for (const Json& message : *prompt.messages.if_array()) {
      if (recorded::text_at(message, "/content") == "raise") {
        return fail(Errc::invalid_argument, "Conversation roles must alternate");
      }
      rendered.text += recorded::text_at(message, "/role") + ": " +
                       recorded::text_at(message, "/content") + "\n";
    }
    if (prompt.template_args != nullptr) rendered.text += prompt.template_args->dump();
    return rendered;
  }
  std::string_view kind() const noexcept override { return "none"; }
};

std::shared_ptr<ModelCard> card() {
  auto one = test::byte_card();
  one->formatter = std::make_shared<PlainFormatter>();
  return one;
}

openai::ChatRequest chat(std::string_view members, std::string_view content = "hi") {
  auto request = openai::parse_chat_request(
      Json::object({{"model", Json("m")},
                    {"messages", Json(Json::Array{Json::object(
                                     {{"role", Json("user")}, {"content", Json(content)}})})}})
          .dump()
          .insert(1, std::string(members) + (members.empty() ? "" : ",")));
  if (!request) ADD_FAILURE() << request.error().describe();
  return *std::move(request);
}

Preprocessed preprocess(const openai::ChatRequest& request,
                        std::shared_ptr<ModelCard> with = card()) {
  auto prompt = Preprocessor(std::move(with)).preprocess(request);
  if (!prompt) {
    ADD_FAILURE() << prompt.error().describe();
    return {};
  }
  return *std::move(prompt);
}

openai::CompletionRequest completion(std::string_view body) {
  auto request = openai::parse_completion_request(body);
  if (!request) ADD_FAILURE() << request.error().describe();
  return *std::move(request);
}

TEST(Preprocessor, TextBecomesTokensWithoutNul) {
  const Preprocessed prompt = preprocess(chat("", std::string_view("a\0b", 3)));
  EXPECT_EQ(prompt.formatted_prompt, "user: ab\n");
  EXPECT_EQ(prompt.request.token_ids, test::ids("user: ab\n"));
  EXPECT_EQ(prompt.prompt_tokens, 9U);
}

TEST(Preprocessor, PrefixesComeFromTheCacheAndTokensStayTheSame) {
  const Preprocessor cached(card(), {.prefix_cache = {.enabled = true}});
  const Preprocessor plain(card());
  const auto first = chat("", "one<|turn|>two");
  const auto second = chat("", "one<|turn|>two and more");
  std::size_t known = 0;
  for (const auto* request : {&first, &first, &second}) {
    const auto prompt = cached.preprocess(*request);
    ASSERT_TRUE(prompt) << prompt.error().describe();
    EXPECT_EQ(prompt->request.token_ids, plain.preprocess(*request)->request.token_ids);
    ASSERT_TRUE(prompt->tokenizer_cache);
    const TokenizerCacheUse& use = *prompt->tokenizer_cache;
    EXPECT_EQ(use.cached_tokens + use.uncached_tokens, prompt->request.token_ids.size());
    // "user: one<|turn|>" has 10 tokens; the first request of all finds nothing.
    EXPECT_EQ(use.cached_tokens, known);
    known = 10;
  }
  EXPECT_FALSE(plain.preprocess(first)->tokenizer_cache);
}

TEST(Preprocessor, TheLastUserMessageIsAddedForEnginesThatAskForIt) {
  const auto request = openai::parse_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":"first"},)"
      R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},)"
      R"({"role":"assistant","content":"c"}]})");
  ASSERT_TRUE(request);
  const auto asked = Preprocessor(card(), {.add_last_user_tokens = true}).preprocess(*request);
  ASSERT_TRUE(asked);
  EXPECT_EQ(*asked->request.extra_args, *parse_json(R"({"last_user_token_ids":[97,98]})"));
  EXPECT_FALSE(preprocess(*request).request.extra_args);
}

TEST(Preprocessor, TheModelsEndTokensAreHiddenStops) {
  const Preprocessed prompt =
      preprocess(chat(R"("stop":["x"],"stop_token_ids":[5],"max_tokens":3)"));
  const StopConditions& stop = prompt.request.stop_conditions;
  EXPECT_EQ(stop.stop_token_ids_hidden, (std::vector<TokenId>{test::kEndOfText}));
  EXPECT_EQ(stop.stop_token_ids, (std::vector<TokenId>{5}));
  EXPECT_EQ(stop.max_tokens, 3U);
  EXPECT_EQ(prompt.request.eos_token_ids, (std::vector<TokenId>{test::kEndOfText}));
}

TEST(Preprocessor, IgnoreEosWipesEveryStop) {
  const Preprocessed prompt =
      preprocess(chat(R"("stop":["x"],"stop_token_ids":[5],"ignore_eos":true,"min_tokens":2)"));
  const StopConditions& stop = prompt.request.stop_conditions;
  EXPECT_FALSE(stop.stop || stop.stop_token_ids || stop.stop_token_ids_hidden);
  EXPECT_EQ(stop.min_tokens, 2U);
  EXPECT_TRUE(prompt.request.eos_token_ids.empty());
}

TEST(Preprocessor, SamplingIsMapped) {
  const SamplingOptions sampling =
      preprocess(
          chat(
              R"("temperature":0.5,"top_p":0.9,"top_k":0,"seed":-7,"n":2,"logit_bias":{"5":-1.5})"))
          .request.sampling_options;
  EXPECT_EQ(sampling.temperature, 0.5F);
  EXPECT_EQ(sampling.top_k, -1);
  EXPECT_EQ(sampling.seed, -7);
  EXPECT_EQ(sampling.n, std::uint8_t{2});
  EXPECT_EQ(preprocess(chat(R"("logit_bias":{"5":-1.5})")).request.logit_bias,
            (std::map<TokenId, float>{{5, -1.5F}}));
  const auto greedy =
      preprocess(chat(R"("temperature":0.5,"top_p":0.9,"nvext":{"greed_sampling":true})")).request;
  EXPECT_FALSE(greedy.sampling_options.temperature || greedy.sampling_options.top_p);
}

TEST(Preprocessor, DefaultsFillOnlyWhatTheRequestLeavesOpen) {
  auto with = card();
  with->generation_defaults = {.temperature = 0.6F, .top_p = 0.95F};
  const Preprocessor own(with, {.apply_generation_defaults = true});
  const auto sampling = own.preprocess(chat(R"("temperature":0)"))->request.sampling_options;
  EXPECT_EQ(sampling.temperature, 0.0F);
  EXPECT_EQ(sampling.top_p, 0.95F);
  EXPECT_FALSE(Preprocessor(with).preprocess(chat(""))->request.sampling_options.top_p);
}

TEST(Preprocessor, LogprobsCountAlternatives) {
  EXPECT_EQ(preprocess(chat(R"("logprobs":true)")).request.output_options.logprobs, 1U);
  EXPECT_EQ(preprocess(chat(R"("logprobs":true,"top_logprobs":4)")).request.output_options.logprobs,
            4U);
  EXPECT_FALSE(preprocess(chat(R"("top_logprobs":4)")).request.output_options.logprobs);
}

TEST(Preprocessor, ResponseFormatsGuideTheEngine) {
  const auto guided = [](std::string_view members) {
    const auto decoding = preprocess(chat(members)).request.sampling_options.guided_decoding;
    return decoding && decoding->json ? decoding->json->dump() : std::string("none");
  };
  EXPECT_EQ(guided(R"("response_format":{"type":"json_object"})"), R"({"type":"object"})");
  EXPECT_EQ(
      guided(
          R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"a":1}}})"),
      R"({"a":1})");
  EXPECT_EQ(guided(R"("response_format":{"type":"json_object"},"guided_json":{"b":2})"),
            R"({"b":2})");
  EXPECT_EQ(guided(R"("response_format":{"type":"text"})"), "none");
}

TEST(Preprocessor, APromptThatFillsTheContextIsRefused) {
  auto with = card();
  with->architectural_context_length = 9;
  const auto refused = Preprocessor(with).preprocess(chat("", "ab"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "This model's maximum context length is 9 tokens. However, your messages resulted in 9 "
            "tokens. "
            "Please reduce the length of the messages.");
  EXPECT_EQ(refused.error().reason(), "context_length_exceeded");
  EXPECT_EQ(refused.error().param(), "messages");
  EXPECT_TRUE(Preprocessor(with).preprocess(chat("", "a")));
  with->runtime_config.context_length = 4;
  const auto prompt =
      Preprocessor(with).preprocess(completion(R"({"model":"m","prompt":"abcd"})"), 0);
  ASSERT_FALSE(prompt);
  EXPECT_EQ(prompt.error().param(), "prompt");
}

TEST(Preprocessor, TheTemplatesOwnMessageIsTheClients) {
  const auto refused = Preprocessor(card()).preprocess(chat("", "raise"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::invalid_argument);
  EXPECT_EQ(refused.error().message(), "Conversation roles must alternate");
  EXPECT_EQ(refused.error().param(), "messages");
}

TEST(Preprocessor, AModelWithoutTemplateSaysWhyItCannotChat) {
  auto with = test::byte_card();
  with->chat_disabled_reason = "its template does not compile: line 3";
  const auto refused = Preprocessor(with).preprocess(chat(""));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::unavailable);
  EXPECT_NE(refused.error().message().find("line 3"), std::string::npos);
  EXPECT_TRUE(Preprocessor(with).preprocess(completion(R"({"model":"m","prompt":"a"})"), 0));
}

TEST(Preprocessor, AnnotationsAreJsonAndTokenIdsTwiceSo) {
  const Preprocessed prompt =
      preprocess(chat(R"("nvext":{"annotations":["formatted_prompt","token_ids"]})", "\""));
  ASSERT_EQ(prompt.annotations.size(), 2U);
  EXPECT_EQ(prompt.annotations[0].comment, R"("user: \"\n")");
  EXPECT_EQ(prompt.annotations[1].comment, R"("[117,115,101,114,58,32,34,10]")");
  EXPECT_EQ(prompt.request.annotations.size(), 2U);
}

TEST(Preprocessor, TokenDataReplacesThePrompt) {
  const Preprocessed prompt = preprocess(
      chat(R"("nvext":{"token_data":[1,2,3],"annotations":["token_ids"],"cache_salt":"s"})"));
  EXPECT_EQ(prompt.request.token_ids, (std::vector<TokenId>{1, 2, 3}));
  EXPECT_TRUE(prompt.annotations.empty());
  EXPECT_EQ(prompt.request.extra_args->dump(), R"({"nvext":{"token_in":true,"cache_salt":"s"}})");
  EXPECT_EQ(prompt.request.routing->cache_salt, "s");
  const auto refused =
      Preprocessor(card()).preprocess(chat(R"("nvext":{"token_data":[1,4000000000]})"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().param(), "nvext.token_data[1]");
}

TEST(Preprocessor, MediaGoWithTheRequest) {
  auto request = openai::parse_chat_request(
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see"},)"
      R"({"type":"image_url","image_url":{"url":"http://x/a.png"}},{"type":"image_url","uuid":"u1"}]}]})");
  ASSERT_TRUE(request);
  const Preprocessed prompt = preprocess(*request);
  EXPECT_EQ(prompt.request.multi_modal_data->dump(),
            R"({"image_url":[{"Url":"http://x/a.png"},{"UuidOnly":"u1"}]})");
  EXPECT_EQ(prompt.request.multi_modal_uuids->dump(), R"({"image_url":[null,"u1"]})");
  EXPECT_NE(prompt.request.extra_args->find("messages"), nullptr);
  EXPECT_FALSE(preprocess(chat("")).request.multi_modal_data);
}

TEST(Preprocessor, CompletionsTakeTextAndIds) {
  const Preprocessor own(card());
  const auto request = completion(R"({"model":"m","prompt":["ab","c"],"echo":true,"logprobs":2})");
  const auto second = own.preprocess(request, 1);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->request.token_ids, test::ids("c"));
  EXPECT_EQ(second->request.output_options.logprobs, 2U);
  EXPECT_EQ(second->request.output_options.prompt_logprobs, 1U);
  const auto ids = own.preprocess(completion(R"({"model":"m","prompt":[1,2]})"), 0);
  EXPECT_EQ(ids->request.token_ids, (std::vector<TokenId>{1, 2}));
  const auto refused =
      own.preprocess(completion(R"({"model":"m","prompt":[[1],[2,4000000000]]})"), 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().param(), "prompt[1][1]");
}

std::string thinking(std::string_view members, std::optional<std::string> fallback = std::nullopt) {
  ModelRuntimeConfig config;
  config.default_thinking_mode = std::move(fallback);
  const auto args = detail::template_arguments(chat(members), config);
  return args ? args->dump() : "none";
}

TEST(Thinking, TheMemberWinsOverSwitchesOverModeOverEffort) {
  constexpr std::string_view kOn =
      R"({"thinking":true,"enable_thinking":true,"thinking_mode":"enabled"})";
  EXPECT_EQ(thinking(""), "none");
  EXPECT_EQ(thinking(R"("thinking":true)"), kOn);
  EXPECT_EQ(thinking(R"("thinking":{"type":"adaptive"})"),
            R"({"thinking":true,"enable_thinking":true,"thinking_mode":"adaptive"})");
  EXPECT_EQ(thinking(R"("thinking":true,"chat_template_args":{"thinking":false})"), kOn);
  EXPECT_EQ(thinking(R"("chat_template_args":{"enable_thinking":false})"),
            R"({"enable_thinking":false,"thinking":false,"thinking_mode":"disabled"})");
  EXPECT_EQ(
      thinking(R"("chat_template_args":{"thinking_mode":"disabled"},"reasoning_effort":"high")"),
      R"({"thinking_mode":"disabled","thinking":false,"enable_thinking":false,"reasoning_effort":"high"})");
  EXPECT_EQ(
      thinking(R"("reasoning_effort":"none")"),
      R"({"thinking":false,"enable_thinking":false,"thinking_mode":"disabled","reasoning_effort":"none"})");
  EXPECT_EQ(thinking(R"("reasoning_effort":"low")"), R"({"reasoning_effort":"low"})");
}

TEST(Thinking, TheModelsDefaultCountsWhenNothingIsSaid) {
  EXPECT_EQ(thinking("", "disabled"),
            R"({"thinking":false,"enable_thinking":false,"thinking_mode":"disabled"})");
  EXPECT_EQ(thinking(R"("reasoning_effort":"low")", "disabled"), R"({"reasoning_effort":"low"})");
}

TEST(Preprocessor, TheCostGrowsWithTheText) {
  const Preprocessor own(card());
  EXPECT_LT(own.estimate_cost(chat("", "short")), std::chrono::microseconds(50));
  EXPECT_GT(own.estimate_cost(chat("", std::string(100'000, 'x'))), std::chrono::microseconds(500));
}

/// The published tokenizer that the recordings were made with.
std::filesystem::path qwen3_folder() {
  const char* set = std::getenv("DYNAMO_CACHE_DIR");
  const char* home = std::getenv("HOME");
  const std::filesystem::path cache =
      set != nullptr ? std::filesystem::path(set)
                     : std::filesystem::path(home != nullptr ? home : "") / ".cache/dynamo-cpp";
  return cache / "tokenizers" / "qwen3";
}

// The recorder shows binary32 numbers of MessagePack as doubles.
void narrow_numbers(Json& json) {
  if (JsonObject* object = json.if_object()) {
    for (auto& [key, value] : *object) narrow_numbers(value);
  } else if (json.kind() == Json::Kind::real) {
    std::string text;
    JsonWriter(text).value(static_cast<float>(*json.as_double()));
    json = *parse_json(text);
  }
}

// What a router or a worker adds, and where we add on purpose.
void remove_differences(Json& payload) {
  payload.if_object()->erase("mdc_sum");
  payload.if_object()->erase("routing");
  if (Json* args = payload.find("extra_args")) {
    args->if_object()->erase("sampling_options");
    if (args->if_object()->empty()) payload.if_object()->erase("extra_args");
  }
}

TEST(Preprocessor, RecordedRequestsBecomeTheReferencesPayloads) {
  const auto with = load_model_card(qwen3_folder(), {.name = "qwen3"});
  if (!with) GTEST_SKIP() << "the Qwen3 tokenizer is not here: " << with.error().message();
  ASSERT_TRUE((*with)->formatter) << (*with)->chat_disabled_reason;
  const Preprocessor own(*with);
  std::size_t compared = 0;
  for (const std::string_view file : {"tcp_json.json", "tcp_msgpack.json"}) {
    const auto cases = recorded::cases(file);
    if (!cases) GTEST_SKIP() << "recorded traffic is not in " << recorded::folder();
    for (const Json& one : *cases->if_array()) {
      const std::string http = recorded::text_at(one, "/http/request/text");
      const bool is_chat = http.starts_with("POST /v1/chat/completions ");
      const Json* sent = one.find("request_plane");
      if (sent == nullptr || (!is_chat && !http.starts_with("POST /v1/completions "))) continue;
      SCOPED_TRACE(recorded::text_at(one, "/case"));
      for (std::size_t i = 0; i < sent->if_array()->size(); ++i) {
        const std::string body = recorded::body(http);
        auto prompt = is_chat ? own.preprocess(*openai::parse_chat_request(body))
                              : own.preprocess(*openai::parse_completion_request(body), i);
        ASSERT_TRUE(prompt) << prompt.error().describe();
        std::string text;
        JsonWriter out(text);
        write_json(out, prompt->request);
        Json ours = *parse_json(text);
        Json theirs = *sent->at(i)->find("payload");
        remove_differences(ours);
        remove_differences(theirs);
        narrow_numbers(theirs);
        EXPECT_EQ(ours.dump(), theirs.dump());
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 30U);
}

}  // namespace
}  // namespace dynamo::llm::preprocessor_test
