// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo::run {

/// Reads lines from the terminal with editing and history (libedit). One per process. While it
/// lives the terminal shows nothing by itself: keys typed between two reads count at the next one.
class LineEditor {
 public:
  explicit LineEditor(std::string prompt);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  /// The next line without its end, or none at the end of input (Ctrl-D). Ctrl-C discards what was
  /// typed and asks again.
  std::optional<std::string> read();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dynamo::run
