// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/json.h>

#include <string>

namespace dynamo::jinja {

struct PythonJsonStyle {
  bool sort_keys = false;  ///< by code point, at every level
  bool compact = false;    ///< "," and ":" instead of ", " and ": "
};

/// Appends JSON text as Python's json.dumps(value, ensure_ascii=False) writes it, which is the form
/// models are trained on: spaces behind separators, floats by repr ("1e-07", "1.0"). The value is
/// nested at most 200 deep; parse_json allows 128.
void append_python_json(std::string& out, const Json& value, const PythonJsonStyle& style = {});

}  // namespace dynamo::jinja
