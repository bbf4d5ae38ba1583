// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/parsers/output_parser.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/emitter.h"
#include "parsers/marker_set.h"

namespace dynamo::parsers::detail {

/// What a grammar may know about the request.
struct GrammarContext {
  std::span<const ToolDefinition> tools;
  /// A complete text is parsed by the batch conventions.
  bool batch = false;
  bool incremental = true;
  std::size_t held_bytes_limit = std::size_t{8} << 20;
};

/// Longest function name, call id or parameter name that is believed; far above any real one.
inline constexpr std::size_t kNameBytesLimit = 1024;

/// The call syntax of one model family, as a state machine under a driver (DelimitedParser).
///
/// The driver owns plain text. It watches the grammar's markers there; behind a marker that the
/// grammar takes, all input goes to the grammar until it leaves. So inside a call nothing is
/// looked at but what the grammar itself looks for: values are data.
///
/// Input comes in the windows of BytewiseParser, so a grammar need not care how a text was cut.
class Grammar {
 public:
  /// What becomes of a marker that was met in text.
  enum class Entry : std::uint8_t {
    taken,    ///< the grammar consumes what follows
    deleted,  ///< stray markup; it vanishes
    plain,    ///< it is text after all
  };
  enum class State : std::uint8_t {
    inside,    ///< needs more input
    left,      ///< back to text
    rejected,  ///< back to text; what was taken since `enter`, marker included, is text after all
  };
  struct Step {
    std::size_t consumed = 0;
    State state = State::inside;
  };
  /// Text around a marker.
  struct Place {
    std::string_view marker;
    /// The word that ends directly before it, if `reads_words()` and no marker lies between; only
    /// its last bytes where it is longer than any name.
    std::string_view word;
    /// The byte before the marker; 0 at the start of the output.
    char last = 0;
    /// Nothing but white space came before.
    bool at_start = false;
  };

  virtual ~Grammar() = default;

  /// Markers of plain text; ids are the grammar's own, from 0.
  virtual std::vector<Marker> text_markers() const = 0;
  virtual Entry enter(int id, const Place& place, Emitter& out) = 0;
  /// Consumes what can be decided. With `at_end`, everything that follows is in `input`.
  virtual Step consume(std::string_view input, bool at_end, Emitter& out) = 0;
  /// Takes leading bytes that `consume` would take one by one and to the same effect.
  virtual std::size_t take_run(std::string_view, Emitter&) { return 0; }
  /// The output ended inside the grammar. Returns true when what was taken is text after all.
  virtual bool finish(OutputEnd end, Emitter& out) = 0;
  /// Whether what was taken since `enter` may yet turn out to be text; then the driver keeps it.
  virtual bool may_reject() const { return false; }
  /// After a rejection: how many bytes from the marker on are text for certain, at least 1.
  virtual std::size_t rejected_bytes() const { return 1; }
  /// Whether `Place::word` is wanted.
  virtual bool reads_words() const { return false; }
  /// Whether the output begins inside the grammar, as if a marker had just been taken (inkling,
  /// whose prompt ends with one).
  virtual bool primed() const { return false; }
  /// Ids of markers that open a call even inside a thought, which goes on behind the call.
  virtual std::span<const int> thought_markers() const { return {}; }
};

}  // namespace dynamo::parsers::detail
