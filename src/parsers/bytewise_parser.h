// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/emitter.h"

namespace dynamo::parsers::detail {

/// Base of every parser that reads an output: shows it to the machine in an order that does not
/// depend on how the output was cut.
///
/// The machine decides on a window. A window begins as one byte and grows byte by byte until the
/// machine consumes from its front; what it left is shown again, from one byte on. So the windows
/// that a machine sees are a function of the text alone, and with them everything it does: limits,
/// false starts and defects included. A feed only says how many of them come now.
///
/// For speed the machine may take a run of bytes ahead of the windows (`take_run`), on the promise
/// that it would have consumed each of them alone and to the same effect.
///
/// Nothing waits in a window longer than the longest marker; what has to wait longer is state of
/// the machine. Hence work is linear in the text.
class BytewiseParser : public OutputParser {
 public:
  void feed(std::string_view delta, std::vector<Event>& out) final;
  void finish(std::vector<Event>& out, OutputEnd end) final;
  std::uint32_t calls_started() const noexcept final { return emitter_.calls_started(); }

  /// For the batch functions.
  void record(Trace* trace) noexcept { emitter_.record(trace); }
  /// Bytes of all windows so far: the work done, for tests.
  std::uint64_t bytes_shown() const noexcept { return bytes_shown_; }

 protected:
  BytewiseParser(const ParserOptions& options, IdStyle ids) : emitter_(options, ids) {}

  /// Consumes from the front of `window`; 0 asks for one more byte. With `at_end` no more follows.
  virtual std::size_t step(std::string_view window, bool at_end) = 0;
  /// Takes leading bytes that need no decision and says how many; see above.
  virtual std::size_t take_run(std::string_view input) = 0;
  /// The text has ended. `rest` was not consumed even so: it is dropped unless it is given back,
  /// which is followed by another call.
  virtual void end(OutputEnd end, std::string_view rest) = 0;

  /// For `step`: the last bytes consumed have to be read again; for `end`: so does this text.
  /// The first byte that is read again has to be understood differently.
  void give_back(std::string_view text) { returned_ = text; }

  Emitter emitter_;

 private:
  void drive(std::string_view input);

  std::string held_;      // the window, when a feed ends in it
  std::string returned_;  // to be read again
  std::uint64_t bytes_shown_ = 0;
};

}  // namespace dynamo::parsers::detail
