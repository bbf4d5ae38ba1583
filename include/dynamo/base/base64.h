// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <string>
#include <string_view>

namespace dynamo::base {

/// Standard alphabet with padding (RFC 4648 section 4).
std::string base64_encode(std::string_view bytes);
/// Strict: wrong characters, length or padding are Errc::invalid_argument.
Result<std::string> base64_decode(std::string_view text);

}  // namespace dynamo::base
