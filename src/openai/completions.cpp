// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/completions.h>

#include "openai/generation_fields.h"

namespace dynamo::openai {
namespace detail {
namespace {

constexpr std::string_view kPromptForms =
    "a string, a list of strings, a list of token ids or a list of lists of token ids";

// What the first element is decides what all have to be.
Result<void> read_prompt_list(Json& from, const FieldPath& path, CompletionRequest& to) {
  const Json& first = from.if_array()->front();
  if (first.is_number()) {
    std::vector<std::uint32_t> ids;
    DYN_CHECK(read(from, path, ids));
    to.prompts.emplace_back(std::move(ids));
    return {};
  }
  to.prompt_is_list = true;
  if (first.is_string()) {
    std::vector<std::string> texts;
    DYN_CHECK(read(from, path, texts));
    for (std::string& text : texts) to.prompts.emplace_back(std::move(text));
    return {};
  }
  if (first.is_array()) {
    std::vector<std::vector<std::uint32_t>> lists;
    DYN_CHECK(read(from, path, lists));
    for (auto& ids : lists) to.prompts.emplace_back(std::move(ids));
    return {};
  }
  return fail(type_error(path.element(0), first, kPromptForms));
}

Result<void> read_prompt(Json& from, const FieldPath& path, CompletionRequest& to) {
  to.prompts.clear();
  to.prompt_is_list = false;
  if (std::string* text = from.if_string()) {
    to.prompts.emplace_back(std::move(*text));
    return {};
  }
  const Json::Array* items = from.if_array();
  if (items == nullptr) return fail(type_error(path, from, kPromptForms));
  if (items->empty()) {
    to.prompt_is_list = true;
    return {};
  }
  return read_prompt_list(from, path, to);
}

constexpr FieldTable kCompletionFields{std::array{
    Field<CompletionRequest>{"prompt", read_prompt},
    field<CompletionRequest, &CompletionRequest::prompt_embeds>("prompt_embeds"),
    field<CompletionRequest, &CompletionRequest::suffix>("suffix"),
    field<CompletionRequest, &CompletionRequest::logprobs>("logprobs"),
    field<CompletionRequest, &CompletionRequest::echo>("echo"),
    field<CompletionRequest, &CompletionRequest::best_of>("best_of"),
}};

}  // namespace
}  // namespace detail

Result<CompletionRequest> completion_request_from_json(Json body, const ParseOptions& options) {
  CompletionRequest request;
  DYN_CHECK(detail::read_request(body, request, detail::kCompletionFields, options));
  if (body.find("model") == nullptr) return fail(detail::missing_field({}, "model"));
  if (body.find("prompt") == nullptr && !request.prompt_embeds) {
    return fail(detail::missing_field({}, "prompt"));
  }
  return request;
}

Result<CompletionRequest> parse_completion_request(std::string_view body,
                                                   const ParseOptions& options) {
  DYN_TRY(Json json, detail::read_body(body));
  return completion_request_from_json(std::move(json), options);
}

}  // namespace dynamo::openai
