// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// Python's `text % value`.
Value percent_format(Interpreter& in, const Value& text, const Value& value);

}  // namespace dynamo::jinja::detail
