// SPDX-License-Identifier: Apache-2.0
#include <dynamo/config/configuration.h>

#include "expect.h"

using namespace dynamo;

int main() {
  config::Layers layers;
  layers.files.clear();
  layers.environment = [](const char* name) -> std::optional<std::string> {
    if (std::string_view(name) == "DYN_HTTP_BODY_LIMIT_MB") return "7";
    return std::nullopt;
  };
  auto configuration = config::Configuration::load(layers);
  EXPECT(configuration);
  const std::uint64_t limit = configuration->get(config::var::http_body_limit_mb);
  const std::chrono::nanoseconds delay = configuration->get(config::var::echo_delay);
  EXPECT(limit == 7 && delay == std::chrono::milliseconds(10));
}
