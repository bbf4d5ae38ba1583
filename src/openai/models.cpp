// SPDX-License-Identifier: Apache-2.0
#include <dynamo/openai/models.h>

namespace dynamo::openai {

void write_json(JsonWriter& out, const Model& model) {
  out.begin_object();
  out.member("id", std::string_view(model.id));
  out.member("object", "model");
  out.member("created", model.created);
  out.member("owned_by", std::string_view(model.owned_by));
  out.member_if("context_window", model.context_window);
  out.member_if("max_output_tokens", model.max_output_tokens);
  out.end_object();
}

std::string models_body(std::span<const Model> models) {
  std::string body;
  JsonWriter out(body);
  out.begin_object().member("object", "list").key("data").begin_array();
  for (const Model& model : models) write_json(out, model);
  out.end_array().end_object();
  return body;
}

}  // namespace dynamo::openai
