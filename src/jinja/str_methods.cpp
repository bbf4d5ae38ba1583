// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "jinja/arguments.h"
#include "jinja/builtin.h"
#include "jinja/format_string.h"
#include "jinja/markup.h"
#include "jinja/text_operations.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

Value part(const Value& self, std::string_view text) {
  return make_string(text, self.is_markup());
}

template <std::string (*convert)(std::string_view)>
Value converted(Interpreter& in, const Value* a) {
  return in.text(convert(a[0].str()), a[0].is_markup());
}

template <bool left, bool right>
Value strip(Interpreter&, const Value* a) {
  if (is_absent(a[1])) return part(a[0], strip_space(a[0].str(), left, right));
  return part(a[0], strip_chars(a[0].str(), require_text(a[1], "strip arg"), left, right));
}

std::string_view require_separator(const Value& v) {
  const std::string_view separator = require_text(v, "separator");
  if (separator.empty()) fail_type("empty separator");
  return separator;
}

Value split(Interpreter& in, const Value* a) {
  const std::string_view text = a[0].str();
  std::int64_t left = int_or(a[2], -1, "maxsplit");
  if (left < 0) left = std::numeric_limits<std::int64_t>::max();
  ListBuilder list(in.arena());
  in.charge(text.size() / 64);
  if (is_absent(a[1])) {
    std::string_view rest = strip_space(text, true, false);
    while (!rest.empty() && left-- > 0) {
      std::size_t end = 0;
      while (end < rest.size()) {
        std::size_t after = end;
        if (is_space(next_char(rest, after))) break;
        end = after;
      }
      list.add(part(a[0], rest.substr(0, end)));
      rest = strip_space(rest.substr(end), true, false);
    }
    if (!rest.empty()) list.add(part(a[0], strip_space(rest, true, false)));
    in.charge(list.size() / 8);
    return list.list();
  }
  const std::string_view separator = require_separator(a[1]);
  std::size_t begin = 0;
  for (std::size_t at = 0;
       left-- > 0 && (at = text.find(separator, begin)) != std::string_view::npos;) {
    list.add(part(a[0], text.substr(begin, at - begin)));
    begin = at + separator.size();
  }
  list.add(part(a[0], text.substr(begin)));
  in.charge(list.size() / 8);
  return list.list();
}

Value rsplit(Interpreter& in, const Value* a) {
  std::string_view rest = a[0].str();
  std::int64_t left = int_or(a[2], -1, "maxsplit");
  if (left < 0) left = std::numeric_limits<std::int64_t>::max();
  ListBuilder list(in.arena());
  in.charge(rest.size() / 64);
  if (is_absent(a[1])) {
    rest = strip_space(rest, false, true);
    while (!rest.empty() && left-- > 0) {
      std::size_t begin = rest.size();
      while (begin > 0) {
        std::size_t previous = begin - 1;
        while (previous > 0 && (static_cast<unsigned char>(rest[previous]) & 0xC0) == 0x80) {
          --previous;
        }
        std::size_t at = previous;
        if (is_space(next_char(rest, at))) break;
        begin = previous;
      }
      list.add(part(a[0], rest.substr(begin)));
      rest = strip_space(rest.substr(0, begin), false, true);
    }
    if (!rest.empty()) list.add(part(a[0], rest));
  } else {
    const std::string_view separator = require_separator(a[1]);
    std::size_t at = 0;
    while (left-- > 0 && (at = rest.rfind(separator)) != std::string_view::npos) {
      list.add(part(a[0], rest.substr(at + separator.size())));
      rest = rest.substr(0, at);
    }
    list.add(part(a[0], rest));
  }
  in.charge(list.size() / 8);
  std::reverse(list.items(), list.items() + list.size());
  return list.list();
}

