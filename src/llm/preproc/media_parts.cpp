// SPDX-License-Identifier: Apache-2.0
#include "llm/preproc/media_parts.h"

#include <algorithm>
#include <array>

namespace dynamo::llm::detail {
namespace {

constexpr std::array<std::string_view, 3> kMediaTypes{"image_url", "video_url", "audio_url"};

std::string_view text_of(const Json* value) {
  const std::string* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

struct Gathered {
  JsonObject data;
  JsonObject uuids;
  bool has_uuid = false;
};

void gather_part(const Json& part, Gathered& to) {
  const std::string_view type = text_of(part.find("type"));
  if (std::ranges::find(kMediaTypes, type) == kMediaTypes.end()) return;
  const Json* media = part.find(type);
  const std::string_view url = media != nullptr ? text_of(media->find("url")) : std::string_view();
  std::string_view uuid = text_of(part.find("uuid"));
  if (uuid.empty() && media != nullptr) uuid = text_of(media->find("uuid"));
  to.has_uuid = to.has_uuid || !uuid.empty();
  const Json item =
      url.empty() ? Json::object({{"UuidOnly", Json(uuid)}}) : Json::object({{"Url", Json(url)}});
  to.data[type].push_back(item);
  to.uuids[type].push_back(uuid.empty() ? Json() : Json(uuid));
}

}  // namespace

void gather_media(const Json& messages, std::string_view formatted_prompt,
                  PreprocessedRequest& to) {
  Gathered gathered;
  for (const Json& message : *messages.if_array()) {
    const Json* content = message.find("content");
    const Json::Array* parts = content != nullptr ? content->if_array() : nullptr;
    if (parts == nullptr) continue;
    for (const Json& part : *parts) gather_part(part, gathered);
  }
  if (gathered.data.empty()) return;
  to.multi_modal_data = Json(std::move(gathered.data));
  if (gathered.has_uuid) to.multi_modal_uuids = Json(std::move(gathered.uuids));
  if (!to.extra_args) to.extra_args = Json::object();
  (*to.extra_args)["messages"] = messages;
  (*to.extra_args)["formatted_prompt"] = Json(formatted_prompt);
}

}  // namespace dynamo::llm::detail
