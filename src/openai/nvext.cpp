// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/nvext.h>

#include "openai/generation_fields.h"

namespace dynamo::openai {

bool NvExt::has_annotation(std::string_view name) const noexcept {
  return std::ranges::find(annotations, name) != annotations.end();
}

bool NvExt::wants(std::string_view field) const noexcept {
  return extra_fields && std::ranges::find(*extra_fields, field) != extra_fields->end();
}

namespace detail {
namespace {

constexpr FieldTable kAgentHints{std::array{
    field<AgentHints, &AgentHints::priority>("priority"),
    field<AgentHints, &AgentHints::strict_priority>("strict_priority"),
    field<AgentHints, &AgentHints::osl>("osl"),
    field<AgentHints, &AgentHints::speculative_prefill>("speculative_prefill"),
    field<AgentHints, &AgentHints::latency_sensitivity>("latency_sensitivity"),
}};

Result<void> read_annotations(Json& from, const FieldPath& path, NvExt& to) {
  return from.is_null() ? Result<void>() : read(from, path, to.annotations);
}

// Checks the members that are kept as JSON for the router.
Result<void> check_constraints(const Json& constraints, const FieldPath& path) {
  const JsonObject* object = constraints.if_object();
  if (object == nullptr) return fail(type_error(path, constraints, "a map"));
  static constexpr std::array<std::string_view, 2> kNames{"required_taints", "preferred_taints"};
  for (const auto& [key, value] : *object) {
    const FieldPath where = path.member(key);
    if (key == kNames[0]) {
      const Json::Array* taints = value.if_array();
      if (taints == nullptr) return fail(type_error(where, value, "a sequence"));
      for (std::size_t i = 0; i < taints->size(); ++i) {
        if (!(*taints)[i].is_string())
          return fail(type_error(where.element(i), (*taints)[i], "a string"));
      }
    } else if (key == kNames[1]) {
      const JsonObject* weights = value.if_object();
      if (weights == nullptr) return fail(type_error(where, value, "a map"));
      for (const auto& [taint, weight] : *weights) {
        if (!weight.is_number()) return fail(type_error(where.member(taint), weight, "f32"));
      }
    } else {
      return fail(unknown_field(where, key, kNames));
    }
  }
  return {};
}

Result<void> read_constraints(Json& from, const FieldPath& path, NvExt& to) {
  if (from.is_null()) return {};
  DYN_CHECK(check_constraints(from, path));
  to.routing_constraints = std::move(from);
  return {};
}

Result<void> read_router(Json& from, const FieldPath& path, NvExt& to) {
  if (from.is_null()) return {};
  const JsonObject* object = from.if_object();
  if (object == nullptr) return fail(type_error(path, from, "a map"));
  static constexpr std::array<std::string_view, 2> kNames{"ttft_target", "itl_target"};
  for (const auto& [key, value] : *object) {
    const FieldPath where = path.member(key);
    if (std::ranges::find(kNames, std::string_view(key)) == kNames.end()) {
      return fail(unknown_field(where, key, kNames));
    }
    if (!value.is_null() && !value.is_number()) return fail(type_error(where, value, "f64"));
  }
  to.router = std::move(from);
  return {};
}

constexpr FieldTable kNvExt{std::array{
    field<NvExt, &NvExt::greed_sampling>("greed_sampling"),
    field<NvExt, &NvExt::use_raw_prompt>("use_raw_prompt"),
    Field<NvExt>{"annotations", read_annotations},
    field<NvExt, &NvExt::backend_instance_id>("backend_instance_id"),
    field<NvExt, &NvExt::token_data>("token_data"),
    field<NvExt, &NvExt::max_thinking_tokens>("max_thinking_tokens"),
    field<NvExt, &NvExt::cache_salt>("cache_salt"),
    field<NvExt, &NvExt::extra_fields>("extra_fields"),
    field<NvExt, &NvExt::metadata_upload>("metadata_upload"),
    field<NvExt, &NvExt::prefill_worker_id>("prefill_worker_id"),
    field<NvExt, &NvExt::decode_worker_id>("decode_worker_id"),
    field<NvExt, &NvExt::dp_rank>("dp_rank"),
    field<NvExt, &NvExt::prefill_dp_rank>("prefill_dp_rank"),
    field<NvExt, &NvExt::agent_hints>("agent_hints"),
    field<NvExt, &NvExt::request_timestamp_ms>("request_timestamp_ms"),
    Field<NvExt>{"routing_constraints", read_constraints},
    Field<NvExt>{"router", read_router},
}};

}  // namespace

Result<void> read(Json& from, const FieldPath& path, AgentHints& to) {
  return read_object(from, path, to, kAgentHints, Unknown::refused);
}

Result<void> read(Json& from, const FieldPath& path, NvExt& to) {
  return read_object(from, path, to, kNvExt, Unknown::refused);
}

}  // namespace detail
}  // namespace dynamo::openai