Value splitlines(Interpreter& in, const Value* a) {
  ListBuilder list(in.arena());
  for (const std::string_view line : split_lines(a[0].str(), bool_or(a[1], false))) {
    in.charge(1);
    list.add(part(a[0], line));
  }
  return list.list();
}

/// The bytes that start and end (character indexes, as in slices) leave; none when start is behind
/// the end.
struct Window {
  std::string_view text;
  std::size_t begin;  ///< characters before it
  bool valid;
};
Window window(const Value& self, const Value& start, const Value& end) {
  const std::string_view text = self.str();
  if (is_absent(start) && is_absent(end)) return {text, 0, true};
  const auto size = static_cast<std::int64_t>(char_count(text));
  const auto clamp = [size](std::int64_t i) {
    if (i < 0) i = std::max<std::int64_t>(i + size, 0);
    return i;
  };
  const std::int64_t from = is_absent(start) ? 0 : clamp(require_int(start, "start"));
  const std::int64_t to = is_absent(end) ? size : std::min(clamp(require_int(end, "end")), size);
  if (from > to) return {{}, 0, false};
  const std::size_t first = char_offset(text, static_cast<std::size_t>(from));
  const std::size_t last = char_offset(text, static_cast<std::size_t>(to));
  return {text.substr(first, last - first), static_cast<std::size_t>(from), true};
}

std::int64_t find_in(const Value* a, bool backward) {
  const std::string_view needle = require_text(a[1], "the text to find");
  const Window w = window(a[0], a[2], a[3]);
  if (!w.valid) return -1;
  const std::size_t at = backward ? w.text.rfind(needle) : w.text.find(needle);
  if (at == std::string_view::npos) return -1;
  return static_cast<std::int64_t>(w.begin + char_count(w.text.substr(0, at)));
}

template <bool backward>
Value find(Interpreter& in, const Value* a) {
  in.charge(a[0].size / 64);
  return make_int(find_in(a, backward));
}

template <bool backward>
Value index(Interpreter& in, const Value* a) {
  in.charge(a[0].size / 64);
  const std::int64_t at = find_in(a, backward);
  if (at < 0) fail_type("substring not found");
  return make_int(at);
}

Value count(Interpreter& in, const Value* a) {
  const std::string_view needle = require_text(a[1], "the text to count");
  const Window w = window(a[0], a[2], a[3]);
  in.charge(w.text.size() / 64);
  if (!w.valid) return make_int(0);
  if (needle.empty()) return make_int(static_cast<std::int64_t>(char_count(w.text)) + 1);
  std::int64_t n = 0;
  for (std::size_t at = 0; (at = w.text.find(needle, at)) != std::string_view::npos;
       at += needle.size()) {
    ++n;
  }
  return make_int(n);
}

template <bool at_end>
Value has_affix(Interpreter&, const Value* a) {
  const Window w = window(a[0], a[2], a[3]);
  const auto matches = [&](std::string_view affix) {
    return w.valid && (at_end ? w.text.ends_with(affix) : w.text.starts_with(affix));
  };
  if (a[1].is_string()) return make_bool(matches(a[1].str()));
  if (a[1].tag != Tag::tuple) {
    if (a[1].is_undefined()) {
      fail_type(std::string(at_end ? "endswith" : "startswith") +
                " first arg must be str or a tuple of str, not Undefined");
    }
    fail_type(std::string(at_end ? "endswith" : "startswith") +
              " first arg must be str or a tuple of str, not " + std::string(type_name(a[1])));
  }
  for (const Value& affix : a[1].list->span()) {
    if (matches(require_text(affix, "each item of the tuple"))) return make_bool(true);
  }
  return make_bool(false);
}

Value replace(Interpreter& in, const Value* a) {
  std::string_view to = require_text(a[2], "replace() argument 2");
  std::string escaped;
  if (a[0].is_markup()) {
    append_escaped(escaped, a[2]);
    to = escaped;
  }
  return replace_text(in, a[0], require_text(a[1], "replace() argument 1"), to,
                      int_or(a[3], -1, "count"));
}

