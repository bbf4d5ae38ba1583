// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "jinja/arena.h"

namespace dynamo::jinja::detail {

/// The value of a string literal's inside. Escapes are Python's, as Jinja2 reads them
/// ("unicode-escape" behind ASCII escaping); unknown ones stay as they are. Throws a Failure of
/// kind syntax.
std::string_view unescape_string(Arena& arena, std::string_view text, std::uint32_t line);

}  // namespace dynamo::jinja::detail
