// SPDX-License-Identifier: Apache-2.0
#include "jinja/text_operations.h"

#include <algorithm>
#include <deque>

#include "jinja/failure.h"
#include "jinja/interpreter.h"
#include "jinja/markup.h"
#include "jinja/unicode.h"

namespace dynamo::jinja::detail {

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const char32_t c = next_char(text, at);
    const bool line_end = (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 ||
                          c == 0x2028 || c == 0x2029;
    if (!line_end) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, (keep_ends ? at : here) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

Value replace_text(Interpreter& in, const Value& s, std::string_view from, std::string_view to,
                   std::int64_t count) {
  const std::string_view text = s.str();
  in.charge(text.size() / 64);
  if (count == 0) return s;
  std::string out;
  std::int64_t done = 0;
  const auto limit = [&] {
    if (out.size() > in.options().budget.memory_bytes) {
      fail_limit("a text grows beyond the memory budget");
    }
  };
  if (from.empty()) {
    // Between all characters, and at both ends.
    for (std::size_t at = 0;;) {
      if (count < 0 || done < count) {
        out += to;
        ++done;
      }
      if (at >= text.size()) break;
      const std::size_t length = std::min(char_length(text[at]), text.size() - at);
      out += text.substr(at, length);
      at += length;
      limit();
    }
    return in.text(out, s.is_markup());
  }
  std::size_t begin = 0;
  for (std::size_t at = 0; (at = text.find(from, begin)) != std::string_view::npos;) {
    if (count >= 0 && done >= count) break;
    out += text.substr(begin, at - begin);
    out += to;
    begin = at + from.size();
    ++done;
    limit();
  }
  if (done == 0) return s;
  out += text.substr(begin);
  return in.text(out, s.is_markup());
}

Value align_text(Interpreter& in, const Value& s, std::int64_t width, std::string_view fill,
                 Align align) {
  const auto size = static_cast<std::int64_t>(char_count(s.str()));
  if (width <= size) return s;
  const auto padding = static_cast<std::size_t>(width - size);
  if (padding > in.options().budget.memory_bytes / 4)
    fail_limit("a text wider than the memory budget");
  std::size_t left = 0;
  switch (align) {
    case Align::left:
      break;
    case Align::right:
      left = padding;
      break;
    case Align::center:
      // CPython: the odd space goes left when the width is odd.
      left = padding / 2 + (padding & static_cast<std::size_t>(width) & 1);
      break;
  }
  std::string out;
  for (std::size_t i = 0; i < left; ++i) out += fill;
  out += s.str();
  for (std::size_t i = left; i < padding; ++i) out += fill;
  return in.text(out, s.is_markup());
}

Value escape_value(Interpreter& in, const Value& v) {
  if (v.is_markup()) return v;
  std::string out;
  append_escaped(out, v);
  return in.text(out, true);
}

namespace {

bool is_wrap_space(char c) noexcept {
  return (c >= 9 && c <= 13) || c == ' ';
}

/// textwrap's chunks: words (cut behind hyphens if wanted) and runs of whitespace. Hyphens count
/// between two letters at least, as in CPython's wordsep_re; em dashes stand alone.
std::deque<std::string> wrap_chunks(std::string_view line, bool break_on_hyphens) {
  std::deque<std::string> chunks;
  const auto is_letter_at = [&](std::size_t at) {
    if (at >= line.size()) return false;
    std::size_t after = at;
    const char32_t c = next_char(line, after);
    return c == '_' || (is_alnum(c) && !is_decimal(c));
  };
  std::size_t at = 0;
  while (at < line.size()) {
    std::size_t end = at;
    if (is_wrap_space(line[at])) {
      while (end < line.size() && is_wrap_space(line[end])) ++end;
    } else {
      while (end < line.size() && !is_wrap_space(line[end])) {
        ++end;
        if (break_on_hyphens && line[end - 1] == '-' && end - at >= 3 && end < line.size() &&
            is_letter_at(end) && is_letter_at(end + char_length(line[end])) &&
            line[end - 2] != '-' && is_letter_at(end - 2) && is_letter_at(end - 3)) {
          break;
        }
      }
    }
    chunks.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return chunks;
}

}  // namespace

std::vector<std::string> wrap_line(std::string_view line, std::size_t width, bool break_long_words,
                                   bool break_on_hyphens) {
  std::vector<std::string> lines;
  std::deque<std::string> chunks = wrap_chunks(line, break_on_hyphens);
  const auto blank = [](const std::string& chunk) { return strip_space(chunk).empty(); };
  while (!chunks.empty()) {
    if (blank(chunks.front()) && !lines.empty()) chunks.pop_front();
    std::vector<std::string> current;
    std::size_t size = 0;
    while (!chunks.empty() && size + char_count(chunks.front()) <= width) {
      size += char_count(chunks.front());
      current.push_back(std::move(chunks.front()));
      chunks.pop_front();
    }
    if (!chunks.empty() && char_count(chunks.front()) > width) {
      if (break_long_words) {
        std::string& word = chunks.front();
        std::size_t room = width - size;
        std::size_t cut = char_offset(word, room);
        if (break_on_hyphens && char_count(word) > room) {
          const std::size_t hyphen = word.rfind('-', cut == 0 ? 0 : cut - 1);
          if (hyphen != std::string::npos && hyphen > 0 && hyphen < cut &&
              word.substr(0, hyphen).find_first_not_of('-') != std::string::npos) {
            cut = hyphen + 1;
          }
        }
        // An empty piece counts: the space before it then stays, as in CPython.
        current.push_back(word.substr(0, cut));
        word.erase(0, cut);
      } else if (current.empty()) {
        current.push_back(std::move(chunks.front()));
        chunks.pop_front();
      }
    }
    if (!current.empty() && blank(current.back())) current.pop_back();
    if (current.empty()) continue;
    std::string joined;
    for (const std::string& chunk : current) joined += chunk;
    lines.push_back(std::move(joined));
  }
  return lines;
}

}  // namespace dynamo::jinja::detail
