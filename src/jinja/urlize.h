// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::jinja::detail {

struct UrlizeOptions {
  std::optional<std::int64_t> trim_limit;
  std::string rel;
  std::string target;
  std::vector<std::string> extra_schemes;
};

/// Jinja2's urlize: turns addresses in HTML-escaped text into links.
std::string urlize(std::string_view escaped_text, const UrlizeOptions& options);
bool is_uri_scheme(std::string_view scheme);

}  // namespace dynamo::jinja::detail
