// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/protocols/engine_output.h>
#include <dynamo/llm/protocols/preprocessed_request.h>

#include <gtest/gtest.h>

#include "openai/recorded_traffic.h"

namespace dynamo::llm::protocols_test {
namespace {

namespace recorded = openai::recorded;

template <class T>
std::string text(const T& value) {
  std::string out;
  JsonWriter writer(out);
  write_json(writer, value);
  return out;
}

Result<PreprocessedRequest> request(std::string_view json) {
  return preprocessed_request_from_json(*parse_json(json));
}

Result<EngineOutput> output(std::string_view json) {
  return engine_output_from_json(*parse_json(json));
}

TEST(PreprocessedRequest, RecordedPayloadsAreWrittenByteForByte) {
  const auto cases = recorded::cases("tcp_json.json");
  if (!cases) GTEST_SKIP() << "recorded traffic is not in " << recorded::folder();
  std::size_t compared = 0;
  for (const Json& one : *cases->if_array()) {
    for (const Json& sent : *one.find("request_plane")->if_array()) {
      const Json& payload = *sent.find("payload");
      const auto read = preprocessed_request_from_json(payload);
      ASSERT_TRUE(read) << read.error().describe();
      EXPECT_EQ(text(*read), payload.dump());
      ++compared;
    }
  }
  EXPECT_GE(compared, 8U);
}

TEST(EngineOutput, RecordedFramesAreWrittenByteForByte) {
  const auto cases = recorded::cases("tcp_json.json");
  if (!cases) GTEST_SKIP() << "recorded traffic is not in " << recorded::folder();
  std::size_t compared = 0;
  for (const Json& one : *cases->if_array()) {
    for (const Json& stream : *one.find("call_home")->if_array()) {
      for (const Json& frame : *stream.find("frames")->if_array()) {
        const Json* data = frame.pointer("/body/data/data");
        if (data == nullptr) continue;
        const auto read = engine_output_from_json(*data);
        ASSERT_TRUE(read) << read.error().describe();
        EXPECT_EQ(text(*read), data->dump());
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 30U);
}

TEST(PreprocessedRequest, AcceptsTheHealthCanaryAndUnknownMembers) {
  const auto canary = request(R"({"token_ids":[1],"_HEALTH_CHECK":true,"new":{"x":1}})");
  ASSERT_TRUE(canary) << canary.error().describe();
  EXPECT_TRUE(canary->health_check);
  EXPECT_TRUE(text(*canary).ends_with(R"("router_config_override":null,"_HEALTH_CHECK":true})"));
}

TEST(PreprocessedRequest, EveryMemberSurvivesARoundTrip) {
  const std::string json =
      R"({"model":"m","token_ids":[1,2],"prompt_embeds":"AA==","multi_modal_data":{"image_url":[]},)"
      R"("multi_modal_uuids":{"image_url":[null]},"mm_routing_info":{"routing_token_ids":[1]},)"
      R"("stop_conditions":{"max_tokens":16,"stop":["a"],"stop_token_ids":[3],"stop_token_ids_visible":[4],)"
      R"("stop_token_ids_hidden":[5],"min_tokens":1,"ignore_eos":false,"max_thinking_tokens":7},)"
      R"("sampling_options":{"n":2,"best_of":3,"presence_penalty":0.5,"frequency_penalty":-0.5,)"
      R"("repetition_penalty":1.1,"temperature":0.7,"top_p":0.9,"top_k":-1,"min_p":0.05,)"
      R"("use_beam_search":false,"length_penalty":1.0,"seed":-7,"include_stop_str_in_output":true,)"
      R"("guided_decoding":{"json":{"type":"object"},"backend":"x"}},)"
      R"("output_options":{"logprobs":3,"prompt_logprobs":1,"skip_special_tokens":false,)"
      R"("formatted_prompt":true,"return_tokens_as_token_ids":true},"eos_token_ids":[5],"mdc_sum":"ab",)"
      R"("annotations":["token_ids"],"routing":{"backend_instance_id":18446744073709551615,)"
      R"("prefill_worker_id":1,"decode_worker_id":2,"dp_rank":3,"prefill_dp_rank":4,)"
      R"("expected_output_tokens":5,"lora_name":"l","cache_salt":"s","priority_jump":3.0,)"
      R"("strict_priority":2,"priority":-3,"allowed_worker_ids":[9223372036854775809],)"
      R"("routing_constraints":{"required_taints":[]}},"router_config_override":{"router_temperature":0.5},)"
      R"("prefill_result":{"disaggregated_params":1},"encoder_result":{"a":1},)"
      R"("migration_link":{"trace_id":"0"},"bootstrap_info":{"bootstrap_room":9223372036854775807},)"
      R"("extra_args":{"nvext":{"cache_salt":"s"}},"require_reasoning":true,"router":{"ttft_target":1.0},)"
      R"("agent_context":{"a":1},"mm_processor_kwargs":{"b":2},"request_timestamp_ms":1.5,)"
      R"("_HEALTH_CHECK":true})";
  const auto read = request(json);
  ASSERT_TRUE(read) << read.error().describe();
  EXPECT_EQ(text(*read), json);
}

TEST(PreprocessedRequest, LogitBiasTravelsInExtraArgs) {
  PreprocessedRequest one;
  one.logit_bias = {{5, -1.5F}, {7, 100.0F}};
  one.extra_args = Json::object({{"nvext", Json::object()}});
  const std::string json = text(one);
  EXPECT_NE(
      json.find(
          R"("extra_args":{"nvext":{},"sampling_options":{"logit_bias":{"5":-1.5,"7":100.0}}})"),
      std::string::npos)
      << json;
  const auto back = request(json);
  ASSERT_TRUE(back) << back.error().describe();
  EXPECT_EQ(back->logit_bias, one.logit_bias);
  EXPECT_EQ(back->extra_args, one.extra_args);
  EXPECT_FALSE(
      request(R"({"token_ids":[],"extra_args":{"sampling_options":{"logit_bias":{"x":1}}}})"));
}

TEST(PreprocessedRequest, WrongTypesNameTheirMember) {
  const auto refused = [](std::string_view json) {
    const auto result = request(json);
    return result ? std::string("accepted") : result.error().param();
  };
  EXPECT_EQ(refused(R"({})"), "token_ids");
  EXPECT_EQ(refused(R"({"token_ids":[-1]})"), "token_ids");
  EXPECT_EQ(refused(R"({"token_ids":[4294967296]})"), "token_ids");
  EXPECT_EQ(refused(R"({"token_ids":[],"stop_conditions":{"max_tokens":"x"}})"),
            "stop_conditions.max_tokens");
  EXPECT_EQ(refused(R"({"token_ids":[],"sampling_options":{"n":256}})"), "sampling_options.n");
  EXPECT_EQ(refused(R"({"token_ids":[],"sampling_options":{"top_p":1e300}})"),
            "sampling_options.top_p");
  EXPECT_EQ(refused(R"({"token_ids":[],"encoder_result":[1]})"), "encoder_result");
  EXPECT_EQ(refused(R"([])"), "");
}

TEST(EngineOutput, MinimalWorkersAreUnderstood) {
  const auto plain = output(R"({"token_ids":[42]})");
  ASSERT_TRUE(plain);
  EXPECT_EQ(text(*plain),
            R"({"token_ids":[42],"tokens":null,"text":null,"cum_log_probs":null,"log_probs":null,)"
            R"("top_logprobs":null,"finish_reason":null,"index":null})");
  EXPECT_FALSE(output(R"({"no_token_ids":1})"));
  EXPECT_FALSE(output(R"("not a dict")"));
}

TEST(EngineOutput, FinishReasonsInAllForms) {
  using Kind = FinishReason::Kind;
  const auto reason = [](std::string_view json) {
    const auto read = output(R"({"token_ids":[],"finish_reason":)" + std::string(json) + "}");
    return read ? read->finish_reason : std::nullopt;
  };
  EXPECT_EQ(reason(R"("eos")"), (FinishReason{.kind = Kind::eos}));
  EXPECT_EQ(reason(R"("abort")"), (FinishReason{.kind = Kind::cancelled}));
  EXPECT_EQ(reason(R"("error: boom")"), (FinishReason{.kind = Kind::error, .message = "boom"}));
  EXPECT_EQ(reason(R"({"error":"boom"})"), (FinishReason{.kind = Kind::error, .message = "boom"}));
  EXPECT_EQ(reason(R"("error")"), std::nullopt);
  EXPECT_EQ(reason(R"({"error":"a","b":1})"), std::nullopt);
  EXPECT_EQ(reason(R"("whim")"), std::nullopt);
  EngineOutput failed;
  failed.finish_reason = FinishReason{.kind = Kind::error, .message = "boom"};
  EXPECT_NE(text(failed).find(R"("finish_reason":{"error":"boom"})"), std::string::npos);
}

TEST(EngineOutput, EveryMemberSurvivesARoundTrip) {
  const std::string json =
      R"({"token_ids":[1,2],"tokens":["a",null],"text":"a","cum_log_probs":-1.5,"log_probs":[-0.1,-0.2],)"
      R"("top_logprobs":[[{"rank":0,"token_id":1,"token":"a","logprob":-0.1,"bytes":[97]}],)"
      R"([{"rank":1,"token_id":2,"token":null,"logprob":-0.2}]],"finish_reason":"stop","stop_reason":7,)"
      R"("index":1,"completion_usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,)"
      R"("prompt_tokens_details":{"audio_tokens":null,"cached_tokens":0},"completion_tokens_details":)"
      R"({"accepted_prediction_tokens":null,"audio_tokens":null,"reasoning_tokens":4,)"
      R"("rejected_prediction_tokens":null}},"disaggregated_params":"dummy","encoder_result":{},)"
      R"("extra_args":{"a":1},"engine_data":[1],"routing_data":{"timing":null}})";
  const auto read = output(json);
  ASSERT_TRUE(read) << read.error().describe();
  EXPECT_EQ(text(*read), json);
}

}  // namespace
}  // namespace dynamo::llm::protocols_test