Value join(Interpreter& in, const Value* a) {
  Cursor cursor = iterate(a[1]);
  std::string out;
  std::int64_t n = 0;
  for (Value item; cursor.next(in, item); ++n) {
    in.charge(1);
    if (!item.is_string() && !a[0].is_markup()) {
      fail_type("sequence item " + std::to_string(n) + ": expected str instance, " +
                std::string(type_name(item)) + " found");
    }
    if (n != 0) out += a[0].str();
    if (a[0].is_markup()) {
      append_escaped(out, item);
    } else {
      out += item.str();
    }
    if (out.size() > in.options().budget.memory_bytes) {
      fail_limit("a joined text does not fit the memory budget");
    }
  }
  return in.text(out, a[0].is_markup());
}

template <bool from_end>
Value partition(Interpreter& in, const Value* a) {
  const std::string_view text = a[0].str();
  const std::string_view separator = require_separator(a[1]);
  const std::size_t at = from_end ? text.rfind(separator) : text.find(separator);
  const Value empty = part(a[0], {});
  if (at == std::string_view::npos) {
    return from_end ? make_tuple(in.arena(), {empty, empty, a[0]})
                    : make_tuple(in.arena(), {a[0], empty, empty});
  }
  return make_tuple(in.arena(), {part(a[0], text.substr(0, at)), part(a[0], separator),
                                 part(a[0], text.substr(at + separator.size()))});
}

Value remove_prefix(Interpreter&, const Value* a) {
  const std::string_view prefix = require_text(a[1], "prefix");
  std::string_view text = a[0].str();
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return part(a[0], text);
}

Value remove_suffix(Interpreter&, const Value* a) {
  const std::string_view suffix = require_text(a[1], "suffix");
  std::string_view text = a[0].str();
  if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
  return part(a[0], text);
}

template <Align align>
Value aligned(Interpreter& in, const Value* a) {
  const std::string_view fill = text_or(a[2], " ", "fillchar");
  if (char_count(fill) != 1) fail_type("The fill character must be exactly one character long");
  return align_text(in, a[0], require_int(a[1], "width"), fill, align);
}

Value zfill(Interpreter& in, const Value* a) {
  const std::int64_t width = require_int(a[1], "width");
  const std::string_view text = a[0].str();
  const bool sign = text.starts_with('+') || text.starts_with('-');
  const Value rest = make_string(text.substr(sign ? 1 : 0));
  const Value filled = align_text(in, rest, width - (sign ? 1 : 0), "0", Align::right);
  return in.text(std::string(text.substr(0, sign ? 1 : 0)) + std::string(filled.str()),
                 a[0].is_markup());
}

Value expand_tabs(Interpreter& in, const Value* a) {
  const std::int64_t size = int_or(a[1], 8, "tabsize");
  if (size > 10000) fail_limit("a tab of more than 10000 spaces");
  std::string out;
  std::int64_t column = 0;
  const std::string_view text = a[0].str();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_char(text, at);
    if (c == '\t') {
      if (size > 0) {
        const std::int64_t step = size - column % size;
        out.append(static_cast<std::size_t>(step), ' ');
        column += step;
      }
      continue;
    }
    column = c == '\n' || c == '\r' ? 0 : column + 1;
    out += text.substr(begin, at - begin);
  }
  return in.text(out, a[0].is_markup());
}

Value format(Interpreter& in, const Value& self, const CallArgs& args) {
  return format_string(in, self, args, nullptr);
}

/// Python has these, so templates may ask whether they are there; their results have no form here.
Value unsupported(Interpreter&, const Value&, const CallArgs&) {
  fail_type("this method of str is not supported in chat templates");
}

Value format_map(Interpreter& in, const Value* a) {
  return format_string(in, a[0], {}, &a[1]);
}

