// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/file.h>
#include <dynamo/base/json.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace dynamo::kv_router {

/// A case file of the KV conformance set, or why it is not there (tests then skip).
inline Result<Json> kv_cases(const std::string& name) {
  const char* shared = std::getenv("DYNAMO_SHARED_DIR");
  const std::filesystem::path folder = shared != nullptr
                                           ? std::filesystem::path(shared)
                                           : std::filesystem::path(DYNAMO_SOURCE_DIR "/../shared");
  DYN_TRY(const std::string text, base::read_file(folder / "conformance" / "kv" / name));
  return parse_json(text);
}

/// "0x…" as the case files write hashes.
inline std::uint64_t hash_of(const Json& value) {
  return std::stoull(*value.if_string(), nullptr, 16);
}

}  // namespace dynamo::kv_router
