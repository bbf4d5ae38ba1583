// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/limits.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::parsers::detail {

/// Follows one JSON value through text that comes in pieces, and copies it out unchanged: spacing,
/// key order, duplicate keys and the spelling of numbers survive. Every byte is looked at once.
class JsonScanner {
 public:
  enum class Status : std::uint8_t {
    more,     ///< the value goes on
    done,     ///< the value is complete; bytes behind it were not consumed
    invalid,  ///< the first unconsumed byte cannot continue a JSON value
  };
  /// What becomes of raw control characters inside strings, which JSON forbids and models write.
  enum class Controls : std::uint8_t {
    escape,      ///< they are escaped, so that the text becomes valid
    join_lines,  ///< a line break and the blanks behind it become one space, the rest is escaped
  };
  struct Options {
    bool compact = false;  ///< white space outside strings is left out
    Controls controls = Controls::escape;
  };

  JsonScanner() noexcept = default;
  explicit JsonScanner(Options options) noexcept : options_(options) {}

  void reset() noexcept;

  /// Consumes from the front of `text` and appends what was consumed to `out`. White space before
  /// the value is consumed and left out. A number at the top is done once a byte follows it.
  Status feed(std::string_view text, std::size_t& consumed, std::string& out);

  /// Leading bytes of `text` that stand inside a string and are copied as they are; they need not
  /// be fed.
  std::size_t plain_run(std::string_view text) const noexcept;

  /// Whether what was consumed is a complete value if the text ends here.
  bool complete_at_end() const noexcept;
  /// Whether the value has begun.
  bool started() const noexcept { return state_ != State::value || depth_ != 0; }
  /// What has to be appended to make a cut-off value complete without inventing anything: the
  /// quote of an open string and open brackets. None where that does not give valid JSON.
  std::optional<std::string> closing() const;
  /// Nesting at this point: 0 outside of arrays and objects.
  std::size_t depth() const noexcept { return depth_; }

 private:
  enum class State : std::uint8_t {
    value,
    key_or_end,
    key,
    colon,
    comma_or_end,
    value_or_end,
    string,
    escape,
    unicode,
    minus,
    zero,
    integer,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits,
    literal,
    done,
  };
  static constexpr std::size_t kDepthLimit = base::limits::kJsonDepth;

  Status step(char c, std::string& out);
  Status begin_value(char c, std::string& out);
  Status end_container(char c, std::string& out);
  Status number(char c, std::string& out);
  void value_ended() noexcept;
  void control(char c, std::string& out);
  bool in_object() const noexcept;
  bool push(bool object) noexcept;
  bool in_number() const noexcept;
  bool number_may_end() const noexcept;

  Options options_;
  State state_ = State::value;
  bool string_is_key_ = false;
  bool skip_blanks_ = false;  // behind a joined line break
  std::uint8_t unicode_digits_ = 0;
  std::uint8_t literal_at_ = 0;
  std::string_view literal_;
  std::size_t depth_ = 0;
  std::array<std::uint64_t, (kDepthLimit + 63) / 64> objects_{};  // bit set: object
};

/// Whether `text` is exactly one JSON value, white space around it allowed. With `compacted`, the
/// value without white space outside strings is appended to it.
bool is_json(std::string_view text, std::string* compacted = nullptr);

}  // namespace dynamo::parsers::detail
