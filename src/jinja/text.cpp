// SPDX-License-Identifier: Apache-2.0
#include "jinja/text.h"

#include <array>
#include <charconv>

#include "jinja/bigint.h"
#include "jinja/builtin.h"
#include "jinja/failure.h"
#include "jinja/float_text.h"
#include "jinja/objects.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

constexpr int kDepthMax = 200;

void append_json_repr(std::string& out, const Json& json, int depth);

void check_depth(int depth) {
  if (depth > kDepthMax) fail_limit("values are nested too deeply to print");
}

void append_int(std::string& out, std::int64_t value) {
  std::array<char, 24> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  out.append(buffer.data(), end);
}

void append_uint(std::string& out, std::uint64_t value) {
  std::array<char, 24> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  out.append(buffer.data(), end);
}

void append_json_array_repr(std::string& out, const Json::Array& array, int depth) {
  check_depth(depth);
  out.push_back('[');
  bool first = true;
  for (const Json& item : array) {
    if (!first) out += ", ";
    first = false;
    append_json_repr(out, item, depth + 1);
  }
  out.push_back(']');
}

void append_json_object_repr(std::string& out, const JsonObject& object, int depth) {
  check_depth(depth);
  out.push_back('{');
  bool first = true;
  for (const JsonObject::Member& member : object) {
    if (!first) out += ", ";
    first = false;
    append_quoted(out, member.key);
    out += ": ";
    append_json_repr(out, member.value, depth + 1);
  }
  out.push_back('}');
}

void append_json_repr(std::string& out, const Json& json, int depth) {
  switch (json.kind()) {
    case Json::Kind::null:
      out += "None";
      break;
    case Json::Kind::boolean:
      out += *json.if_bool() ? "True" : "False";
      break;
    case Json::Kind::integer:
      append_int(out, *json.as_int64());
      break;
    case Json::Kind::unsigned_integer:
      append_uint(out, *json.as_uint64());
      break;
    case Json::Kind::real:
      append_float_repr(out, *json.as_double());
      break;
    case Json::Kind::string:
      append_quoted(out, *json.if_string());
      break;
    case Json::Kind::array:
      append_json_array_repr(out, *json.if_array(), depth);
      break;
    case Json::Kind::object:
      append_json_object_repr(out, *json.if_object(), depth);
      break;
  }
}

void append_items(std::string& out, const List& list, int depth) {
  check_depth(depth);
  for (std::uint32_t i = 0; i < list.size; ++i) {
    if (i != 0) out += ", ";
    append_repr(out, list.items[i], depth + 1);
  }
}

void append_dict(std::string& out, const Dict& dict, int depth) {
  check_depth(depth);
  out.push_back('{');
  for (std::uint32_t i = 0; i < dict.size; ++i) {
    if (i != 0) out += ", ";
    append_repr(out, dict.entries[i].key, depth + 1);
    out += ": ";
    append_repr(out, dict.entries[i].value, depth + 1);
  }
  out.push_back('}');
}

void append_view(std::string& out, const DictView& view, int depth) {
  check_depth(depth);
  out += view.kind == ViewKind::keys     ? "dict_keys(["
         : view.kind == ViewKind::values ? "dict_values(["
                                         : "dict_items([";
  bool first = true;
  const auto entry = [&](auto&& append_key, auto&& append_value) {
    if (!first) out += ", ";
    first = false;
    if (view.kind == ViewKind::items) out.push_back('(');
    if (view.kind != ViewKind::values) append_key();
    if (view.kind == ViewKind::items) out += ", ";
    if (view.kind != ViewKind::keys) append_value();
    if (view.kind == ViewKind::items) out.push_back(')');
  };
  if (view.dict) {
    for (std::uint32_t i = 0; i < view.dict->size; ++i) {
      const Dict::Entry& e = view.dict->entries[i];
      entry([&] { append_repr(out, e.key, depth + 1); },
            [&] { append_repr(out, e.value, depth + 1); });
    }
  } else {
    for (const JsonObject::Member& m : *view.object) {
      entry([&] { append_quoted(out, m.key); }, [&] { append_json_repr(out, m.value, depth + 1); });
    }
  }
  out += "])";
}

}  // namespace

