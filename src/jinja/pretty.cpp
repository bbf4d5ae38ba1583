// SPDX-License-Identifier: Apache-2.0
#include "jinja/pretty.h"

#include <algorithm>
#include <vector>

#include "jinja/compare.h"
#include "jinja/failure.h"
#include "jinja/merge_sort.h"
#include "jinja/text.h"
#include "jinja/text_operations.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {
namespace {

constexpr std::size_t kWidth = 80;
constexpr int kDepthMax = 100;

struct Pair {
  Value key;
  Value value;
};

class PrettyPrinter {
 public:
  std::string run(const Value& value) {
    format(value, 0, 0, 0);
    return std::move(out_);
  }

 private:
  std::vector<Pair> sorted_pairs(const Value& v) {
    std::vector<Pair> pairs;
    if (v.tag == Tag::json_object) {
      for (const JsonObject::Member& m : *v.json_object) {
        pairs.push_back({make_string(m.key), from_json(arena_, m.value)});
      }
    } else {
      for (std::uint32_t i = 0; i < v.dict->size; ++i) {
        pairs.push_back({v.dict->entries[i].key, v.dict->entries[i].value});
      }
    }
    // Keys without an order are compared by the names of their types.
    merge_sort(pairs, [](const Pair& a, const Pair& b) {
      const bool comparable =
          (a.key.is_string() && b.key.is_string()) || (a.key.is_number() && b.key.is_number());
      return comparable ? less(a.key, b.key) : type_name(a.key) < type_name(b.key);
    });
    return pairs;
  }

  std::vector<Value> items_of(const Value& v) {
    std::vector<Value> items;
    if (v.tag == Tag::json_array) {
      for (const Json& item : *v.json_array) items.push_back(from_json(arena_, item));
    } else {
      items.assign(v.list->items, v.list->items + v.list->size);
    }
    return items;
  }

  /// repr with sorted dicts, on one line.
  std::string flat(const Value& v, int depth) {
    if (depth > kDepthMax) fail_limit("values are nested too deeply to print");
    if (v.is_mapping()) {
      std::string text = "{";
      for (const Pair& p : sorted_pairs(v)) {
        if (text.size() > 1) text += ", ";
        text += flat(p.key, depth + 1) + ": " + flat(p.value, depth + 1);
      }
      return text + "}";
    }
    if (v.is_array()) {
      const bool tuple = v.tag == Tag::tuple;
      std::string text = tuple ? "(" : "[";
      const std::vector<Value> items = items_of(v);
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (i != 0) text += ", ";
        text += flat(items[i], depth + 1);
      }
      if (tuple && items.size() == 1) text += ",";
      return text + (tuple ? ")" : "]");
    }
    return repr(v);
  }

  void format(const Value& v, std::size_t indent, std::size_t allowance, int depth) {
    const std::string one_line = flat(v, depth);
    const std::size_t room = kWidth > indent + allowance ? kWidth - indent - allowance : 0;
    if (char_count(one_line) <= room) {
      out_ += one_line;
    } else if (v.is_mapping()) {
      format_dict(v, indent, allowance + 1, depth);
    } else if (v.is_array()) {
      format_items(v, indent, allowance + 1, depth);
    } else if (v.is_string() && !v.is_markup()) {
      format_text(v.str(), indent, allowance, depth);
    } else {
      out_ += one_line;
    }
  }

  void format_dict(const Value& v, std::size_t indent, std::size_t allowance, int depth) {
    const std::vector<Pair> pairs = sorted_pairs(v);
    out_.push_back('{');
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const std::string key = flat(pairs[i].key, depth + 1);
      out_ += key + ": ";
      const bool last = i + 1 == pairs.size();
      format(pairs[i].value, indent + 1 + char_count(key) + 2, last ? allowance : 1, depth + 1);
      if (!last) out_ += ",\n" + std::string(indent + 1, ' ');
    }
    out_.push_back('}');
  }

  void format_items(const Value& v, std::size_t indent, std::size_t allowance, int depth) {
    const bool tuple = v.tag == Tag::tuple;
    const std::vector<Value> items = items_of(v);
    out_.push_back(tuple ? '(' : '[');
    for (std::size_t i = 0; i < items.size(); ++i) {
      const bool last = i + 1 == items.size();
      const std::size_t end = tuple && items.size() == 1 ? 1 : 0;
      format(items[i], indent + 1, last ? allowance + end : 1, depth + 1);
      if (!last) out_ += ",\n" + std::string(indent + 1, ' ');
    }
    if (tuple && items.size() == 1) out_.push_back(',');
    out_.push_back(tuple ? ')' : ']');
  }

  /// A long text becomes adjacent literals, cut at line ends and spaces.
  void format_text(std::string_view text, std::size_t indent, std::size_t allowance, int depth) {
    const std::vector<std::string_view> lines = split_lines(text, true);
    if (depth == 0) {
      ++indent;
      ++allowance;
    }
    std::vector<std::string> chunks;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const bool last = i + 1 == lines.size();
      const std::string whole = quote(lines[i]);
      std::size_t width = kWidth - std::min(indent, kWidth);
      if (last) width -= std::min(allowance, width);
      if (char_count(whole) <= width) {
        chunks.push_back(whole);
        continue;
      }
      // Words with the spaces behind them.
      std::vector<std::string_view> words;
      const std::string_view line = lines[i];
      std::size_t begin = 0;
      bool in_space = false;
      for (std::size_t at = 0; at < line.size();) {
        const std::size_t here = at;
        const bool space = is_space(next_char(line, at));
        if (in_space && !space) {
          words.push_back(line.substr(begin, here - begin));
          begin = here;
        }
        in_space = space;
      }
      words.push_back(line.substr(begin));
      std::string current;
      const std::size_t full = kWidth - std::min(indent, kWidth);
      for (std::size_t w = 0; w < words.size(); ++w) {
        const std::string candidate = current + std::string(words[w]);
        std::size_t room = full;
        if (last && w + 1 == words.size()) room -= std::min(allowance, room);
        if (char_count(quote(candidate)) > room) {
          if (!current.empty()) chunks.push_back(quote(current));
          current = words[w];
        } else {
          current = candidate;
        }
      }
      if (!current.empty()) chunks.push_back(quote(current));
    }
    if (chunks.size() == 1) {
      out_ += chunks.front();
      return;
    }
    if (depth == 0) out_.push_back('(');
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      if (i != 0) out_ += "\n" + std::string(indent, ' ');
      out_ += chunks[i];
    }
    if (depth == 0) out_.push_back(')');
  }

  Arena arena_{std::size_t{64} << 20};
  std::string out_;
};

}  // namespace

std::string pretty_format(const Value& value) {
  return PrettyPrinter().run(value);
}

}  // namespace dynamo::jinja::detail
