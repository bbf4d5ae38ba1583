// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "jinja/arguments.h"
#include "jinja/builtin.h"
#include "jinja/json_text.h"
#include "jinja/percent_format.h"
#include "jinja/text_operations.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

Value upper(Interpreter& in, const Value* a) {
  const Value s = to_text(in, a[0]);
  return in.text(to_upper(s.str()), s.is_markup());
}

Value lower(Interpreter& in, const Value* a) {
  const Value s = to_text(in, a[0]);
  return in.text(to_lower(s.str()), s.is_markup());
}

Value capitalize_filter(Interpreter& in, const Value* a) {
  const Value s = to_text(in, a[0]);
  return in.text(capitalize(s.str()), s.is_markup());
}

/// Jinja2's own title: words begin behind `-`, whitespace and opening brackets only.
Value title(Interpreter& in, const Value* a) {
  const Value s = to_text(in, a[0]);
  const std::string_view text = s.str();
  std::string out;
  std::size_t begin = 0;
  bool in_separators = false;
  const auto flush = [&](std::size_t end) {
    if (end == begin) return;
    const std::string_view item = text.substr(begin, end - begin);
    const std::size_t first = std::min(char_length(item.front()), item.size());
    out += to_upper(item.substr(0, first));
    out += to_lower(item.substr(first));
    begin = end;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const char32_t c = next_char(text, at);
    const bool separator = c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
    if (separator != in_separators) {
      flush(here);
      in_separators = separator;
    }
  }
  flush(text.size());
  return in.text(out);
}

Value trim(Interpreter& in, const Value* a) {
  const Value s = to_text(in, a[0]);
  if (is_absent(a[1])) return make_string(strip_space(s.str()), s.is_markup());
  return make_string(strip_chars(s.str(), require_text(a[1], "strip arg"), true, true),
                     s.is_markup());
}

Value string_filter(Interpreter& in, const Value* a) {
  return to_text(in, a[0]);
}

/// str(value), also of what is marked safe.
Value plain(Interpreter& in, const Value& v) {
  Value s = to_text(in, v);
  s.flags = 0;
  return s;
}

Value replace(Interpreter& in, const Value* a) {
  const std::int64_t count = is_absent(a[3]) ? -1 : require_int(a[3], "count");
  if (!in.autoescape()) {
    const Value from = plain(in, a[1]);
    const Value to = plain(in, a[2]);
    return replace_text(in, plain(in, a[0]), from.str(), to.str(), count);
  }
  Value s = to_text(in, a[0]);
  const bool escape = a[1].is_markup() || (a[2].is_markup() && !a[0].is_markup());
  if (escape) s = escape_value(in, s);
  const Value from = to_text(in, a[1]);
  Value to = to_text(in, a[2]);
  if (s.is_markup()) to = escape_value(in, to);
  return replace_text(in, s, from.str(), to.str(), count);
}

Value indent(Interpreter& in, const Value* a) {
  std::string spaces;
  std::string_view indention;
  if (a[1].is_string()) {
    indention = a[1].str();
  } else {
    const std::int64_t width = int_or(a[1], 4, "width");
    if (width > 10000) fail_limit("an indent of more than 10000 spaces");
    spaces.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    indention = spaces;
  }
  if (!a[0].is_string()) {
    if (a[0].is_undefined()) fail_with_undefined(a[0]);
    fail_type("indent needs a text, not " + std::string(type_name(a[0])));
  }
  const bool first = bool_or(a[2], false);
  const bool blank = bool_or(a[3], false);
  const std::string text = std::string(a[0].str()) + "\n";
  const std::vector<std::string_view> lines = split_lines(text, false);
  std::string out;
  if (first) out += indention;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i != 0) {
      out.push_back('\n');
      if (blank || !lines[i].empty()) out += indention;
    }
    out += lines[i];
  }
  return in.text(out, a[0].is_markup());
}

Value word_count(Interpreter& in, const Value* a) {
  const Value s = to_text(in, a[0]);
  std::int64_t words = 0;
  bool inside = false;
  for (std::size_t at = 0; at < s.size;) {
    const char32_t c = next_char(s.str(), at);
    const bool word = c == '_' || is_alnum(c);
    words += word && !inside ? 1 : 0;
    inside = word;
  }
  return make_int(words);
}

