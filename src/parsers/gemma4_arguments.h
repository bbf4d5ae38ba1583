// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "parsers/marker_set.h"
#include "parsers/string_value.h"

namespace dynamo::parsers::detail {

/// Gemma 4's notation of an arguments object, turned into JSON as it comes:
/// `{key:<|"|>text<|"|>,n:3,list:[true,null]}`.
class Gemma4Arguments {
 public:
  enum class Status : std::uint8_t { more, done, invalid };

  Gemma4Arguments();
  /// Begins behind the opening brace.
  void begin();
  /// Consumes from the front of `text` and appends JSON to `out`. `done`: the closing brace was
  /// consumed.
  Status feed(std::string_view text, std::size_t& consumed, std::string& out);
  /// Leading bytes of `text` that stand inside a string and cannot begin its end.
  std::size_t plain_run(std::string_view text) const noexcept {
    return state_ == State::string ? quote_.unmarked(text) : 0;
  }

 private:
  enum class State : std::uint8_t {
    key_or_end,
    key,
    colon,
    value,
    value_or_end,
    string,
    quoted_key,
    word,
    comma_or_end
  };
  static constexpr std::size_t kDepthLimit = 64;

  Status step(char c, std::string& out);
  Status open(bool object, std::string& out);
  Status close(char c, std::string& out);
  bool finish_word(std::string& out);
  void finish_key(std::string& out);
  bool in_object() const noexcept { return object_[depth_ - 1]; }

  MarkerSet quote_;
  State state_ = State::key_or_end;
  std::array<bool, kDepthLimit> object_{};
  std::size_t depth_ = 0;
  bool first_ = true;    // no member of the innermost container yet
  bool opened_ = false;  // the outermost brace went out
  std::string word_;
  StringValue string_;
};

}  // namespace dynamo::parsers::detail
