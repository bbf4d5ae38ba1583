// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dynamo::openai {

/// One entry of GET /v1/models.
struct Model {
  std::string id;
  std::uint32_t created = 0;  ///< seconds since 1970; the reference writes the time of the request
  std::string owned_by = "nvidia";
  std::optional<std::uint32_t> context_window;  ///< tokens
  std::optional<std::uint64_t> max_output_tokens;
};

void write_json(JsonWriter& out, const Model& model);
/// `{"object":"list","data":[…]}` in the order given.
std::string models_body(std::span<const Model> models);

}  // namespace dynamo::openai
