// SPDX-License-Identifier: Apache-2.0
// Line formats as in the reference (lib/runtime/src/logging.rs and tracing-subscriber's "full").
#include "base/log_line.h"

#include <dynamo/base/json.h>
#include <dynamo/base/utf8.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace dynamo::base::detail {
namespace {

constexpr std::array<std::string_view, 6> kNames{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};
// As tracing colours them: purple, blue, green, yellow, red.
constexpr std::array<std::string_view, 6> kColours{"\x1b[35m", "\x1b[34m", "\x1b[32m",
                                                   "\x1b[33m", "\x1b[31m", ""};
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kReset = "\x1b[0m";

void append_padded(std::string& out, long value, std::size_t width) {
  const std::string digits = std::to_string(value);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

// File relative to the root of the sources. A compiler is given absolute paths, or with a compiler
// cache paths relative to the build folder; the top folder's name is in both.
std::string_view short_file(std::string_view file) {
  for (const std::string_view top :
       {"/src/", "/include/", "/apps/", "/tests/", "/tools/", "/bench/", "/examples/"}) {
    const std::size_t at = file.rfind(top);
    if (at != std::string_view::npos) return file.substr(at + 1);
  }
  return file;
}

bool is_control(unsigned char c) {
  return c < 0x20 || c == 0x7F;
}

bool is_plain_word(std::string_view text) {
  return !text.empty() && std::ranges::none_of(text, [](unsigned char c) {
    return is_control(c) || c == ' ' || c == '"' || c == '=';
  });
}

// A readable line must survive a terminal: DEL is not escaped by JSON's rules.
void append_quoted(std::string& out, std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  for (const char c : quoted) {
    if (c == 0x7F) {
      out += "\\u007f";
    } else {
      out.push_back(c);
    }
  }
}

std::string readable(const LogLine& line, const LogOptions& how) {
  const auto colour = [&](std::string& out, std::string_view code) {
    if (how.ansi) out += code;
  };
  const auto level = static_cast<std::size_t>(line.level);
  std::string out;
  colour(out, kDim);
  out += format_timestamp(line.time, how.local_time);
  colour(out, kReset);
  out.push_back(' ');
  colour(out, kColours[level]);
  out.append(5 - std::min<std::size_t>(kNames[level].size(), 5), ' ').append(kNames[level]);
  colour(out, kReset);
  out.push_back(' ');
  colour(out, kDim);
  out.append(line.target).push_back(':');
  colour(out, kReset);
  out.push_back(' ');
  if (std::ranges::any_of(line.event, is_control)) {
    append_quoted(out, line.event);
  } else {
    out += line.event;
  }
  for (const LogField& field : line.fields) {
    out.append(1, ' ').append(field.name).push_back('=');
    if (!field.quoted || is_plain_word(field.text)) {
      out += field.text;
    } else {
      append_quoted(out, field.text);
    }
  }
  out.push_back('\n');
  return out;
}

// The reference writes a text that is itself JSON as that JSON, so that an object or a number that
// arrives as text can be queried as such. Long texts are left alone.
constexpr std::size_t kEmbeddedJsonBytes = std::size_t{16} * 1024;

void write_text(JsonWriter& json, std::string_view text) {
  static constexpr std::string_view kStarts = "{[\"-0123456789tfn";
  if (!text.empty() && text.size() <= kEmbeddedJsonBytes &&
      kStarts.find(text.front()) != std::string_view::npos) {
    if (const auto value = parse_json(text)) {
      json.value(*value);
      return;
    }
  }
  json.value(text);
}

std::string jsonl(const LogLine& line, const LogOptions& how) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.member("time", format_timestamp(line.time, how.local_time));
  json.member("level", kNames[static_cast<std::size_t>(line.level)]);
  json.member("file", short_file(line.where.file_name()));
  json.member("line", line.where.line());
  json.member("target", line.target);
  json.member("message",
              is_valid_utf8(line.event) ? std::string(line.event) : to_valid_utf8(line.event));
  std::vector<const LogField*> sorted;
  sorted.reserve(line.fields.size());
  for (const LogField& field : line.fields) sorted.push_back(&field);
  // Equal names keep the order they were given in; the fields are one array.
  std::ranges::sort(sorted, [](const LogField* a, const LogField* b) {
    return a->name != b->name ? a->name < b->name : a < b;
  });
  for (const LogField* field : sorted) {
    json.key(field->name);
    if (field->quoted) {
      write_text(json, field->text);
    } else {
      json.raw(field->text);
    }
  }
  json.end_object();
  out.push_back('\n');
  return out;
}

}  // namespace

std::string format_timestamp(SystemTime time, bool local) {
  const auto micros = std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch());
  const auto whole = std::chrono::floor<std::chrono::seconds>(micros);
  const std::time_t seconds = whole.count();
  std::tm parts{};
  if (local) {
    ::localtime_r(&seconds, &parts);
  } else {
    ::gmtime_r(&seconds, &parts);
  }
  std::string out;
  out.reserve(32);
  append_padded(out, parts.tm_year + 1900L, 4);
  out.push_back('-');
  append_padded(out, parts.tm_mon + 1, 2);
  out.push_back('-');
  append_padded(out, parts.tm_mday, 2);
  out.push_back('T');
  append_padded(out, parts.tm_hour, 2);
  out.push_back(':');
  append_padded(out, parts.tm_min, 2);
  out.push_back(':');
  append_padded(out, parts.tm_sec, 2);
  out.push_back('.');
  append_padded(out, (micros - whole).count(), 6);
  if (!local) {
    out.push_back('Z');
    return out;
  }
  const long minutes = std::labs(parts.tm_gmtoff) / 60;
  out.push_back(parts.tm_gmtoff < 0 ? '-' : '+');
  append_padded(out, minutes / 60, 2);
  out.push_back(':');
  append_padded(out, minutes % 60, 2);
  return out;
}

std::string format_line(const LogLine& line, const LogOptions& how) {
  return how.format == LogFormat::jsonl ? jsonl(line, how) : readable(line, how);
}

}  // namespace dynamo::base::detail
