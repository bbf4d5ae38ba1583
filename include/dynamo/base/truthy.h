// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <optional>
#include <string_view>

namespace dynamo::base {

/// The reference's rule for switches: `1 true on yes` are on; `0 false off no` and the empty text
/// are off; case and surrounding white space do not matter. Other text is neither.
/// Source: lib/truthy (v1.5.0).
bool is_truthy(std::string_view text) noexcept;
bool is_falsey(std::string_view text) noexcept;

/// The switch a text stands for. Errors: Errc::invalid_argument for text that is neither.
Result<bool> parse_bool(std::string_view text);
/// The same; none for the empty text and for text that is neither.
std::optional<bool> parse_bool_opt(std::string_view text) noexcept;

}  // namespace dynamo::base
