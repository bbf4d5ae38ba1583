// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>

#include <array>
#include <charconv>
#include <cmath>

#include "base/json_scan.h"

namespace dynamo::base {
namespace {

// Which exponents are written out in digits. The reference prints numbers with serde_json, whose
// layout differs between the two widths: 1e-5 and 1e15 are digits in binary64, 1e-6 and 1e12 in
// binary32.
template <class Float>
struct Layout;
template <>
struct Layout<double> {
  static constexpr int kPointMin = -4;
  static constexpr int kPointMax = 16;
};
template <>
struct Layout<float> {
  static constexpr int kPointMin = -5;
  static constexpr int kPointMax = 13;
};

// Significant digits and the place of the decimal point: value = 0.DIGITS * 10^point.
struct Decimal {
  std::array<char, 20> digits;
  int count = 0;
  int point = 0;
};

template <class Float>
Decimal shortest(Float magnitude) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), magnitude,
                                 std::chars_format::scientific)
                       .ptr;
  Decimal decimal;
  const char* p = text.data();
  for (; *p != 'e'; ++p) {
    if (*p != '.') decimal.digits[static_cast<std::size_t>(decimal.count++)] = *p;
  }
  ++p;
  if (*p == '+') ++p;
  int exponent = 0;
  std::from_chars(p, end, exponent);
  decimal.point = exponent + 1;
  return decimal;
}

template <class Float>
void append_float(std::string& out, Float value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  if (std::signbit(value)) out.push_back('-');
  if (value == 0) {
    out += "0.0";
    return;
  }
  const Decimal decimal = shortest(std::abs(value));
  const std::string_view digits(decimal.digits.data(), static_cast<std::size_t>(decimal.count));
  const int point = decimal.point;
  if (point >= decimal.count && point <= Layout<Float>::kPointMax) {
    out.append(digits).append(static_cast<std::size_t>(point - decimal.count), '0').append(".0");
  } else if (point > 0 && point <= Layout<Float>::kPointMax) {
    const auto before = static_cast<std::size_t>(point);
    out.append(digits.substr(0, before)).append(1, '.').append(digits.substr(before));
  } else if (point >= Layout<Float>::kPointMin && point <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits);
  } else {
    out.push_back(digits[0]);
    if (digits.size() > 1) out.append(1, '.').append(digits.substr(1));
    std::array<char, 8> exponent;
    const auto end =
        std::to_chars(exponent.data(), exponent.data() + exponent.size(), point - 1).ptr;
    out.append(1, 'e').append(exponent.data(), end);
  }
}

template <class Integer>
void append_integer(std::string& out, Integer value) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      break;
  }
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u00";
  out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
  out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
}

void append_value(std::string& out, const Json& value);

void append_scalar(std::string& out, const Json& value) {
  switch (value.kind()) {
    case Json::Kind::boolean:
      out += *value.if_bool() ? "true" : "false";
      break;
    case Json::Kind::integer:
      append_integer(out, value.as_int64().value_or(0));
      break;
    case Json::Kind::unsigned_integer:
      append_integer(out, value.as_uint64().value_or(0));
      break;
    case Json::Kind::real:
      append_float(out, value.as_double().value_or(0));
      break;
    case Json::Kind::string:
      append_json_string(out, *value.if_string());
      break;
    default:
      out += "null";
      break;
  }
}

void append_value(std::string& out, const Json& value) {
  if (const Json::Array* array = value.if_array()) {
    out.push_back('[');
    bool first = true;
    for (const Json& element : *array) {
      if (!first) out.push_back(',');
      first = false;
      append_value(out, element);
    }
    out.push_back(']');
  } else if (const JsonObject* object = value.if_object()) {
    out.push_back('{');
    bool first = true;
    for (const JsonObject::Member& member : *object) {
      if (!first) out.push_back(',');
      first = false;
      append_json_string(out, member.key);
      out.push_back(':');
      append_value(out, member.value);
    }
    out.push_back('}');
  } else {
    append_scalar(out, value);
  }
}

void append_pretty(std::string& out, const Json& value, std::size_t indent, std::size_t level) {
  const auto line = [&](std::size_t depth) { out.append(1, '\n').append(depth * indent, ' '); };
  if (const Json::Array* array = value.if_array(); array && !array->empty()) {
    out.push_back('[');
    bool first = true;
    for (const Json& element : *array) {
      if (!first) out.push_back(',');
      first = false;
      line(level + 1);
      append_pretty(out, element, indent, level + 1);
    }
    line(level);
    out.push_back(']');
  } else if (const JsonObject* object = value.if_object(); object && !object->empty()) {
    out.push_back('{');
    bool first = true;
    for (const JsonObject::Member& member : *object) {
      if (!first) out.push_back(',');
      first = false;
      line(level + 1);
      append_json_string(out, member.key);
      out += ": ";
      append_pretty(out, member.value, indent, level + 1);
    }
    line(level);
    out.push_back('}');
  } else {
    append_value(out, value);
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t done = 0;
  std::uint64_t seen = 0;
  for (;;) {
    const std::size_t stop = detail::find_plain_end(text, done, seen);
    out.append(text.substr(done, stop - done));
    if (stop == text.size()) break;
    append_escape(out, text[stop]);
    done = stop + 1;
  }
  out.push_back('"');
}

std::string Json::dump() const {
  std::string out;
  append_value(out, *this);
  return out;
}

std::string Json::dump_pretty(int indent) const {
  std::string out;
  append_pretty(out, *this, indent > 0 ? static_cast<std::size_t>(indent) : 0, 0);
  return out;
}

void JsonWriter::separate() {
  if (need_comma_) out_.push_back(',');
  need_comma_ = true;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_.push_back('{');
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_.push_back('}');
  need_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  out_.push_back('[');
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_.push_back(']');
  need_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_.push_back(':');
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::null() {
  return raw("null");
}
JsonWriter& JsonWriter::value(bool v) {
  return raw(v ? "true" : "false");
}

JsonWriter& JsonWriter::value(std::int64_t v) {
  separate();
  append_integer(out_, v);
  return *this;
}

JsonWriter& JsonWriter::value(std::uint64_t v) {
  separate();
  append_integer(out_, v);
  return *this;
}

JsonWriter& JsonWriter::value(double v) {
  separate();
  append_float(out_, v);
  return *this;
}

JsonWriter& JsonWriter::value(float v) {
  separate();
  append_float(out_, v);
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view v) {
  separate();
  append_json_string(out_, v);
  return *this;
}

JsonWriter& JsonWriter::value(const Json& v) {
  separate();
  append_value(out_, v);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_.append(json);
  return *this;
}

}  // namespace dynamo::base
