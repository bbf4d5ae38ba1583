// SPDX-License-Identifier: Apache-2.0
#include "jinja/json_text.h"

#include <dynamo/jinja/python_json.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "jinja/arithmetic.h"
#include "jinja/bigint.h"
#include "jinja/compare.h"
#include "jinja/failure.h"
#include "jinja/float_text.h"
#include "jinja/interpreter.h"
#include "jinja/merge_sort.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

constexpr int kDepthMax = 200;

/// 1 for bytes that are written as they are inside a string.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0; c < plain.size(); ++c) plain[c] = c >= 0x20 && c != '"' && c != '\\';
  return plain;
}();

class Writer {
 public:
  Writer(std::string& out, const JsonStyle& style) : out_(out), style_(style) {}

  void write(const Value& v, int depth) {
    switch (v.tag) {
      case Tag::none:
        out_ += "null";
        break;
      case Tag::boolean:
        out_ += v.boolean ? "true" : "false";
        break;
      case Tag::integer:
        write_int(v.integer);
        break;
      case Tag::big:
        out_ += int_to_text(v);
        break;
      case Tag::real:
        write_real(v.real);
        break;
      case Tag::string:
        write_string(v.str());
        break;
      case Tag::json_array:
        write_array(v.json_array->size(), depth,
                    [&](std::size_t i) { write((*v.json_array)[i], depth + 1); });
        break;
      case Tag::list:
      case Tag::tuple:
        write_array(v.list->size, depth,
                    [&](std::size_t i) { write(v.list->items[i], depth + 1); });
        break;
      case Tag::json_object:
        write_object(*v.json_object, depth);
        break;
      case Tag::dict:
        write_dict(*v.dict, depth);
        break;
      default:
        fail_type("Object of type " + std::string(type_name(v)) + " is not JSON serializable");
    }
  }

  void write(const Json& v, int depth) {
    switch (v.kind()) {
      case Json::Kind::null:
        out_ += "null";
        break;
      case Json::Kind::boolean:
        out_ += *v.if_bool() ? "true" : "false";
        break;
      case Json::Kind::integer:
        write_int(*v.as_int64());
        break;
      case Json::Kind::unsigned_integer:
        write_int(*v.as_uint64());
        break;
      case Json::Kind::real:
        write_real(*v.as_double());
        break;
      case Json::Kind::string:
        write_string(*v.if_string());
        break;
      case Json::Kind::array:
        write_array(v.if_array()->size(), depth,
                    [&](std::size_t i) { write((*v.if_array())[i], depth + 1); });
        break;
      case Json::Kind::object:
        write_object(*v.if_object(), depth);
        break;
    }
  }

 private:
  template <class Int>
  void write_int(Int value) {
    std::array<char, 24> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    out_.append(buffer.data(), end);
  }

  void write_real(double value) {
    if (std::isnan(value)) {
      out_ += "NaN";
    } else if (std::isinf(value)) {
      out_ += value < 0 ? "-Infinity" : "Infinity";
    } else {
      append_float_repr(out_, value);
    }
  }

