// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// Appends the text with & < > ' " replaced by HTML entities, as MarkupSafe does.
void append_html_escaped(std::string& out, std::string_view text);
/// MarkupSafe's escape(value): Markup as it is, anything else as escaped str().
void append_escaped(std::string& out, const Value& value);
/// Replaces HTML entities by the characters they stand for: all numeric ones and the named ones
/// that escape() and common editors produce.
std::string html_unescape(std::string_view text);

}  // namespace dynamo::jinja::detail
