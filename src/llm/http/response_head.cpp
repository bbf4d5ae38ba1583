// SPDX-License-Identifier: Apache-2.0
#include "llm/http/response_head.h"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace dynamo::llm::http {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_two(std::string& out, int number) {
  out.push_back(static_cast<char>('0' + number / 10));
  out.push_back(static_cast<char>('0' + number % 10));
}

bool is_clean(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Entity";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 529:
      return "Overloaded";
    default:
      return "Unknown";
  }
}

std::string http_date(base::SystemTime time) {
  static constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                         "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::string out;
  out.reserve(29);
  out.append(kDays[static_cast<std::size_t>(utc.tm_wday)]).append(", ");
  append_two(out, utc.tm_mday);
  out.append(" ").append(kMonths[static_cast<std::size_t>(utc.tm_mon)]).append(" ");
  append_number(out, static_cast<std::uint64_t>(utc.tm_year + 1900));
  out.append(" ");
  append_two(out, utc.tm_hour);
  out.append(":");
  append_two(out, utc.tm_min);
  out.append(":");
  append_two(out, utc.tm_sec);
  out.append(" GMT");
  return out;
}

void append_head(std::string& out, const ResponseHead& head) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(head.status));
  out.append(" ").append(reason_phrase(head.status)).append("\r\n");
  if (!head.content_type.empty()) append_field(out, "content-type", head.content_type);
  for (const auto& [name, value] : head.headers)
    if (is_clean(name) && is_clean(value)) append_field(out, name, value);
  if (head.framing.kind == BodyFraming::Kind::length) {
    out.append("content-length: ");
    append_number(out, head.framing.length);
    out.append("\r\n");
  } else if (head.framing.kind == BodyFraming::Kind::chunked) {
    out.append("transfer-encoding: chunked\r\n");
  }
  if (!head.request_id.empty()) append_field(out, "x-request-id", head.request_id);
  if (!head.connection.empty()) append_field(out, "connection", head.connection);
  append_field(out, "date", head.date);
  out.append("\r\n");
}

ChunkPrefix::ChunkPrefix(std::size_t size) noexcept : begin_(text_.size()) {
  text_[--begin_] = '\n';
  text_[--begin_] = '\r';
  do {
    text_[--begin_] = "0123456789ABCDEF"[size & 15];
    size >>= 4;
  } while (size != 0);
}

}  // namespace dynamo::llm::http
