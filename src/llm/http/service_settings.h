// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/config/configuration.h>
#include <dynamo/llm/http/service.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dynamo::llm::http {

/// The variables of the configuration that the service obeys, read once.
struct ServiceSettings {
  explicit ServiceSettings(const config::Configuration& configuration);

  std::uint64_t body_limit_mib;
  int overload_status;
  std::chrono::nanoseconds keep_alive;  ///< 0: none
  /// Without an item for so long the backend has failed: twice the configured time.
  std::optional<std::chrono::nanoseconds> silence_limit;
  /// How long a stream waits for its first frame before it commits to 200; none: until it comes.
  std::optional<std::chrono::nanoseconds> first_frame_wait;
  bool ignore_unknown_fields;
  bool force_usage;
  bool disable_nvext;
  bool disable_admin_api;
  std::string reasoning_field;
  std::optional<std::uint64_t> context_window;
  std::optional<std::uint64_t> max_output_tokens;
  std::string metrics_prefix;
  std::string metadata_header;  ///< lower case
  std::vector<std::string> api_keys;
  std::string chat_path, completions_path, models_path, health_path, live_path, metrics_path;

  std::size_t body_limit_bytes() const noexcept { return body_limit_mib << 20; }
};

}  // namespace dynamo::llm::http