void append_str(std::string& out, const Value& value) {
  switch (value.tag) {
    case Tag::string:
      out.append(value.text, value.size);
      break;
    case Tag::integer:
      append_int(out, value.integer);
      break;
    case Tag::missing:
    case Tag::undefined:
      break;
    default:
      append_repr(out, value);
  }
}

void append_repr(std::string& out, const Value& value, int depth) {
  switch (value.tag) {
    case Tag::missing:
    case Tag::undefined:
      out += "Undefined";
      break;
    case Tag::none:
      out += "None";
      break;
    case Tag::boolean:
      out += value.boolean ? "True" : "False";
      break;
    case Tag::integer:
      append_int(out, value.integer);
      break;
    case Tag::big:
      out += int_to_text(value);
      break;
    case Tag::real:
      append_float_repr(out, value.real);
      break;
    case Tag::string:
      if (value.is_markup()) out += "Markup(";
      append_quoted(out, value.str());
      if (value.is_markup()) out.push_back(')');
      break;
    case Tag::json_array:
      append_json_array_repr(out, *value.json_array, depth);
      break;
    case Tag::json_object:
      append_json_object_repr(out, *value.json_object, depth);
      break;
    case Tag::list:
      out.push_back('[');
      append_items(out, *value.list, depth);
      out.push_back(']');
      break;
    case Tag::tuple:
      out.push_back('(');
      append_items(out, *value.list, depth);
      if (value.list->size == 1) out.push_back(',');
      out.push_back(')');
      break;
    case Tag::dict:
      append_dict(out, *value.dict, depth);
      break;
    case Tag::dict_view:
      append_view(out, *value.view, depth);
      break;
    case Tag::range:
      out += "range(";
      append_int(out, value.range->start);
      out += ", ";
      append_int(out, value.range->stop);
      if (value.range->step != 1) {
        out += ", ";
        append_int(out, value.range->step);
      }
      out.push_back(')');
      break;
    case Tag::name_space:
      out += "<Namespace ";
      append_dict(out, *value.name_space->attributes.dict(), depth + 1);
      out.push_back('>');
      break;
    case Tag::loop:
      out += "<LoopContext ";
      append_int(out, value.loop->index0 + 1);
      out.push_back('/');
      append_int(out, value.loop->length());
      out.push_back('>');
      break;
    case Tag::macro:
      out += "<Macro ";
      if (value.macro->name().empty()) {
        out += "anonymous";
      } else {
        append_quoted(out, value.macro->name());
      }
      out.push_back('>');
      break;
    case Tag::self:
      out += "<TemplateReference None>";
      break;
    // Python prints an address here, which nobody can rely on.
    case Tag::iterator:
      out += "<generator object>";
      break;
    case Tag::method:
      out += "<built-in method " + std::string(value.method->function->name) + ">";
      break;
    case Tag::function:
      out += "<function " + std::string(value.function->name) + ">";
      break;
    case Tag::cycler:
    case Tag::joiner:
    case Tag::block:
      out += "<" + std::string(type_name(value)) + " object>";
      break;
  }
}

std::string repr(const Value& value) {
  std::string out;
  append_repr(out, value);
  return out;
}

void append_quoted(std::string& out, std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char mark = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  const auto hex = [&out](char letter, std::uint32_t c, int digits) {
    out.push_back('\\');
    out.push_back(letter);
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
      out.push_back("0123456789abcdef"[(c >> shift) & 15]);
    }
  };
  out.push_back(mark);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_char(text, at);
    if (c == static_cast<char32_t>(mark) || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x80 ? (c >= 0x20 && c != 0x7F) : is_printable(c)) {
      out.append(text.substr(begin, at - begin));
    } else if (c < 0x100) {
      hex('x', c, 2);
    } else if (c < 0x10000) {
      hex('u', c, 4);
    } else {
      hex('U', c, 8);
    }
  }
  out.push_back(mark);
}

std::string quote(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace dynamo::jinja::detail
