// SPDX-License-Identifier: Apache-2.0
#include "llm/http/tokenization.h"

#include <dynamo/base/json.h>
#include <dynamo/llm/preproc/prompt_formatter.h>
#include <dynamo/runtime/compute_pool.h>
#include <dynamo/runtime/shutdown.h>
#include <dynamo/tokenizer/tokenizer.h>

#include <optional>
#include <utility>
#include <vector>

#include "llm/http/error_response.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;

// A body of this size is parsed and tokenized in less than 100 us.
constexpr std::size_t kInlineBodyBytes = std::size_t{2} * 1024;

Error wrong(std::string_view member, std::string_view expected) {
  return Error(Errc::invalid_argument,
               "'" + std::string(member) + "' must be " + std::string(expected))
      .with_param(std::string(member));
}

Result<bool> flag(const Json& body, std::string_view name, bool otherwise) {
  const Json* value = body.find(name);
  if (value == nullptr || value->is_null()) return otherwise;
  if (const bool* on = value->if_bool()) return *on;
  return fail(wrong(name, "a boolean"));
}

const Json* present(const Json& body, std::string_view name) {
  const Json* value = body.find(name);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

Result<Json> parse_object(std::string_view text) {
  base::JsonParseOptions options;
  options.lenient = true;
  auto body = parse_json(text, options);
  if (!body)
    return fail(
        std::move(body).error().with("Failed to deserialize the JSON body into the target type"));
  if (!body->is_object())
    return fail(Errc::invalid_argument,
                "Failed to deserialize the JSON body into the target type: expected an object");
  return body;
}

/// The model that the body names, or the only one.
Result<ServedModelPtr> find_model(const Json& body, const ModelSnapshot& models) {
  ServedModelPtr model;
  if (const Json* name = present(body, "model")) {
    const std::string* text = name->if_string();
    if (text == nullptr) return fail(wrong("model", "a string"));
    model = models.find(*text);
  } else if (models.models().size() == 1) {
    model = models.models().begin()->second;
  } else {
    return fail(wrong("model", "given when several models are served"));
  }
  if (!model) return fail(model_not_found());
  if (!model->card || !model->card->tokenizer) return fail(not_ready(*model));
  return model;
}

Result<std::vector<TokenId>> encode_messages(const Json& body, const Json& messages,
                                             const ModelCard& card, bool add_special_tokens) {
  if (!messages.is_array() || messages.if_array()->empty())
    return fail(wrong("messages", "a list with at least one message"));
  if (!card.formatter)
    return fail(Errc::unavailable,
                "Model `" + card.name + "` has no chat template: " + card.chat_disabled_reason);
  ChatPrompt prompt{.messages = messages};
  prompt.tools = present(body, "tools");
  prompt.template_args = present(body, "chat_template_kwargs");
  DYN_TRY(prompt.add_generation_prompt, flag(body, "add_generation_prompt", true));
  DYN_TRY(prompt.continue_final_message, flag(body, "continue_final_message", false));
  DYN_TRY(const RenderedPrompt rendered, card.formatter->render(prompt));
  const tokenizer::EncodeOptions options{.add_special_tokens = add_special_tokens};
  std::vector<TokenId> tokens;
  if (!rendered.is_segmented()) {
    DYN_CHECK(card.tokenizer->encode(rendered.text, tokens, options));
    return tokens;
  }
  std::vector<tokenizer::Segment> segments;
  for (const auto& segment : rendered.segments)
    segments.push_back({segment.text, segment.allow_special});
  DYN_CHECK(card.tokenizer->encode_segments(segments, tokens, options));
  return tokens;
}

Result<std::string> tokenize(std::string_view text, const ModelSnapshot& models) {
  DYN_TRY(const Json body, parse_object(text));
  DYN_TRY(const ServedModelPtr model, find_model(body, models));
  const tokenizer::Tokenizer& tokenizer = *model->card->tokenizer;
  const Json* messages = present(body, "messages");
  const Json* prompt = present(body, "prompt");
  if ((messages != nullptr) == (prompt != nullptr))
    return fail(wrong("prompt", "given, or 'messages', but not both"));
  // A template writes the special tokens itself, so the default differs, as in vLLM.
  DYN_TRY(const bool add_special_tokens, flag(body, "add_special_tokens", messages == nullptr));
  DYN_TRY(const bool wants_texts, flag(body, "return_token_strs", false));
  std::vector<TokenId> tokens;
  if (messages != nullptr) {
    DYN_TRY(tokens, encode_messages(body, *messages, *model->card, add_special_tokens));
  } else {
    const std::string* prompt_text = prompt->if_string();
    if (prompt_text == nullptr) return fail(wrong("prompt", "a string"));
    DYN_CHECK(tokenizer.encode(*prompt_text, tokens, {.add_special_tokens = add_special_tokens}));
  }
  std::string answer;
  JsonWriter out(answer);
  out.begin_object().member("count", std::uint64_t{tokens.size()});
  out.member("max_model_len", model->context_length());
  out.key("tokens").begin_array();
  for (const TokenId token : tokens) out.value(token);
  out.end_array().key("token_strs");
  if (wants_texts) {
    out.begin_array();
    for (const TokenId token : tokens) out.value(tokenizer.token(token));
    out.end_array();
  } else {
    out.null();
  }
  out.end_object();
  return answer;
}

Result<std::string> detokenize(std::string_view text, const ModelSnapshot& models) {
  DYN_TRY(const Json body, parse_object(text));
  DYN_TRY(const ServedModelPtr model, find_model(body, models));
  const tokenizer::Tokenizer& tokenizer = *model->card->tokenizer;
  const Json* list = present(body, "tokens");
  if (list == nullptr || !list->is_array()) return fail(wrong("tokens", "a list of token ids"));
  std::vector<TokenId> tokens;
  tokens.reserve(list->if_array()->size());
  for (const Json& entry : *list->if_array()) {
    const auto id = entry.as_uint64();
    if (!id || *id >= tokenizer.vocab_size())
      return fail(wrong("tokens[" + std::to_string(tokens.size()) + "]",
                        "a token id below " + std::to_string(tokenizer.vocab_size())));
    tokens.push_back(static_cast<TokenId>(*id));
  }
  std::string answer;
  JsonWriter(answer).begin_object().member("prompt", tokenizer.decode(tokens, false)).end_object();
  return answer;
}

using Operation = Result<std::string> (*)(std::string_view, const ModelSnapshot&);

net::awaitable<Result<std::string>> run(RouteCall call, Operation operation) {
  DYN_CO_TRY(std::string body, co_await read_json_body(call));
  if (call.parts.shutdown.stage() != runtime::Shutdown::Stage::running)
    co_return fail(Errc::unavailable, "Service is not ready");
  auto models = call.parts.models.snapshot();
  if (body.size() <= kInlineBodyBytes) co_return operation(body, *models);
  auto job = [operation, body = std::move(body), models = std::move(models)] {
    return operation(body, *models);
  };
  DYN_CO_TRY(auto done, co_await call.parts.compute.run(std::move(job)));
  co_return done;
}

net::awaitable<void> serve(RouteCall call, Operation operation) {
  auto answer = co_await run(call, operation);
  if (answer)
    static_cast<void>(co_await call.exchange.respond(200, kJsonType, *std::move(answer)));
  else
    co_await answer_error(call, std::move(answer).error());
}

}  // namespace

net::awaitable<void> serve_tokenize(RouteCall call) {
  return serve(call, tokenize);
}
net::awaitable<void> serve_detokenize(RouteCall call) {
  return serve(call, detokenize);
}

}  // namespace dynamo::llm::http