constexpr Builtin kMethods[] = {
    {.name = "upper", .bound = converted<to_upper>},
    {.name = "lower", .bound = converted<to_lower>},
    {.name = "casefold", .bound = converted<to_casefold>},
    {.name = "title", .bound = converted<to_title>},
    {.name = "capitalize", .bound = converted<capitalize>},
    {.name = "swapcase", .bound = converted<swap_case>},
    {.name = "strip", .bound = strip<true, true>, .params = {"chars"}, .positional_only = 1},
    {.name = "lstrip", .bound = strip<true, false>, .params = {"chars"}, .positional_only = 1},
    {.name = "rstrip", .bound = strip<false, true>, .params = {"chars"}, .positional_only = 1},
    {.name = "split", .bound = split, .params = {"sep", "maxsplit"}},
    {.name = "rsplit", .bound = rsplit, .params = {"sep", "maxsplit"}},
    {.name = "splitlines", .bound = splitlines, .params = {"keepends"}},
    {.name = "find",
     .bound = find<false>,
     .params = {"sub", "start", "end"},
     .required = 1,
     .positional_only = 3},
    {.name = "rfind",
     .bound = find<true>,
     .params = {"sub", "start", "end"},
     .required = 1,
     .positional_only = 3},
    {.name = "index",
     .bound = index<false>,
     .params = {"sub", "start", "end"},
     .required = 1,
     .positional_only = 3},
    {.name = "rindex",
     .bound = index<true>,
     .params = {"sub", "start", "end"},
     .required = 1,
     .positional_only = 3},
    {.name = "count",
     .bound = count,
     .params = {"sub", "start", "end"},
     .required = 1,
     .positional_only = 3},
    {.name = "startswith",
     .bound = has_affix<false>,
     .params = {"prefix", "start", "end"},
     .required = 1,
     .positional_only = 3},
    {.name = "endswith",
     .bound = has_affix<true>,
     .params = {"suffix", "start", "end"},
     .required = 1,
     .positional_only = 3},
    {.name = "replace",
     .bound = replace,
     .params = {"old", "new", "count"},
     .required = 2,
     .positional_only = 3},
    {.name = "join", .bound = join, .params = {"iterable"}, .required = 1, .positional_only = 1},
    {.name = "partition",
     .bound = partition<false>,
     .params = {"sep"},
     .required = 1,
     .positional_only = 1},
    {.name = "rpartition",
     .bound = partition<true>,
     .params = {"sep"},
     .required = 1,
     .positional_only = 1},
    {.name = "removeprefix",
     .bound = remove_prefix,
     .params = {"prefix"},
     .required = 1,
     .positional_only = 1},
    {.name = "removesuffix",
     .bound = remove_suffix,
     .params = {"suffix"},
     .required = 1,
     .positional_only = 1},
    {.name = "center",
     .bound = aligned<Align::center>,
     .params = {"width", "fillchar"},
     .required = 1,
     .positional_only = 2},
    {.name = "ljust",
     .bound = aligned<Align::left>,
     .params = {"width", "fillchar"},
     .required = 1,
     .positional_only = 2},
    {.name = "rjust",
     .bound = aligned<Align::right>,
     .params = {"width", "fillchar"},
     .required = 1,
     .positional_only = 2},
    {.name = "zfill", .bound = zfill, .params = {"width"}, .required = 1, .positional_only = 1},
    {.name = "expandtabs", .bound = expand_tabs, .params = {"tabsize"}},
    {.name = "format", .raw = format},
    {.name = "encode", .raw = unsupported},
    {.name = "translate", .raw = unsupported},
    {.name = "maketrans", .raw = unsupported},
    {.name = "format_map",
     .bound = format_map,
     .params = {"mapping"},
     .required = 1,
     .positional_only = 1},
};

}  // namespace

std::span<const Builtin> str_methods() noexcept {
  return kMethods;
}

}  // namespace dynamo::jinja::detail
