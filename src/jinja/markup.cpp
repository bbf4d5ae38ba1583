// SPDX-License-Identifier: Apache-2.0
#include "jinja/markup.h"

#include <dynamo/base/utf8.h>

#include <array>
#include <utility>

#include "jinja/text.h"

namespace dynamo::jinja::detail {

void append_html_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out.push_back(c);
    }
  }
}

void append_escaped(std::string& out, const Value& value) {
  if (value.is_markup()) {
    out.append(value.str());
  } else if (value.is_string()) {
    append_html_escaped(out, value.str());
  } else {
    std::string text;
    append_str(text, value);
    append_html_escaped(out, text);
  }
}

std::string html_unescape(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kNamed{{
      {"amp", "&"},
      {"lt", "<"},
      {"gt", ">"},
      {"quot", "\""},
      {"apos", "'"},
      {"nbsp", "\u00a0"},
      {"copy", "\u00a9"},
      {"reg", "\u00ae"},
      {"hellip", "\u2026"},
      {"mdash", "\u2014"},
      {"ndash", "\u2013"},
      {"lsquo", "\u2018"},
      {"rsquo", "\u2019"},
      {"ldquo", "\u201c"},
      {"rdquo", "\u201d"},
      {"laquo", "\u00ab"},
      {"raquo", "\u00bb"},
      {"euro", "\u20ac"},
  }};
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == '&' ? text.find(';', at) : std::string_view::npos;
    if (end == std::string_view::npos || end - at > 12) {
      out.push_back(text[at++]);
      continue;
    }
    std::string_view name = text.substr(at + 1, end - at - 1);
    bool known = false;
    if (name.starts_with('#') && name.size() > 1) {
      name.remove_prefix(1);
      const bool hex = (name.front() | 0x20) == 'x';
      if (hex) name.remove_prefix(1);
      char32_t scalar = 0;
      known = !name.empty();
      for (const char c : name) {
        const int digit = c >= '0' && c <= '9'                            ? c - '0'
                          : hex && (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                                          : -1;
        known = known && digit >= 0;
        scalar = scalar * (hex ? 16 : 10) + static_cast<char32_t>(digit);
      }
      if (known) {
        const bool valid =
            scalar != 0 && scalar <= 0x10FFFF && (scalar < 0xD800 || scalar > 0xDFFF);
        base::append_utf8(out, valid ? scalar : 0xFFFD);
      }
    } else {
      for (const auto& [entity, replacement] : kNamed) {
        if (entity == name) {
          out += replacement;
          known = true;
          break;
        }
      }
    }
    if (known) {
      at = end + 1;
    } else {
      out.push_back(text[at++]);
    }
  }
  return out;
}

}  // namespace dynamo::jinja::detail
