// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace dynamo::jinja::detail {

/// The character of a \N{name} escape, or 0. Knows Latin-1, Greek, common punctuation, arrows and
/// symbols (some 340 names), not all 34,000: no published chat template uses even these.
char32_t find_character(std::string_view name) noexcept;

}  // namespace dynamo::jinja::detail