Value truncate(Interpreter& in, const Value* a) {
  const std::int64_t length = int_or(a[1], 255, "length");
  const bool kill_words = bool_or(a[2], false);
  const std::string_view end = text_or(a[3], "...", "end");
  const std::int64_t leeway = is_absent(a[4]) ? 5 : require_int(a[4], "leeway");
  const auto end_size = static_cast<std::int64_t>(char_count(end));
  if (length < end_size) {
    fail_type("expected length >= " + std::to_string(end_size) + ", got " + std::to_string(length));
  }
  if (leeway < 0) fail_type("expected leeway >= 0, got " + std::to_string(leeway));
  if (!a[0].is_string()) {
    // Anything with a length that is short enough is returned as it is.
    if (require_length(a[0]) <= length + leeway) return a[0];
    fail_type("truncate needs a text, not " + std::string(type_name(a[0])));
  }
  const std::string_view s = a[0].str();
  if (static_cast<std::int64_t>(char_count(s)) <= length + leeway) return a[0];
  std::string_view kept = s.substr(0, char_offset(s, static_cast<std::size_t>(length - end_size)));
  if (!kill_words) {
    const std::size_t space = kept.rfind(' ');
    if (space != std::string_view::npos) kept = kept.substr(0, space);
  }
  return add(in, make_string(kept, a[0].is_markup()),
             a[3].is_missing() ? make_string("...") : a[3]);
}

Value center(Interpreter& in, const Value* a) {
  return center_text(in, to_text(in, a[0]), int_or(a[1], 80, "width"), " ");
}

Value format(Interpreter& in, const Value& self, const CallArgs& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    fail_type("can't handle positional and keyword arguments at the same time");
  }
  Value value;
  if (!args.named.empty()) {
    DictBuilder dict(in.arena(), args.named.size());
    for (const NamedArg& named : args.named) dict.set(make_string(named.name), named.value);
    value = dict.value();
  } else {
    value = make_list(in.arena(), args.positional);
    value.tag = Tag::tuple;
  }
  return percent_format(in, to_text(in, self), value);
}

Value word_wrap(Interpreter& in, const Value* a) {
  const std::int64_t width = int_or(a[1], 79, "width");
  const std::string_view between = is_absent(a[3]) ? "\n" : require_text(a[3], "wrapstring");
  if (width <= 0) fail_type("invalid width " + std::to_string(width) + " (must be > 0)");
  const std::string_view text = require_text(a[0], "wordwrap");
  std::string out;
  bool first = true;
  for (const std::string_view line : split_lines(text, false)) {
    const std::vector<std::string> wrapped =
        wrap_line(line, static_cast<std::size_t>(width), bool_or(a[2], true), bool_or(a[4], true));
    if (!first) out += between;
    first = false;
    for (std::size_t i = 0; i < wrapped.size(); ++i) {
      if (i != 0) out += between;
      out += wrapped[i];
    }
  }
  return in.text(out);
}

constexpr Builtin kFilters[] = {
    {.name = "upper", .bound = upper},
    {.name = "lower", .bound = lower},
    {.name = "capitalize", .bound = capitalize_filter},
    {.name = "title", .bound = title},
    {.name = "trim", .bound = trim, .params = {"chars"}},
    {.name = "string", .bound = string_filter},
    {.name = "replace", .bound = replace, .params = {"old", "new", "count"}, .required = 2},
    {.name = "indent", .bound = indent, .params = {"width", "first", "blank"}},
    {.name = "wordcount", .bound = word_count},
    {.name = "wordwrap",
     .bound = word_wrap,
     .params = {"width", "break_long_words", "wrapstring", "break_on_hyphens"}},
    {.name = "truncate", .bound = truncate, .params = {"length", "killwords", "end", "leeway"}},
    {.name = "center", .bound = center, .params = {"width"}},
    {.name = "format", .raw = format},
    {.name = "tojson",
     .bound = tojson_filter,
     .params = {"ensure_ascii", "indent", "separators", "sort_keys"}},
};

}  // namespace

std::span<const Builtin> text_filters() noexcept {
  return kFilters;
}

}  // namespace dynamo::jinja::detail
