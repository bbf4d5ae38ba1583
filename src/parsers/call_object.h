// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "parsers/emitter.h"
#include "parsers/json_scanner.h"

namespace dynamo::parsers::detail {

/// A call written as a JSON object: {"name": …, "arguments": …}. The call starts as soon as the
/// name is known and the arguments begin; their text passes through byte by byte.
class CallObject {
 public:
  enum class Status : std::uint8_t { more, done, invalid };
  struct Options {
    /// A second member that may hold the arguments; empty: none.
    std::string_view first_key = "arguments";
    std::string_view second_key = "parameters";
    /// Which of the two counts when both are there and nothing was delivered yet.
    bool second_key_wins = false;
    /// An object without arguments is a call with {}.
    bool name_only = false;
    /// `null` arguments are {}.
    bool null_is_empty = false;
    /// Before the call starts, anything but {"name": "…", "arguments": is invalid; "id" and "type"
    /// are allowed. For JSON that stands in prose without any marker.
    bool strict = false;
  };

  /// Begins a new object; its `{` has not been consumed.
  void begin(const Options& options);
  /// Consumes from the front of `text`.
  Status feed(std::string_view text, std::size_t& consumed, Emitter& out);
  /// Consumes leading bytes that stand inside a string of the arguments, and says how many.
  std::size_t take_run(std::string_view text, Emitter& out);
  /// Ends an object that was cut off. With `repair`, open arguments are closed where that gives
  /// valid JSON. Returns whether a call came out.
  bool finish(bool repair, Emitter& out);
  /// After `invalid`: keeps a call whose arguments were complete, abandons any other.
  void give_up(Emitter& out);
  /// Whether start_call was given to the emitter for this object.
  bool call_started() const noexcept { return started_; }
  const std::string& name() const noexcept { return name_; }
  bool name_known() const noexcept { return has_name_; }
  /// Brackets that are open, for skipping the rest of a broken object.
  std::size_t depth() const noexcept;

 private:
  enum class State : std::uint8_t { open, key_or_end, key, colon, value, comma_or_end, done };
  enum class Value : std::uint8_t { skipped, name, arguments, dropped };

  Status structure(char c, Emitter& out);
  Status value(std::string_view text, std::size_t& consumed, Emitter& out);
  bool begin_value();
  bool value_complete(Emitter& out);
  Status object_complete(Emitter& out);
  void start(Emitter& out);
  bool is_argument_key() const noexcept {
    return key_ == options_.first_key ||
           (!options_.second_key.empty() && key_ == options_.second_key);
  }

  Options options_;
  State state_ = State::open;
  Value kind_ = Value::skipped;
  JsonScanner scanner_;
  std::string key_;   // between its quotes, as written
  std::string text_;  // of the value in progress, or of arguments that wait for the name
  std::string name_;
  std::string arguments_key_;
  bool has_name_ = false;
  bool has_arguments_ = false;
  bool arguments_complete_ = false;
  bool started_ = false;
  bool broken_ = false;  // a duplicated member: the object is no call
};

}  // namespace dynamo::parsers::detail
