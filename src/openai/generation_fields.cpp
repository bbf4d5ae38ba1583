// SPDX-License-Identifier: Apache-2.0
#include "openai/generation_fields.h"

namespace dynamo::openai::detail {
namespace {

using Request = GenerationRequest;

Result<void> read_stream(Json& from, const FieldPath& path, Request& to) {
  return from.is_null() ? Result<void>() : read(from, path, to.stream);
}

// A string, a list of strings, or a list of token ids.
Result<void> read_stop(Json& from, const FieldPath& path, Request& to) {
  if (from.is_null()) return {};
  if (std::string* text = from.if_string()) {
    to.stop.push_back(std::move(*text));
    return {};
  }
  const Json::Array* items = from.if_array();
  if (items == nullptr) {
    return fail(type_error(path, from, "a string, a list of strings or a list of token ids"));
  }
  if (!items->empty() && items->front().is_number()) {
    std::vector<std::uint32_t> ids;
    DYN_CHECK(read(from, path, ids));
    to.stop_token_ids = std::move(ids);
    return {};
  }
  return read(from, path, to.stop);
}

Result<void> read_stop_token_ids(Json& from, const FieldPath& path, Request& to) {
  std::optional<std::vector<std::uint32_t>> ids;
  DYN_CHECK(read(from, path, ids));
  if (!to.stop_token_ids) to.stop_token_ids = std::move(ids);
  return {};
}

Result<void> read_logit_bias(Json& from, const FieldPath& path, Request& to) {
  if (from.is_null()) return {};
  const JsonObject* object = from.if_object();
  if (object == nullptr) return fail(type_error(path, from, "a map"));
  to.logit_bias.reserve(object->size());
  for (const auto& [key, value] : *object) {
    const auto bias = value.as_double();
    if (!bias) return fail(type_error(path.member(key), value, "a number"));
    to.logit_bias.emplace_back(key, *bias);
  }
  return {};
}

constexpr FieldTable kFields{std::array{
    field<Request, &Request::model>("model"),
    Field<Request>{"stream", read_stream},
    field<Request, &Request::stream_options>("stream_options"),
    field<Request, &Request::max_tokens>("max_tokens"),
    field<Request, &Request::n>("n"),
    field<Request, &Request::temperature>("temperature"),
    field<Request, &Request::top_p>("top_p"),
    field<Request, &Request::frequency_penalty>("frequency_penalty"),
    field<Request, &Request::presence_penalty>("presence_penalty"),
    field<Request, &Request::seed>("seed"),
    Field<Request>{"logit_bias", read_logit_bias},
    Field<Request>{"stop", read_stop},
    Field<Request>{"stop_token_ids", read_stop_token_ids},
    field<Request, &Request::user>("user"),
    field<Request, &Request::metadata>("metadata"),
    field<Request, &Request::ignore_eos>("ignore_eos"),
    field<Request, &Request::min_tokens>("min_tokens"),
    field<Request, &Request::top_k>("top_k"),
    field<Request, &Request::min_p>("min_p"),
    field<Request, &Request::repetition_penalty>("repetition_penalty"),
    field<Request, &Request::include_stop_str_in_output>("include_stop_str_in_output"),
    field<Request, &Request::guided_json>("guided_json"),
    field<Request, &Request::guided_regex>("guided_regex"),
    field<Request, &Request::guided_grammar>("guided_grammar"),
    field<Request, &Request::guided_choice>("guided_choice"),
    field<Request, &Request::guided_decoding_backend>("guided_decoding_backend"),
    field<Request, &Request::guided_whitespace_pattern>("guided_whitespace_pattern"),
    field<Request, &Request::skip_special_tokens>("skip_special_tokens"),
    field<Request, &Request::prompt_logprobs>("prompt_logprobs"),
    field<Request, &Request::return_tokens_as_token_ids>("return_tokens_as_token_ids"),
    field<Request, &Request::cache_salt>("cache_salt"),
    field<Request, &Request::detokenize>("detokenize"),
    field<Request, &Request::allowed_token_ids>("allowed_token_ids"),
    field<Request, &Request::bad_words_token_ids>("bad_words_token_ids"),
    field<Request, &Request::logprob_token_ids>("logprob_token_ids"),
    field<Request, &Request::nvext>("nvext"),
}};

}  // namespace

Result<void> read(Json& from, const FieldPath& path, StreamOptions& to) {
  static constexpr FieldTable kOptions{std::array{
      field<StreamOptions, &StreamOptions::include_usage>("include_usage"),
      field<StreamOptions, &StreamOptions::continuous_usage_stats>("continuous_usage_stats"),
  }};
  if (from.is_object() && !from.find("include_usage"))
    return fail(missing_field(path, "include_usage"));
  return read_object(from, path, to, kOptions, Unknown::ignored);
}

Result<Json> read_body(std::string_view body) {
  auto parsed = parse_json(body, {.lenient = true, .unique_members = true});
  if (!parsed) return fail(body_error(parsed.error().message()));
  return parsed;
}

Result<bool> read_generation_field(std::string_view key, Json& value, GenerationRequest& to,
                                   const ParseOptions& options) {
  const Field<Request>* known = kFields.find(key);
  if (known == nullptr) return false;
  if (options.drop_nvext && key == "nvext") return true;
  DYN_CHECK(known->read(value, FieldPath().member(key), to));
  return true;
}

}  // namespace dynamo::openai::detail
