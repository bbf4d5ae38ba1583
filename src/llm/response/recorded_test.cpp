// SPDX-License-Identifier: Apache-2.0
#include <dynamo/llm/preproc/preprocessor.h>
#include <dynamo/llm/response/response_pipeline.h>
#include <dynamo/openai/chat.h>
#include <dynamo/openai/completions.h>

#include <algorithm>

#include <gtest/gtest.h>

#include "llm/test_tokenizer.h"
#include "openai/recorded_traffic.h"

/// Replays recorded exchanges: the worker's frames go through our stages, the bytes for the client
/// have to be those that the reference sent.
namespace dynamo::llm::recorded_test {
namespace {

namespace recorded = openai::recorded;

struct Exchange {
  std::string name;
  bool chat = true;
  std::string request_body;
  std::vector<std::string> answer;  ///< one element per chunk of the body
  std::string request_id;
  std::uint32_t created = 0;
  std::vector<Preprocessed> prompts;
  std::vector<std::vector<EngineOutput>> frames;  ///< of each prompt
};

// The outputs of one response stream; none when it has something that is not for these stages.
std::optional<std::vector<EngineOutput>> frames_of(const Json& stream) {
  if (stream.find("data_frames_left_out") != nullptr) return std::nullopt;
  std::vector<EngineOutput> frames;
  for (const Json& frame : *stream.find("frames")->if_array()) {
    const Json* body = frame.find("body");
    const Json* data = body != nullptr ? body->find("data") : nullptr;
    if (data == nullptr) continue;
    const Json* output = data->find("data");
    auto read = output != nullptr ? engine_output_from_json(*output)
                                  : Result<EngineOutput>(fail(Errc::internal, ""));
    if (!read) return std::nullopt;
    // The Python worker sends ids of Qwen3: 11 is the comma.
    for (TokenId& id : read->token_ids) {
      if (id == 11) id = ',';
    }
    frames.push_back(*std::move(read));
  }
  return frames;
}

std::optional<Exchange> read_exchange(const Json& one) {
  Exchange exchange;
  exchange.name = recorded::text_at(one, "/case");
  const std::string request = recorded::text_at(one, "/http/request/text");
  exchange.chat = request.starts_with("POST /v1/chat/completions ");
  const std::string response = recorded::text_at(one, "/http/response/text");
  const Json* sent = one.find("request_plane");
  const Json* streams = one.find("call_home");
  if ((!exchange.chat && !request.starts_with("POST /v1/completions ")) || sent == nullptr ||
      streams == nullptr || !response.starts_with("HTTP/1.1 200")) {
    return std::nullopt;
  }
  exchange.request_body = recorded::body(request);
  exchange.answer = recorded::body_chunks(response);
  if (exchange.answer.empty() || exchange.answer.front().starts_with("event: "))
    return std::nullopt;
  // Ours prepends the prompt, as OpenAI does.
  if (exchange.request_body.find("\"echo\":true") != std::string::npos) return std::nullopt;
  // A client that left, or an answer that took several workers.
  const bool stream = exchange.answer.front().starts_with("data: ");
  if (stream && exchange.answer.back() != "data: [DONE]\n\n") return std::nullopt;
  if (exchange.chat && streams->if_array()->size() != 1) return std::nullopt;
  // Times and workers of that run.
  if (response.find("\"nvext\":") != std::string::npos) return std::nullopt;
  const bool failed = response.find("{\"error\":{") != std::string::npos;
  const std::string& first = exchange.answer.front();
  const auto body = parse_json(first.starts_with("data: ") ? std::string_view(first).substr(6)
                                                           : std::string_view(first));
  if (body) {
    const std::string id = recorded::text_at(*body, "/id");
    exchange.request_id = id.substr(std::min(id.size(), id.find('-') + 1));
    const Json* created = body->find("created");  // an error body has none
    if (created != nullptr)
      exchange.created = static_cast<std::uint32_t>(created->as_uint64().value_or(0));
  }
  if (sent->if_array()->size() != streams->if_array()->size()) return std::nullopt;
  for (std::size_t i = 0; i < sent->if_array()->size(); ++i) {
    auto payload = preprocessed_request_from_json(*sent->at(i)->find("payload"));
    auto frames = frames_of(*streams->at(i));
    if (!payload || !frames) return std::nullopt;
    const bool engine_failed = std::ranges::any_of(*frames, [](const EngineOutput& frame) {
      return frame.finish_reason && frame.finish_reason->kind == FinishReason::Kind::error;
    });
    // Other failures are the transport's.
    if (failed && !engine_failed) return std::nullopt;
    Preprocessed prompt;
    prompt.prompt_tokens = static_cast<std::uint32_t>(payload->token_ids.size());
    prompt.request = *std::move(payload);
    // Ids of Qwen3 are other texts here.
    prompt.request.token_ids = test::ids("prompt");
    exchange.prompts.push_back(std::move(prompt));
    exchange.frames.push_back(*std::move(frames));
  }
  return exchange;
}

Result<std::unique_ptr<ResponsePipeline>> make_pipeline(const Exchange& exchange) {
  ResponseContext context;
  context.request_id = exchange.request_id;
  context.received_at = base::SystemTime(std::chrono::seconds(exchange.created));
  context.card = test::byte_card();
  if (exchange.chat) {
    DYN_TRY(const auto request, openai::parse_chat_request(exchange.request_body));
    return make_chat_response(request, exchange.prompts.front(), context);
  }
  DYN_TRY(const auto request, openai::parse_completion_request(exchange.request_body));
  return make_completion_response(request, exchange.prompts, context);
}

// The bytes for the client, with frames fed in batches of `batch_size`.
std::string replay(const Exchange& exchange, std::size_t batch_size) {
  auto pipeline = make_pipeline(exchange);
  if (!pipeline) return pipeline.error().describe();
  std::string out;
  (*pipeline)->begin(out);
  for (std::size_t prompt = 0; prompt < exchange.frames.size(); ++prompt) {
    std::vector<EngineOutput> frames = exchange.frames[prompt];
    for (std::span<EngineOutput> rest = frames; !rest.empty();) {
      const auto batch = rest.first(std::min(batch_size, rest.size()));
      if (!(*pipeline)->feed(prompt, batch, out)) {
        (*pipeline)->fail(out);
        return out;
      }
      rest = rest.subspan(batch.size());
    }
    if (auto finished = (*pipeline)->finish(prompt, out); !finished)
      return finished.error().describe();
  }
  return out;
}

TEST(RecordedExchange, TheClientGetsTheReferencesBytes) {
  std::size_t compared = 0;
  for (const std::string_view file : {"tcp_json.json", "tcp_msgpack.json",
                                      "worker_python_engine.json", "raw_worker_vs_frontend.json"}) {
    const auto cases = recorded::cases(file);
    if (!cases) GTEST_SKIP() << "recorded traffic is not in " << recorded::folder();
    for (const Json& one : *cases->if_array()) {
      const auto exchange = read_exchange(one);
      if (!exchange) continue;
      SCOPED_TRACE(exchange->name);
      std::string expected;
      for (const std::string& chunk : exchange->answer) expected += chunk;
      EXPECT_EQ(replay(*exchange, 1), expected);
      EXPECT_EQ(replay(*exchange, 2), expected);
      EXPECT_EQ(replay(*exchange, 1000), expected);
      ++compared;
    }
  }
  EXPECT_GE(compared, 50U);
  RecordProperty("compared", static_cast<int>(compared));
}

}  // namespace
}  // namespace dynamo::llm::recorded_test
