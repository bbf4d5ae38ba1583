// SPDX-License-Identifier: Apache-2.0
#include "llm/http/service_settings.h"

namespace dynamo::llm::http {
namespace {

namespace var = config::var;

/// A route path; the slash that somebody forgot is added.
std::string route_path(std::string path) {
  return path.starts_with('/') ? path : "/" + path;
}

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return text;
}

}  // namespace

ServiceSettings::ServiceSettings(const config::Configuration& c)
    : body_limit_mib(c.get(var::http_body_limit_mb)),
      overload_status(static_cast<int>(c.get(var::http_overload_status))),
      keep_alive(c.get(var::http_sse_keep_alive)),
      silence_limit(c.get(var::http_backend_timeout)),
      first_frame_wait(c.get(var::http_first_frame_wait)),
      ignore_unknown_fields(c.get(var::ignore_unknown_fields)),
      force_usage(c.get(var::force_usage)),
      disable_nvext(c.get(var::disable_nvext)),
      disable_admin_api(c.get(var::disable_admin_api)),
      reasoning_field(c.get(var::reasoning_field)),
      context_window(c.get(var::context_window)),
      max_output_tokens(c.get(var::max_output_tokens)),
      metrics_prefix(c.get(var::metrics_prefix)),
      metadata_header(lower_case(c.get(var::http_metadata_header))),
      api_keys(c.get(var::http_api_keys)),
      chat_path(route_path(c.get(var::http_chat_path))),
      completions_path(route_path(c.get(var::http_completions_path))),
      models_path(route_path(c.get(var::http_models_path))),
      health_path(route_path(c.get(var::http_health_path))),
      live_path(route_path(c.get(var::http_live_path))),
      metrics_path(route_path(c.get(var::http_metrics_path))) {
  if (silence_limit) *silence_limit *= 2;
  if (silence_limit && silence_limit->count() <= 0) silence_limit.reset();
}

}  // namespace dynamo::llm::http
