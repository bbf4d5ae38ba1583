// SPDX-License-Identifier: Apache-2.0
#include "openai/validation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace dynamo::openai::detail {
namespace {

constexpr std::uint32_t kOutputTokensMax = 1'048'576;
constexpr std::uint32_t kChoicesMax = 128;
constexpr std::size_t kStopStringsMax = 32;
constexpr std::size_t kGrammarNestingMax = 500;

template <class Float>
std::string print(Float number) {
  std::array<char, 400> text;
  const auto [end, ec] =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return ec == std::errc() ? std::string(text.data(), end) : std::string("a huge number");
}

bool is_blank(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
}

bool is_token_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), id);
  return ec == std::errc() && end == text.data() + text.size();
}

// Brackets are counted in raw bytes, as the reference does: quoted ones too.
std::size_t bracket_nesting(std::string_view grammar) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  for (const char c : grammar) {
    if (c == '(' || c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ')' || c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

Result<void> check_guided(const GenerationRequest& request, bool has_response_schema) {
  const std::array<std::pair<std::string_view, bool>, 5> fields{{
      {"guided_json", request.guided_json.has_value()},
      {"guided_regex", request.guided_regex.has_value()},
      {"guided_choice", request.guided_choice && !request.guided_choice->empty()},
      {"guided_grammar", request.guided_grammar.has_value()},
      {"guided_whitespace_pattern", request.guided_whitespace_pattern.has_value()},
  }};
  std::string_view first;
  for (const auto& [name, set] : fields) {
    if (!set) continue;
    if (!first.empty()) {
      return invalid(name, std::string("`")
                               .append(name)
                               .append("` cannot be combined with `")
                               .append(first)
                               .append("`: only one guided decoding field may be set"));
    }
    first = name;
  }
  // An explicit guided_json wins over response_format; any other guided field would contradict it.
  if (has_response_schema && !first.empty() && first != "guided_json") {
    return invalid(first, std::string("`").append(first).append(
                              "` cannot be combined with a JSON `response_format`"));
  }
  if (request.guided_grammar && bracket_nesting(*request.guided_grammar) > kGrammarNestingMax) {
    return invalid("guided_grammar", "guided_grammar nests brackets more than " +
                                         std::to_string(kGrammarNestingMax) + " deep");
  }
  return {};
}

}  // namespace

std::unexpected<Error> invalid(std::string_view param, std::string message) {
  return fail(Error(Errc::invalid_argument, "Validation: " + std::move(message))
                  .with_param(std::string(param)));
}

std::string number_text(double number) {
  return print(number);
}
std::string number_text(float number) {
  return print(number);
}

Result<void> check_supported_fields(const GenerationRequest& request) {
  if (request.unsupported.empty()) return {};
  std::string message = "Unsupported parameter(s): ";
  for (std::size_t i = 0; i < request.unsupported.size(); ++i) {
    if (i != 0) message += ", ";
    message.append(1, '`').append(request.unsupported[i]).append(1, '`');
  }
  return fail(Error(Errc::invalid_argument, "Validation: " + message)
                  .with_param(request.unsupported.front())
                  .with_reason("unsupported_parameter"));
}

Result<void> check_stream_options(const GenerationRequest& request) {
  if (!request.stream_options || request.stream) return {};
  return invalid("stream_options",
                 "The 'stream_options' field is only allowed when 'stream' is set to true.");
}

Result<void> check_model(const GenerationRequest& request) {
  return is_blank(request.model) ? invalid("model", "Model cannot be empty") : Result<void>();
}

Result<void> check_range(std::string_view param, std::string_view label,
                         const std::optional<float>& value, float low, float high) {
  if (!value || (*value >= low && *value <= high)) return {};
  return invalid(param, std::string(label) + " must be between " + print(low) + " and " +
                            print(high) + ", got " + print(*value));
}

Result<void> check_frequency_penalty(const GenerationRequest& request) {
  return check_range("frequency_penalty", "Frequency penalty", request.frequency_penalty, -2, 2);
}

Result<void> check_presence_penalty(const GenerationRequest& request) {
  return check_range("presence_penalty", "Presence penalty", request.presence_penalty, -2, 2);
}

Result<void> check_logit_bias(const GenerationRequest& request) {
  for (const auto& [token, bias] : request.logit_bias) {
    const std::string param = "logit_bias." + token;
    if (!is_token_id(token)) {
      return invalid(param, "Logit bias keys must be token ids, got '" + token + "'");
    }
    if (!(bias >= -100 && bias <= 100)) {
      return invalid(param, "Logit bias for token '" + token +
                                "' must be between -100 and 100, got " + print(bias));
    }
  }
  return {};
}

Result<void> check_output_limit(std::string_view param, std::string_view label,
                                const std::optional<std::uint32_t>& value) {
  if (!value) return {};
  if (*value == 0) return invalid(param, std::string(label) + " must be greater than 0, got 0");
  if (*value > kOutputTokensMax) {
    return invalid(param, std::string(label) + " must be between 1 and " +
                              std::to_string(kOutputTokensMax) + ", got " + std::to_string(*value));
  }
  return {};
}

Result<void> check_n(const GenerationRequest& request) {
  if (!request.n || (*request.n >= 1 && *request.n <= kChoicesMax)) return {};
  return invalid("n", "n must be between 1 and " + std::to_string(kChoicesMax) + ", got " +
                          std::to_string(*request.n));
}

Result<void> check_stop(const GenerationRequest& request) {
  if (request.stop.size() > kStopStringsMax) {
    return invalid("stop", "At most " + std::to_string(kStopStringsMax) +
                               " stop sequences are allowed, got " +
                               std::to_string(request.stop.size()));
  }
  if (std::ranges::any_of(request.stop, &std::string::empty)) {
    return invalid("stop", "Stop sequences cannot be empty");
  }
  return {};
}

Result<void> check_temperature(const GenerationRequest& request) {
  return check_range("temperature", "Temperature", request.temperature, 0, 2);
}

Result<void> check_top_p(const GenerationRequest& request) {
  if (!request.top_p || (*request.top_p > 0 && *request.top_p <= 1)) return {};
  return invalid("top_p",
                 "Top_p must be greater than 0 and at most 1, got " + print(*request.top_p));
}

Result<void> check_user(const GenerationRequest& request) {
  return request.user && is_blank(*request.user) ? invalid("user", "User cannot be empty")
                                                 : Result<void>();
}

Result<void> check_extensions(const GenerationRequest& request, bool has_response_schema) {
  if (const auto penalty = request.repetition_penalty;
      penalty && !(*penalty > 0 && *penalty <= 2)) {
    return invalid(
        "repetition_penalty",
        "Repetition penalty must be greater than 0 and at most 2, got " + print(*penalty));
  }
  DYN_CHECK(check_range("min_p", "Min_p", request.min_p, 0, 1));
  if (request.top_k && *request.top_k < -1) {
    return invalid("top_k", "Top_k must be null or greater than or equal to -1");
  }
  if (request.choices() > 1 && request.temperature && !(*request.temperature > 0)) {
    return invalid(
        "n", "When n > 1, temperature must be greater than 0 to ensure diverse outputs. Got n=" +
                 std::to_string(request.choices()) +
                 ", temperature=" + print(*request.temperature));
  }
  DYN_CHECK(check_guided(request, has_response_schema));
  if (request.choices() > 1 && request.wants_extra_field("completion_token_ids")) {
    return invalid("n", "n must be 1 when nvext.extra_fields asks for completion_token_ids");
  }
  return {};
}

}  // namespace dynamo::openai::detail
