// SPDX-License-Identifier: Apache-2.0
#include "llm/http/busy_threshold.h"

#include <dynamo/base/json.h>

#include <string>
#include <string_view>
#include <utility>

#include "llm/http/error_response.h"

namespace dynamo::llm::http {
namespace {

namespace net = boost::asio;

constexpr std::string_view kDecodeBlocks = "active_decode_blocks_threshold";
constexpr std::string_view kPrefillTokens = "active_prefill_tokens_threshold";
constexpr std::string_view kPrefillTokensFrac = "active_prefill_tokens_threshold_frac";

struct Refusal {
  int status = 200;
  std::string message;
};

struct Ask {
  std::string model;
  BusyThresholds thresholds;
  bool sets() const noexcept {
    return thresholds.active_decode_blocks || thresholds.active_prefill_tokens ||
           thresholds.active_prefill_tokens_frac;
  }
};

Refusal wrong_type(std::string_view member, std::string_view expected) {
  std::string message = "`";
  message.append(member).append("` must be ").append(expected);
  return {422, std::move(message)};
}

/// The member when it is there and not null.
const Json* given(const Json& body, std::string_view member) {
  const Json* value = body.find(member);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

Refusal read(std::string_view text, Ask& to) {
  const auto body = parse_json(text);
  if (!body) return {400, body.error().message()};
  if (!body->is_object()) return {422, "the body must be an object"};
  const Json* model = body->find("model");
  if (model == nullptr || model->if_string() == nullptr) return wrong_type("model", "a string");
  to.model = *model->if_string();
  if (const Json* share = given(*body, kDecodeBlocks)) {
    const auto value = share->as_double();
    if (!value) return wrong_type(kDecodeBlocks, "a number from 0 to 1");
    if (*value < 0 || *value > 1)
      return {400, std::string(kDecodeBlocks) + " must be between 0 and 1"};
    to.thresholds.active_decode_blocks = value;
  }
  if (const Json* tokens = given(*body, kPrefillTokens)) {
    const auto value = tokens->as_uint64();
    if (!value) return wrong_type(kPrefillTokens, "an integer of at least 0");
    to.thresholds.active_prefill_tokens = value;
  }
  if (const Json* times = given(*body, kPrefillTokensFrac)) {
    const auto value = times->as_double();
    if (!value) return wrong_type(kPrefillTokensFrac, "a number of at least 0");
    if (*value < 0) return {400, std::string(kPrefillTokensFrac) + " must be at least 0"};
    to.thresholds.active_prefill_tokens_frac = value;
  }
  return {};
}

void write(JsonWriter& out, std::string_view model, const BusyThresholds& thresholds) {
  out.begin_object()
      .member("model", model)
      .member_or_null(kDecodeBlocks, thresholds.active_decode_blocks)
      .member_or_null(kPrefillTokens, thresholds.active_prefill_tokens)
      .member_or_null(kPrefillTokensFrac, thresholds.active_prefill_tokens_frac)
      .end_object();
}

std::string refusal_body(std::string_view message) {
  std::string text;
  JsonWriter(text).begin_object().member("error", message).end_object();
  return text;
}

}  // namespace

net::awaitable<void> serve_busy_thresholds(RouteCall call) {
  std::string text;
  JsonWriter out(text);
  out.begin_object().key("thresholds").begin_array();
  const auto snapshot = call.parts.models.snapshot();
  for (const auto& [name, model] : snapshot->models()) write(out, name, model->busy_thresholds);
  out.end_array().end_object();
  static_cast<void>(co_await call.exchange.respond(200, kJsonType, std::move(text)));
}

net::awaitable<void> serve_busy_threshold(RouteCall call) {
  auto body = co_await read_small_json_body(call);
  if (!body) {
    co_await answer_error(call, std::move(body).error());
    co_return;
  }
  Ask ask;
  Refusal refusal = read(*body, ask);
  if (refusal.status == 200 && ask.sets() &&
      !call.parts.models.set_busy_thresholds(ask.model, ask.thresholds)) {
    refusal = {404, "Model '" + ask.model +
                        "' not found. Thresholds can only be set for discovered models."};
  }
  std::string text;
  if (refusal.status != 200) {
    text = refusal_body(refusal.message);
  } else {
    const auto model = call.parts.models.snapshot()->find(ask.model);
    JsonWriter out(text);
    write(out, ask.model, model ? model->busy_thresholds : BusyThresholds{});
  }
  static_cast<void>(co_await call.exchange.respond(refusal.status, kJsonType, std::move(text)));
}

}  // namespace dynamo::llm::http
