// SPDX-License-Identifier: Apache-2.0
// Everything of base that reads outside text. The first byte of an input picks what reads it.
#include <dynamo/base/assert.h>
#include <dynamo/base/base64.h>
#include <dynamo/base/json.h>
#include <dynamo/base/msgpack.h>
#include <dynamo/base/truthy.h>
#include <dynamo/base/utf8.h>
#include <dynamo/base/uuid.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_oracle.h"
#include "base/log_filter.h"
#include "base/log_line.h"

namespace dynamo::base {
namespace {

using detail::same_json;

void check_round_trip(const Json& value) {
  const auto compact = parse_json(value.dump());
  DYN_ASSERT(compact && same_json(*compact, value));
  const auto pretty = parse_json(value.dump_pretty());
  DYN_ASSERT(pretty && same_json(*pretty, value));
}

// What is accepted survives writing, and simdjson agrees wherever it means to.
void json(std::string_view text) {
  const auto value = parse_json(text);
  if (value) {
    check_round_trip(*value);
  } else {
    DYN_ASSERT(value.error().message().find(" at line ") != std::string::npos);
    DYN_ASSERT(is_valid_utf8(value.error().message()));
  }
  if (detail::oracle_may_differ(text)) return;
  const auto oracle = detail::oracle_parse(text);
  DYN_ASSERT(oracle.has_value() == value.has_value());
  if (value) DYN_ASSERT(same_json(*oracle, *value));
}

// Lenient reading changes nothing that is valid and yields nothing that is not.
void lenient_json(std::string_view text) {
  const auto strict = parse_json(text);
  const auto lenient = parse_json(text, {.lenient = true});
  if (strict) DYN_ASSERT(lenient && same_json(*strict, *lenient));
  if (lenient) check_round_trip(*lenient);
}

void json_pointer(std::string_view text) {
  const std::size_t split = text.find('\n');
  if (split == std::string_view::npos) return;
  if (const auto value = parse_json(text.substr(split + 1)))
    static_cast<void>(value->pointer(text.substr(0, split)));
}

void utf8(std::string_view text) {
  const std::string repaired = to_valid_utf8(text);
  DYN_ASSERT(is_valid_utf8(repaired));
  DYN_ASSERT(is_valid_utf8(text) == (repaired == text));
  std::string streamed;
  std::string pending;
  for (const char byte : text) {
    pending.push_back(byte);
    const std::size_t ready = complete_utf8_prefix(pending);
    DYN_ASSERT(pending.size() - ready <= 3);
    streamed += to_valid_utf8(std::string_view(pending).substr(0, ready));
    pending.erase(0, ready);
  }
  streamed += to_valid_utf8(pending);
  DYN_ASSERT(streamed == repaired);
  for (std::size_t limit = 0; limit <= repaired.size() && limit < 64; ++limit)
    DYN_ASSERT(is_valid_utf8(std::string_view(repaired).substr(0, utf8_floor(repaired, limit))));
}

void base64(std::string_view text) {
  if (const auto bytes = base64_decode(text)) DYN_ASSERT(base64_encode(*bytes) == text);
  const auto back = base64_decode(base64_encode(text));
  DYN_ASSERT(back && *back == text);
}

void uuid(std::string_view text) {
  if (const auto id = Uuid::parse(text)) DYN_ASSERT(Uuid::parse(id->to_string()) == id);
}

void log(std::string_view text) {
  const std::size_t split = std::min(text.find('\n'), text.size());
  const std::string_view rest = text.substr(split);
  if (const auto filter = detail::LogFilter::parse(text.substr(0, split)))
    static_cast<void>(filter->enabled(LogLevel::debug, rest));
  LogOptions how;
  for (const LogFormat format : {LogFormat::readable, LogFormat::jsonl}) {
    how.format = format;
    const std::string line = detail::format_line(
        {LogLevel::info, "fuzz", text, {{"text", text}}, std::source_location::current(), {}}, how);
    // One line feed, at the end: no text forges a line.
    DYN_ASSERT(line.find('\n') == line.size() - 1);
    if (format == LogFormat::jsonl) DYN_ASSERT(parse_json(line).has_value());
  }
}

void truthy(std::string_view text) {
  DYN_ASSERT(!(is_truthy(text) && is_falsey(text)));
  DYN_ASSERT(parse_bool(text).has_value() == (is_truthy(text) || is_falsey(text)));
}

// Reading and passing over an item end at the same byte, and what is read can be written again.
void msgpack(std::string_view text) {
  MsgpackReader reader(text);
  const auto value = reader.json();
  MsgpackReader passing(text);
  const bool passed = passing.skip().has_value();
  if (!value) return;
  DYN_ASSERT(passed && passing.offset() == reader.offset());
  std::string written;
  MsgpackWriter(written).value(*value);
  const auto back = parse_msgpack(written);
  DYN_ASSERT(back.has_value());
  std::string again;
  MsgpackWriter(again).value(*back);
  DYN_ASSERT(again == written);  // bytes, because NaN equals nothing
}

constexpr std::array kTargets{json, lenient_json, json_pointer, utf8,   base64,
                              uuid, log,          truthy,       msgpack};

}  // namespace
}  // namespace dynamo::base

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  dynamo::base::kTargets[data[0] % dynamo::base::kTargets.size()](text);
  return 0;
}
