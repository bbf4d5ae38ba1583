// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::tokenizer::detail {

/// Reads JSON front to back without building values: a vocabulary of 250,000 members as a tree
/// would take hundreds of megabytes and most of the loading time.
///
/// Every function returns false at the first error and from then on; `error()` says what and where.
/// The text must be valid UTF-8 and outlive the reader.
class JsonPull {
 public:
  /// `whole` is the text that line and column are counted in, when `text` is a part of it.
  explicit JsonPull(std::string_view text, std::string_view whole = {}) noexcept
      : whole_(whole.empty() ? text : whole), at_(text.data()), end_(text.data() + text.size()) {}

  bool begin_object();
  /// The next member's key, valid until the next read; false at the end of the object too.
  bool next_key(std::string_view& key);
  bool begin_array();
  /// True when another element follows, whose value must then be read.
  bool next_element();

  /// The string's text, valid until the next read.
  bool read_string(std::string_view& out);
  bool read_uint32(std::uint32_t& out);
  bool read_double(double& out);
  /// Passes over one value and checks it; `raw` is its text.
  bool skip(std::string_view& raw);

  /// First character of the next value ('{', '[', '"', 't', …), or 0 at the end.
  char peek();
  /// True when only white space is left.
  bool at_end();

  /// Whether text returned by a read lies in the reader and will be overwritten by the next.
  bool in_scratch(std::string_view text) const noexcept { return text.data() == scratch_.data(); }

  bool ok() const noexcept { return message_ == nullptr; }
  /// What was expected, with line and column. Call only when !ok().
  Error error() const;

 private:
  static constexpr int kDepthLimit = 128;

  void skip_space() noexcept;
  bool expect(char c, const char* message);
  bool fail_at(const char* message) noexcept;
  bool read_escaped(const char* start, std::string_view& out);
  bool read_hex4(std::uint32_t& unit);
  bool skip_string();
  bool skip_scalar();

  std::string_view whole_;
  const char* at_;
  const char* end_;
  const char* message_ = nullptr;
  bool first_ = false;  ///< just after '{' or '['
  std::string scratch_;
};

}  // namespace dynamo::tokenizer::detail
