// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "jinja/value.h"

namespace dynamo::jinja::detail {

/// Python's pprint.pformat(value): repr within 80 columns, dicts sorted by key.
std::string pretty_format(const Value& value);

}  // namespace dynamo::jinja::detail
