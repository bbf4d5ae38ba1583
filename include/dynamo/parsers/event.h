// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dynamo::parsers {

enum class EventKind : std::uint8_t {
  text,            ///< a piece of the answer (`content`)
  reasoning,       ///< a piece of the thought (`reasoning_content`)
  call_start,      ///< a call begins: index, id and name are final
  call_arguments,  ///< a piece of the call's arguments; the pieces concatenate to the exact text
  call_end,        ///< the call is over; see Event::complete
};

/// One step of a model's output, in the order in which the model wrote it.
///
/// Events of one call are never interleaved with others: call_start, any number of call_arguments,
/// call_end. `text` and `reasoning` may be cut anywhere between characters; pieces are never empty.
struct Event {
  EventKind kind = EventKind::text;
  /// call_end only: false when the output stopped inside the call. Its arguments then may not be
  /// complete JSON (as OpenAI's are on finish_reason `length`).
  bool complete = true;
  /// call_*: number of the call within this choice, from 0 without gaps.
  std::uint32_t index = 0;
  /// text, reasoning, call_arguments: the piece. call_start: the function's name.
  std::string text{};
  /// call_start: the call's id.
  std::string id{};
};

/// A call put together again.
struct ParsedCall {
  std::string id{};
  std::string name{};
  std::string arguments{};  ///< JSON text, as the events gave it
  bool complete = true;

  bool operator==(const ParsedCall&) const = default;
};

/// A whole output: what a unary answer shows.
struct ParsedOutput {
  std::string content{};
  std::string reasoning{};
  std::vector<ParsedCall> calls{};

  bool operator==(const ParsedOutput&) const = default;
};

/// Folds events, in order, into `output`; may be called batch after batch.
void fold_events(std::span<const Event> events, ParsedOutput& output);

}  // namespace dynamo::parsers
