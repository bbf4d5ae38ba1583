// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "jinja/arguments.h"
#include "jinja/builtin.h"
#include "jinja/markup.h"
#include "jinja/text_operations.h"
#include "jinja/unicode.h"
#include "jinja/urlize.h"

namespace dynamo::jinja::detail {
namespace {

Value escape(Interpreter& in, const Value* a) {
  return escape_value(in, a[0]);
}

Value force_escape(Interpreter& in, const Value* a) {
  std::string text;
  std::string out;
  append_str(text, a[0]);
  append_html_escaped(out, text);
  return in.text(out, true);
}

Value safe(Interpreter& in, const Value* a) {
  Value s = to_text(in, a[0]);
  s.flags = Value::kMarkup;
  return s;
}

/// Markup.striptags: comments and tags go, whitespace collapses, entities are resolved.
Value strip_tags(Interpreter& in, const Value* a) {
  const Value s = to_text(in, a[0]);
  const std::string_view text = s.str();
  std::string kept;
  std::size_t at = 0;
  for (std::size_t tag = 0; (tag = text.find('<', at)) != std::string_view::npos;) {
    std::size_t end = 0;
    if (text.substr(tag).starts_with("<!--")) {
      end = text.find("-->", tag + 4);
      if (end == std::string_view::npos) break;
      end += 3;
    } else {
      end = text.find('>', tag);
      if (end == std::string_view::npos) break;
      end += 1;
    }
    kept += text.substr(at, tag - at);
    at = end;
  }
  kept += text.substr(at);
  std::string collapsed;
  for (std::size_t i = 0; i < kept.size();) {
    const std::size_t begin = i;
    const char32_t c = next_char(kept, i);
    if (!is_space(c)) {
      collapsed.append(kept, begin, i - begin);
    } else if (!collapsed.empty() && collapsed.back() != ' ') {
      collapsed.push_back(' ');
    }
  }
  if (!collapsed.empty() && collapsed.back() == ' ') collapsed.pop_back();
  return in.text(html_unescape(collapsed));
}

void append_url_quoted(std::string& out, std::string_view text, bool for_query) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved =
        (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
        byte == '_' || byte == '.' || byte == '-' || byte == '~' || (byte == '/' && !for_query);
    if (unreserved) {
      out.push_back(c);
    } else if (for_query && c == ' ') {
      out.push_back('+');
    } else {
      out.push_back('%');
      out.push_back("0123456789ABCDEF"[byte >> 4]);
      out.push_back("0123456789ABCDEF"[byte & 15]);
    }
  }
}

Value url_encode(Interpreter& in, const Value* a) {
  std::string out;
  const Value& v = a[0];
  if (v.is_string() || !is_iterable(v)) {
    append_url_quoted(out, to_text(in, v).str(), false);
    return in.text(out);
  }
  const auto pair = [&](const Value& key, const Value& value) {
    if (!out.empty()) out.push_back('&');
    append_url_quoted(out, to_text(in, key).str(), true);
    out.push_back('=');
    append_url_quoted(out, to_text(in, value).str(), true);
  };
  Cursor cursor = iterate(v);
  for (Value item; cursor.next(in, item);) {
    if (v.is_mapping()) {
      pair(item, in.item(v, item));
      continue;
    }
    const List* both = to_list(in, item);
    if (both->size != 2) fail_type("urlencode needs pairs of key and value");
    pair(both->items[0], both->items[1]);
  }
  return in.text(out);
}

Value xml_attributes(Interpreter& in, const Value* a) {
  if (!a[0].is_mapping()) {
    if (a[0].is_undefined()) fail_with_undefined(a[0]);
    fail_type("'" + std::string(type_name(a[0])) + "' object has no attribute 'items'");
  }
  std::string out;
  Cursor keys = iterate(a[0]);
  for (Value key; keys.next(in, key);) {
    const Value value = in.item(a[0], key);
    if (value.is_none() || value.is_undefined()) continue;
    const std::string_view name = require_text(key, "an attribute name");
    if (name.find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) {
      fail_type("Invalid character in attribute name: " + quote(name));
    }
    if (!out.empty()) out.push_back(' ');
    append_escaped(out, key);
    out += "=\"";
    append_escaped(out, value);
    out.push_back('"');
  }
  if (bool_or(a[1], true) && !out.empty()) out.insert(0, " ");
  return in.text(out, in.autoescape());
}

Value urlize_filter(Interpreter& in, const Value* a) {
  UrlizeOptions options;
  if (!is_absent(a[1])) options.trim_limit = require_int(a[1], "trim_url_limit");
  std::vector<std::string> rel{"noopener"};
  if (!is_absent(a[4])) {
    std::string_view rest = require_text(a[4], "rel");
    while (!(rest = strip_space(rest)).empty()) {
      std::size_t end = 0;
      while (end < rest.size() && !is_space(static_cast<unsigned char>(rest[end]))) ++end;
      rel.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end);
    }
  }
  if (bool_or(a[2], false)) rel.emplace_back("nofollow");
  std::sort(rel.begin(), rel.end());
  rel.erase(std::unique(rel.begin(), rel.end()), rel.end());
  for (const std::string& part : rel) options.rel += (options.rel.empty() ? "" : " ") + part;
  if (!is_absent(a[3])) options.target = require_text(a[3], "target");
  if (!is_absent(a[5])) {
    const List* schemes = to_list(in, a[5]);
    for (std::uint32_t i = 0; i < schemes->size; ++i) {
      const std::string_view scheme = require_text(schemes->items[i], "a scheme");
      if (!is_uri_scheme(scheme)) fail_type(quote(scheme) + " is not a valid URI scheme prefix.");
      options.extra_schemes.emplace_back(scheme);
    }
  }
  return in.text(urlize(escape_value(in, a[0]).str(), options), in.autoescape());
}

constexpr Builtin kFilters[] = {
    {.name = "e", .bound = escape},
    {.name = "escape", .bound = escape},
    {.name = "forceescape", .bound = force_escape},
    {.name = "safe", .bound = safe},
    {.name = "striptags", .bound = strip_tags},
    {.name = "urlencode", .bound = url_encode},
    {.name = "xmlattr", .bound = xml_attributes, .params = {"autospace"}},
    {.name = "urlize",
     .bound = urlize_filter,
     .params = {"trim_url_limit", "nofollow", "target", "rel", "extra_schemes"}},
};

}  // namespace

std::span<const Builtin> markup_filters() noexcept {
  return kFilters;
}

}  // namespace dynamo::jinja::detail
