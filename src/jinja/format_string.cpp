// SPDX-License-Identifier: Apache-2.0
#include "jinja/format_string.h"

#include <algorithm>
#include <charconv>

#include "jinja/arguments.h"
#include "jinja/compare.h"
#include "jinja/markup.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

class StringFormatter {
 public:
  StringFormatter(Interpreter& in, const CallArgs& args, const Value* mapping, bool markup)
      : in_(in), args_(args), mapping_(mapping), markup_(markup) {}

  std::string format(std::string_view text, int depth) {
    if (depth < 0) fail_type("Max string recursion exceeded");
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const char c = text[at];
      if (c != '{' && c != '}') {
        const std::size_t end = std::min(text.find_first_of("{}", at), text.size());
        out += text.substr(at, end - at);
        at = end;
        continue;
      }
      if (at + 1 < text.size() && text[at + 1] == c) {
        out.push_back(c);
        at += 2;
        continue;
      }
      if (c == '}') fail_type("Single '}' encountered in format string");
      if (at + 1 >= text.size()) fail_type("Single '{' encountered in format string");
      out += field(text, ++at, depth);
      if (out.size() > in_.options().budget.memory_bytes) {
        fail_limit("a formatted text does not fit the memory budget");
      }
    }
    return out;
  }

 private:
  /// `at` is behind the opening brace, and behind the closing one afterwards.
  std::string field(std::string_view text, std::size_t& at, int depth) {
    in_.charge(1);
    const std::size_t begin = at;
    std::size_t open = 1;
    std::size_t bracket = 0;
    std::size_t name_end = std::string_view::npos;
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (name_end == std::string_view::npos) {
        // Inside the name, brackets hide everything else.
        if (c == '[') bracket = 1;
        if (c == ']') bracket = 0;
        if (bracket != 0) continue;
        if (c == '{') fail_type("unexpected '{' in field name");
        if (c == '!' || c == ':' || c == '}') name_end = at;
      }
      if (c == '{') ++open;
      if (c == '}' && --open == 0) break;
    }
    if (at >= text.size()) fail_type("expected '}' before end of string");
    const std::string_view name = text.substr(begin, name_end - begin);
    std::string_view rest = text.substr(name_end, at - name_end);
    ++at;
    char conversion = '\0';
    if (rest.starts_with('!')) {
      if (rest.size() < 2) fail_type("end of string while looking for conversion specifier");
      conversion = rest[1];
      rest.remove_prefix(2);
      if (!rest.empty() && rest.front() != ':')
        fail_type("expected ':' after conversion specifier");
    }
    if (rest.starts_with(':')) rest.remove_prefix(1);
    Value value = look_up(name);
    if (conversion != '\0') value = convert(value, conversion);
    const std::string spec = format(rest, depth - 1);
    if (!markup_) return format_value(in_, value, spec);
    std::string out;
    if (value.is_markup()) {
      if (!spec.empty()) fail_type("Unsupported format specification for Markup.");
      out += value.str();
    } else {
      append_html_escaped(out, format_value(in_, value, spec));
    }
    return out;
  }

  Value convert(const Value& value, char conversion) {
    if (conversion == 's') return to_text(in_, value.is_markup() ? plain(value) : value);
    if (conversion == 'r' || conversion == 'a') return in_.text(repr(value));
    fail_type("Unknown conversion specifier " + std::string(1, conversion));
  }
  static Value plain(Value v) {
    v.flags = 0;
    return v;
  }

  Value look_up(std::string_view name) {
    const std::size_t end = std::min(name.find_first_of(".["), name.size());
    std::string_view first = name.substr(0, end);
    std::string_view rest = name.substr(end);
    Value value = first_value(first);
    while (!rest.empty()) {
      if (rest.front() == '.') {
        const std::size_t stop = std::min(rest.find_first_of(".[", 1), rest.size());
        if (stop == 1) fail_type("Empty attribute in format string");
        value = in_.attribute(value, *make_attribute(in_.arena(), rest.substr(1, stop - 1)));
        rest.remove_prefix(stop);
        continue;
      }
      if (rest.front() != '[') {
        fail_type("Only '.' or '[' may follow ']' in format field specifier");
      }
      const std::size_t stop = rest.find(']');
      if (stop == std::string_view::npos) fail_type("Missing ']' in format string");
      const std::string_view key = rest.substr(1, stop - 1);
      if (key.empty()) fail_type("Empty attribute in format string");
      value = in_.item(value, is_number(key) ? parse_int(in_.arena(), key, 10) : make_string(key));
      rest.remove_prefix(stop + 1);
    }
    return value;
  }

  static bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 18 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  }

  Value first_value(std::string_view name) {
    if (name.empty()) {
      if (manual_) {
        fail_type("cannot switch from manual field specification to automatic field numbering");
      }
      automatic_ = true;
      return positional(next_++);
    }
    if (is_number(name)) {
      if (automatic_) {
        fail_type("cannot switch from automatic field numbering to manual field specification");
      }
      manual_ = true;
      std::size_t index = 0;
      std::from_chars(name.data(), name.data() + name.size(), index);
      return positional(index);
    }
    if (mapping_) {
      if (!mapping_->is_mapping()) {
        fail_type("'" + std::string(type_name(*mapping_)) + "' object is not a mapping");
      }
      if (!contains(in_, *mapping_, make_string(name))) fail_type("KeyError: " + quote(name));
      return in_.item(*mapping_, make_string(name));
    }
    for (const NamedArg& n : args_.named) {
      if (n.name == name) return n.value;
    }
    fail_type("KeyError: " + quote(name));
  }

  Value positional(std::size_t index) {
    if (index >= args_.positional.size()) {
      fail_type("Replacement index " + std::to_string(index) +
                " out of range for positional args tuple");
    }
    return args_.positional[index];
  }

  Interpreter& in_;
  const CallArgs& args_;
  const Value* mapping_;
  bool markup_;
  bool automatic_ = false;
  bool manual_ = false;
  std::size_t next_ = 0;
};

}  // namespace

Value format_string(Interpreter& in, const Value& text, const CallArgs& args,
                    const Value* mapping) {
  return in.text(StringFormatter(in, args, mapping, text.is_markup()).format(text.str(), 2),
                 text.is_markup());
}

}  // namespace dynamo::jinja::detail