  void write_string(std::string_view text) {
    out_.push_back('"');
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
      const auto byte = static_cast<unsigned char>(text[at]);
      if (kPlain[byte] && (byte < 0x80 || !style_.ensure_ascii)) {
        ++at;
        continue;
      }
      out_.append(text, begin, at - begin);
      if (byte < 0x80) {
        ++at;
        write_escape(byte);
      } else {
        const char32_t c = next_char(text, at);
        if (c >= 0x10000) {
          write_hex(0xD800 + ((c - 0x10000) >> 10));
          write_hex(0xDC00 + ((c - 0x10000) & 0x3FF));
        } else {
          write_hex(c);
        }
      }
      begin = at;
    }
    out_.append(text, begin);
    out_.push_back('"');
  }

  void write_escape(unsigned char c) {
    switch (c) {
      case '"':
        out_ += "\\\"";
        break;
      case '\\':
        out_ += "\\\\";
        break;
      case '\n':
        out_ += "\\n";
        break;
      case '\r':
        out_ += "\\r";
        break;
      case '\t':
        out_ += "\\t";
        break;
      case '\b':
        out_ += "\\b";
        break;
      case '\f':
        out_ += "\\f";
        break;
      default:
        write_hex(c);
    }
  }

  void write_hex(char32_t c) {
    out_ += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) {
      out_.push_back("0123456789abcdef"[(c >> shift) & 15]);
    }
  }

  void new_line(int depth) {
    if (!style_.indent) return;
    out_.push_back('\n');
    for (int i = 0; i < depth; ++i) out_ += *style_.indent;
  }

  void check_depth(int depth) const {
    if (depth > kDepthMax) fail_limit("values are nested too deeply for JSON");
  }

  template <class WriteItem>
  void write_array(std::size_t size, int depth, WriteItem&& write_item) {
    check_depth(depth);
    if (size == 0) {
      out_ += "[]";
      return;
    }
    out_.push_back('[');
    for (std::size_t i = 0; i < size; ++i) {
      if (i != 0) out_ += style_.item_separator;
      new_line(depth + 1);
      write_item(i);
    }
    new_line(depth);
    out_.push_back(']');
  }

  void write_object(const JsonObject& object, int depth) {
    check_depth(depth);
    if (object.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const JsonObject::Member*> sorted;
    if (style_.sort_keys) {
      sorted.reserve(object.size());
      for (const JsonObject::Member& m : object) sorted.push_back(&m);
      merge_sort(sorted, [](const auto* a, const auto* b) { return a->key < b->key; });
    }
    out_.push_back('{');
    for (std::size_t i = 0; i < object.size(); ++i) {
      const JsonObject::Member& m =
          style_.sort_keys ? *sorted[i] : object.begin()[static_cast<std::ptrdiff_t>(i)];
      if (i != 0) out_ += style_.item_separator;
      new_line(depth + 1);
      write_string(m.key);
      out_ += style_.key_separator;
      write(m.value, depth + 1);
    }
    new_line(depth);
    out_.push_back('}');
  }

  void write_dict(const Dict& dict, int depth) {
    check_depth(depth);
    if (dict.size == 0) {
      out_ += "{}";
      return;
    }
    std::vector<const Dict::Entry*> entries;
    entries.reserve(dict.size);
    for (std::uint32_t i = 0; i < dict.size; ++i) entries.push_back(&dict.entries[i]);
    if (style_.sort_keys) {
      merge_sort(entries, [](const auto* a, const auto* b) { return less(a->key, b->key); });
    }
    out_.push_back('{');
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i != 0) out_ += style_.item_separator;
      new_line(depth + 1);
      write_key(entries[i]->key);
      out_ += style_.key_separator;
      write(entries[i]->value, depth + 1);
    }
    new_line(depth);
    out_.push_back('}');
  }

  void write_key(const Value& key) {
    switch (key.tag) {
      case Tag::string:
        return write_string(key.str());
      case Tag::none:
      case Tag::boolean:
      case Tag::integer:
      case Tag::big:
      case Tag::real:
        out_.push_back('"');
        write(key, 0);
        out_.push_back('"');
        return;
      default:
        fail_type("keys must be str, int, float, bool or None, not " + std::string(type_name(key)));
    }
  }

  std::string& out_;
  const JsonStyle& style_;
};

}  // namespace

void append_json(std::string& out, const Value& value, const JsonStyle& style) {
  Writer(out, style).write(value, 0);
}

void append_json(std::string& out, const Json& value, const JsonStyle& style) {
  Writer(out, style).write(value, 0);
}

/// tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)
Value tojson_filter(Interpreter& in, const Value* args) {
  JsonStyle style;
  style.ensure_ascii = is_true(args[1]);
  const Value& indent = args[2];
  std::string spaces;
  if (indent.is_string()) {
    style.indent = indent.str();
  } else if (!indent.is_missing() && !indent.is_none()) {
    const std::int64_t width = require_int(indent, "indent");
    if (width > 1000) fail_limit("an indent of more than 1000 spaces");
    spaces.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    style.indent = spaces;
  }
  if (style.indent) style.item_separator = ",";
  const Value& separators = args[3];
  if (!separators.is_missing() && !separators.is_none()) {
    const List* pair = to_list(in, separators);
    if (pair->size != 2) fail_type("separators must be a pair (item, key)");
    if (!pair->items[0].is_string() || !pair->items[1].is_string()) {
      fail_type("separators must be texts");
    }
    style.item_separator = pair->items[0].str();
    style.key_separator = pair->items[1].str();
  }
  style.sort_keys = is_true(args[4]);
  std::string out;
  append_json(out, args[0], style);
  return in.text(out);
}

}  // namespace dynamo::jinja::detail

namespace dynamo::jinja {

void append_python_json(std::string& out, const Json& value, const PythonJsonStyle& style) {
  detail::JsonStyle json;
  json.sort_keys = style.sort_keys;
  if (style.compact) {
    json.item_separator = ",";
    json.key_separator = ":";
  }
  detail::append_json(out, value, json);
}

}  // namespace dynamo::jinja
