// SPDX-License-Identifier: Apache-2.0
// Bodies of requests from clients, and the payloads that frontends and workers exchange. The first
// byte of an input picks what reads it.
#include <dynamo/base/assert.h>
#include <dynamo/base/utf8.h>
#include <dynamo/llm/protocols/engine_output.h>
#include <dynamo/llm/protocols/preprocessed_request.h>
#include <dynamo/openai/chat.h>
#include <dynamo/openai/completions.h>
#include <dynamo/openai/error.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dynamo::requests_fuzz {
namespace {

// A refusal is the client's to read: 4xx or 501, in a body that is JSON.
void check_refusal(const Error& error) {
  DYN_ASSERT(error.code() == Errc::invalid_argument || error.code() == Errc::unimplemented ||
             error.code() == Errc::payload_too_large);
  DYN_ASSERT(base::is_valid_utf8(error.message()));
  DYN_ASSERT(base::is_valid_utf8(error.param()));
  DYN_ASSERT(parse_json(openai::error_body(error)).has_value());
}

template <class Request>
void check(const Result<Request>& request) {
  if (!request) {
    check_refusal(request.error());
  } else if (const auto valid = validate(*request); !valid) {
    check_refusal(valid.error());
  }
}

void chat(std::string_view text) {
  check(openai::parse_chat_request(text));
}
void completion(std::string_view text) {
  check(openai::parse_completion_request(text));
}

template <class T>
std::string written(const T& value) {
  std::string text;
  JsonWriter out(text);
  write_json(out, value);
  return text;
}

// What is understood is written in one form, which reads as the same.
template <class T, Result<T> (*Read)(const Json&)>
void round_trip(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return;
  const auto value = Read(*json);
  if (!value) {
    DYN_ASSERT(base::is_valid_utf8(value.error().message()));
    return;
  }
  const std::string once = written(*value);
  const auto again = parse_json(once);
  DYN_ASSERT(again.has_value());
  const auto same = Read(*again);
  DYN_ASSERT(same.has_value());
  DYN_ASSERT(written(*same) == once);
}

using Target = void (*)(std::string_view);
constexpr std::array<Target, 4> kTargets{
    chat, completion, round_trip<llm::PreprocessedRequest, llm::preprocessed_request_from_json>,
    round_trip<llm::EngineOutput, llm::engine_output_from_json>};

}  // namespace
}  // namespace dynamo::requests_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using dynamo::requests_fuzz::kTargets;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  kTargets[data[0] % kTargets.size()](text);
  return 0;
}
