// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace dynamo::jinja::detail {

bool is_lower_text(std::string_view text) noexcept;  ///< str.islower
bool is_upper_text(std::string_view text) noexcept;  ///< str.isupper

}  // namespace dynamo::jinja::detail
