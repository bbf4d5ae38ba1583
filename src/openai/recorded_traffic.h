// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/file.h>
#include <dynamo/base/json.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// For tests: HTTP exchanges recorded from the reference. They are not part of this repository;
/// `$DYNAMO_SHARED_DIR`, or the folder `shared` beside the source tree, has them where they are.
namespace dynamo::openai::recorded {

inline std::filesystem::path folder() {
  const char* set = std::getenv("DYNAMO_SHARED_DIR");
  const std::filesystem::path shared =
      set != nullptr ? std::filesystem::path(set)
                     : std::filesystem::path(DYNAMO_SOURCE_DIR).parent_path() / "shared";
  return shared / "conformance" / "wire";
}

/// The cases of a file (one a line), or none when it is not there. A case with NaN in it is no
/// JSON and is left out.
inline std::optional<Json> cases(std::string_view file) {
  const auto text = base::read_file(folder() / file);
  if (!text) return std::nullopt;
  Json all = Json::array();
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.starts_with('[')) line.remove_prefix(1);
    if (line.ends_with(',') || line.ends_with(']')) line.remove_suffix(1);
    auto parsed = parse_json(line);
    if (parsed && parsed->is_object()) all.push_back(std::move(*parsed));
  }
  return all;
}

/// The text under an RFC 6901 pointer, or empty.
inline std::string text_at(const Json& value, std::string_view pointer) {
  const Json* found = value.pointer(pointer);
  const std::string* text = found != nullptr ? found->if_string() : nullptr;
  return text != nullptr ? *text : std::string();
}

/// What follows the head of an HTTP message, with chunked framing removed: one element per chunk.
inline std::vector<std::string> body_chunks(std::string_view message) {
  const std::size_t head_end = message.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return {};
  std::string_view body = message.substr(head_end + 4);
  if (message.substr(0, head_end).find("transfer-encoding: chunked") == std::string_view::npos) {
    return {std::string(body)};
  }
  std::vector<std::string> chunks;
  while (true) {
    const std::size_t line = body.find("\r\n");
    if (line == std::string_view::npos) return chunks;
    const std::size_t size = std::stoul(std::string(body.substr(0, line)), nullptr, 16);
    if (size == 0 || body.size() < line + 2 + size) return chunks;
    chunks.emplace_back(body.substr(line + 2, size));
    body.remove_prefix(line + 2 + size + 2);
  }
}

inline std::string body(std::string_view message) {
  std::string all;
  for (const std::string& chunk : body_chunks(message)) all += chunk;
  return all;
}

}  // namespace dynamo::openai::recorded
