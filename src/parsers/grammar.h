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
    /// Text directly before it, as far as this feed has it; may be empty.
    std::string_view before;
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
  /// The output ended inside the grammar. Returns true when what was taken is text after all.
  virtual bool finish(OutputEnd end, Emitter& out) = 0;
  /// After `rejected`: what to give back. Its first `first_bytes` are text for certain.
  virtual std::string take_rejected(std::size_t& first_bytes);
  /// Whether the output begins inside the grammar, as if a marker had just been taken (inkling,
  /// whose prompt ends with one).
  virtual bool primed() const { return false; }
  /// Ids of markers that open a call even inside a thought, which goes on behind the call.
  virtual std::span<const int> thought_markers() const { return {}; }
};

}  // namespace dynamo::parsers::detail
