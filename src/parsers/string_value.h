// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dynamo::parsers::detail {

enum class Entities : std::uint8_t {
  none,
  xml,  ///< &lt; &gt; &amp; &quot; &#x27; &#39; replaced in that order
  glm,  ///< &lt; &gt; &amp; &quot; &apos;
};

/// `text` with its entities replaced.
std::string decode_entities(std::string_view text, Entities entities);

/// Turns the raw text of a value, in pieces, into a JSON string, in pieces: nothing is held but
/// what trimming, an entity or the word null may still change.
class StringValue {
 public:
  struct Options {
    bool trim = true;
    Entities entities = Entities::none;
    /// A value that is `null`, in any case, is JSON's null.
    bool null_word = false;
  };

  void begin(const Options& options);
  /// Appends JSON text to `out`.
  void feed(std::string_view piece, std::string& out);
  /// The value is complete: appends the rest and the closing quote.
  void finish(std::string& out);

 private:
  void take(bool at_end, std::string& out);
  void put(std::string_view text, std::string& out);
  std::size_t entity(std::string_view text, bool at_end, std::string_view& value) const noexcept;

  Options options_;
  std::string pending_;  // at most an entity or a character that is not complete
  std::string space_;    // white space that may be the end of the value
  std::string head_;     // of a value that may be null
  bool begun_ = false;   // something that is not white space came
  bool quoted_ = false;  // the opening quote went out
};

}  // namespace dynamo::parsers::detail
