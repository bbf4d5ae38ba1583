// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "jinja/arithmetic.h"
#include "jinja/failure.h"
#include "jinja/interpreter.h"
#include "jinja/text.h"

/// Reading the arguments of builtins. An argument that was not given is `missing`.
namespace dynamo::jinja::detail {

inline bool is_absent(const Value& v) noexcept {
  return v.is_missing() || v.is_none();
}

inline std::int64_t int_or(const Value& v, std::int64_t otherwise, std::string_view what) {
  return v.is_missing() ? otherwise : require_int(v, what);
}

inline bool bool_or(const Value& v, bool otherwise) noexcept {
  return v.is_missing() ? otherwise : is_true(v);
}

inline std::string_view require_text(const Value& v, std::string_view what) {
  if (v.is_string()) return v.str();
  if (v.is_undefined()) fail_with_undefined(v);
  fail_type(std::string(what) + " must be str, not " + std::string(type_name(v)));
}

inline std::string_view text_or(const Value& v, std::string_view otherwise, std::string_view what) {
  return v.is_missing() ? otherwise : require_text(v, what);
}

/// Python's str(value) (markupsafe's soft_str): strings as they are, with their flags.
inline Value to_text(Interpreter& in, const Value& v) {
  if (v.is_string()) return v;
  std::string out;
  in.charge_text(v);
  append_str(out, v);
  return in.text(out);
}

}  // namespace dynamo::jinja::detail
