// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/parsers/event.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::base {
class Json;
class Rng;
}  // namespace dynamo::base

namespace dynamo::parsers {

/// A tool that the request declares. Borrowed: `parameters` must outlive whoever holds the
/// definition.
struct ToolDefinition {
  std::string name{};
  const base::Json* parameters = nullptr;  ///< JSON schema of the arguments; null when not given
  std::optional<bool> strict{};
};

enum class ToolChoice : std::uint8_t { none, automatic, required, named };

/// Where the rendered prompt left the model.
enum class StartingState : std::uint8_t {
  unspecified,  ///< the reasoning parser's own default
  reasoning,    ///< the prompt already opened the thought
  response,     ///< the prompt closed the thought, or thinking is off
};

/// How the arguments of a call are delivered.
enum class CallDelivery : std::uint8_t {
  /// call_start as soon as the name is known, arguments piece by piece.
  incremental,
  /// All events of a call together once it is complete; a call that is cut off and cannot be
  /// recovered leaves no event.
  whole,
};

/// A reasoning parser that is in no registry: thoughts between two markers.
struct ReasoningDelimiters {
  std::string open{};
  std::string close{};
  /// Markup that ends a thought without its closer and is read again as text.
  std::vector<std::string> exits{};
  bool starts_inside = false;   ///< the output begins inside a thought
  bool whole_thoughts = false;  ///< a thought is delivered at its end, not as it comes
};

struct ParserOptions {
  /// Name in the registry (registry.h); empty switches tool calls off.
  std::string tool_parser{};
  /// Name in the registry, any case; empty switches reasoning off. Unknown names fall back to
  /// "basic" (with one warning), as in the reference.
  std::string reasoning_parser{};
  /// Used instead of `reasoning_parser` when given.
  std::optional<ReasoningDelimiters> reasoning_delimiters{};

  /// Tools of the request; must outlive the parser.
  std::span<const ToolDefinition> tools{};
  ToolChoice tool_choice = ToolChoice::automatic;
  std::string named_tool{};  ///< with ToolChoice::named
  /// False drops every call after the first (`parallel_tool_calls`).
  bool parallel_tool_calls = true;

  StartingState starting_state = StartingState::unspecified;
  /// The engine was told to produce JSON (a forced choice without a structural tag, or
  /// response_format): output that begins with `{` or `[` bypasses the reasoning parser, and a
  /// forced choice is read as that JSON before any native grammar is tried.
  bool guided_json = false;
  /// Reasoning is held back, and becomes the content of a turn that ends without any
  /// (`force_nonempty_content`).
  bool reasoning_when_content_empty = false;

  CallDelivery delivery = CallDelivery::incremental;
  /// Bytes of one undecided call or value that may be held. Beyond it a value that can be passed
  /// on is, and a call that cannot be understood is dropped.
  std::size_t held_bytes_limit = std::size_t{8} << 20;
  /// Source of call ids (tests); null uses a per-thread generator seeded by the system.
  base::Rng* rng = nullptr;
};

/// Why the output ended; it decides what becomes of an unfinished call.
enum class OutputEnd : std::uint8_t {
  stop,    ///< the model ended its turn
  length,  ///< the token limit cut it off
};

/// Splits the output of one choice into answer, thought and calls, piece by piece.
///
/// Feeding a text in any pieces gives the same events once adjacent pieces of one kind are joined;
/// nothing is held back but a suffix that may yet turn out to be markup. Markup of the configured
/// family never appears in the answer. Work is linear in the text. Input is UTF-8; pieces should
/// not cut characters (the detokenizer sees to that).
/// Thread safety: one user at a time. State is per choice: one parser per choice of a request.
/// Errors of create: Errc::invalid_argument for an unknown tool parser (the message lists the
/// known ones) and for a named choice without a name.
/// Source: spec of dynamo-parsers 8.0.0 and dynamo-parsers-v2 0.3.4.
class OutputParser {
 public:
  static Result<std::unique_ptr<OutputParser>> create(const ParserOptions& options);
  virtual ~OutputParser() = default;
  OutputParser(const OutputParser&) = delete;
  OutputParser& operator=(const OutputParser&) = delete;

  /// Consumes the next piece and appends what is decided to `out`.
  virtual void feed(std::string_view delta, std::vector<Event>& out) = 0;
  /// Ends the output: releases what is held, recovers what can be. Call once.
  virtual void finish(std::vector<Event>& out, OutputEnd end = OutputEnd::stop) = 0;
  /// Calls started so far, for the finish reason.
  virtual std::uint32_t calls_started() const noexcept = 0;

 protected:
  OutputParser() = default;
};

}  // namespace dynamo::parsers
